#include "science/metrics/chrf.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

namespace lab::science {
namespace {

using nlohmann::json;

ChrfOptions options_from(const json& params) {
    ChrfOptions options;
    options.char_order = params.at("char_order").get<std::size_t>();
    options.word_order = params.at("word_order").get<std::size_t>();
    options.beta = params.at("beta").get<double>();
    options.lowercase = params.at("lowercase").get<bool>();
    options.whitespace = params.at("whitespace").get<bool>();
    options.eps_smoothing = params.at("eps_smoothing").get<bool>();
    return options;
}

TEST(Chrf, AgreesWithSacrebleuOnSentences) {
    test::for_each_vector(
        "chrf_sentence",
        [](const json& in, const json& params, const json& want, auto& check) {
            const ChrfOptions options = options_from(params);
            const auto statistics = chrf_statistics(
                in.at("hypothesis").get<std::string>(),
                in.at("references").get<std::vector<std::string>>(),
                options
            );
            check.number("score", chrf_score(statistics, options), want.at("score"));
        }
    );
}

TEST(Chrf, AgreesWithSacrebleuOnCorpora) {
    test::for_each_vector(
        "chrf_corpus",
        [](const json& in, const json& params, const json& want, auto& check) {
            const ChrfOptions options = options_from(params);
            const auto hypotheses = in.at("hypotheses").get<std::vector<std::string>>();
            std::vector<double> sums(chrf_stats_size(options), 0.0);
            for (std::size_t i = 0; i < hypotheses.size(); ++i) {
                const std::vector<std::string> reference = {
                    in.at("references")[0][i].get<std::string>()
                };
                const auto statistics = chrf_statistics(hypotheses[i], reference, options);
                for (std::size_t s = 0; s < sums.size(); ++s) {
                    sums[s] += statistics[s];
                }
            }
            check.number("score", chrf_score(sums, options), want.at("score"));
            std::string expected = want.at("signature").get<std::string>();
            expected.resize(expected.find("|version:"));
            std::string got = chrf_signature(options, 1);
            got.resize(got.find(options.beta == 2 ? "|version:" : "|beta:"));
            check.equal("signature", got, expected);
        }
    );
}

TEST(Chrf, TheBestOfSeveralReferencesCounts) {
    const ChrfOptions options;
    const std::vector<std::string> references = {"something else", "the cat", "nothing"};
    const auto statistics = chrf_statistics("the cat", references, options);
    EXPECT_DOUBLE_EQ(chrf_score(statistics, options), 100);
    EXPECT_EQ(statistics[0], 6);  // six letters without the space
}

TEST(Chrf, WithoutReferencesAllStatisticsAreZero) {
    const ChrfOptions options;
    const auto statistics = chrf_statistics("text", {}, options);
    EXPECT_EQ(statistics, std::vector<double>(18, 0.0));
    EXPECT_EQ(chrf_score(statistics, options), 0);
}

TEST(Chrf, SignatureNamesEveryOptionThatIsNotTheDefault) {
    EXPECT_EQ(
        chrf_signature({}, 1),
        "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:llm-research-1|compat:sacrebleu-2.6."
        "0"
    );
    EXPECT_NE(chrf_signature({.beta = 1}, 1).find("|beta:1|"), std::string::npos);
}

}  // namespace
}  // namespace lab::science
