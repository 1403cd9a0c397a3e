#include "science/metrics/rouge.h"

#include "base/text.h"
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
}

TEST(Rouge, LowerCasesTheTwoLettersOutsideAsciiThatBecomeAscii) {
    using Tokens = std::vector<std::string>;
    // U+212A is k; U+0130 is i and a combining dot.
    EXPECT_EQ(
        rouge_tokens(
            "\xe2\x84\xaa"
            "elvin a\xe2\x84\xaa",
            false
        ),
        (Tokens{"kelvin", "ak"})
    );
    EXPECT_EQ(
        rouge_tokens(
            "\xc4\xb0"
            "stanbul X\xc4\xb0",
            false
        ),
        (Tokens{"i", "stanbul", "xi"})
    );
    // No other code point does: the rule of the code is that of the library's lower-casing.
    for (char32_t c = 0x80; c <= 0x10ffff; ++c) {
        if (c == 0xd800) {
            c = 0xe000;
        }
        const std::string lowered = to_lower(to_utf8(std::u32string(1, c)));
        const bool ascii = std::ranges::any_of(lowered, [](char x) {
            return static_cast<unsigned char>(x) < 0x80;
        });
        EXPECT_EQ(ascii, c == 0x130 || c == 0x212a) << static_cast<std::uint32_t>(c);
    }
}

}  // namespace
}  // namespace lab::science
