#include "science/metrics/rouge.h"

#include "science/metrics/porter_stemmer.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lab::science {
namespace {

using nlohmann::json;

TEST(PorterStemmer, AgreesWithNltk) {
    test::for_each_vector(
        "porter_stemmer",
        [](const json& in, const json&, const json& want, auto& check) {
            check.equal("stem", porter_stem(in.at("word").get<std::string>()), want.at("stem"));
        }
    );
}

TEST(Rouge, AgreesWithRougeScore) {
    test::for_each_vector("rouge", [](const json& in, const json&, const json& want, auto& check) {
        const auto prediction = in.at("prediction").get<std::string>();
        const auto reference = in.at("reference").get<std::string>();
        check.equal("tokens", rouge_tokens(prediction, false), want.at("tokens_nostem"));
        check.equal("stems", rouge_tokens(prediction, true), want.at("tokens_stem"));
        for (const bool stem : {false, true}) {
            const RougeText predicted(prediction, stem, true);
            const RougeText expected(reference, stem, true);
            for (const auto& [name, values] : want.at(stem ? "stem" : "nostem").items()) {
                const auto score = rouge_score(predicted, expected, find_rouge_type(name).value());
                check.number(name + " precision", score.precision, values[0]);
                check.number(name + " recall", score.recall, values[1]);
                check.number(name + " f1", score.f1, values[2]);
            }
        }
    });
}

/// The textbook table, to check the bit vectors beyond one machine word.
std::size_t lcs_length(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    std::vector<std::vector<std::size_t>> table(
        a.size() + 1, std::vector<std::size_t>(b.size() + 1)
    );
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                               : std::max(table[i - 1][j], table[i][j - 1]);
        }
    }
    return table[a.size()][b.size()];
}

TEST(Rouge, LongestCommonSubsequenceIsRightAcrossMachineWords) {
    std::uint64_t state = 1;
    const auto draw = [&state] {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return std::string(1, static_cast<char>('a' + (state >> 33) % 5));
    };
    for (const std::size_t size : {1U, 63U, 64U, 65U, 128U, 200U}) {
        std::string reference;
        std::string prediction;
        for (std::size_t i = 0; i < size; ++i) {
            reference += draw() + " ";
            prediction += draw() + draw().substr(0, i % 7 == 0) + " ";
        }
        const RougeText predicted(prediction, false, false);
        const RougeText expected(reference, false, false);
        const auto score = rouge_score(predicted, expected, RougeType::rouge_l);
        const auto length = static_cast<double>(lcs_length(expected.tokens, predicted.tokens));
        EXPECT_DOUBLE_EQ(score.recall, length / static_cast<double>(size)) << size;
    }
}

TEST(Rouge, OtherScriptsHaveNoTokens) {
    EXPECT_TRUE(rouge_tokens("周日，阿萨姆邦 Привет", false).empty());
    // The Kelvin sign lower-cases to an ASCII k.
    EXPECT_EQ(
        rouge_tokens(
            "\xe2\x84\xaa"
            "elvin",
            false
        ),
        std::vector<std::string>{"kelvin"}
    );
}

}  // namespace
}  // namespace lab::science
