#include "science/metrics/bleu.h"

#include "base/text.h"
#include "science/metrics/signature.h"
#include "science/metrics/unicode.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {

using nlohmann::json;

BleuOptions options_from(const json& params) {
    BleuOptions options;
    options.tokenizer = find_bleu_tokenizer(params.at("tokenize").get<std::string>()).value();
    options.smoothing = find_bleu_smoothing(params.at("smooth_method").get<std::string>()).value();
    if (!params.at("smooth_value").is_null()) {
        options.smooth_value = params.at("smooth_value").get<double>();
    }
    options.lowercase = params.at("lowercase").get<bool>();
    options.max_ngram_order = params.at("max_ngram_order").get<std::size_t>();
    return options;
}

void compare(const BleuScore& got, const json& want, test::VectorCheck& check) {
    check.number("score", got.score, want.at("score"));
    check.number("bp", got.brevity_penalty, want.at("bp"));
    check.number("sys_len", got.hypothesis_length, want.at("sys_len"));
    check.number("ref_len", got.reference_length, want.at("ref_len"));
    ASSERT_EQ(got.precisions.size(), want.at("precisions").size());
    for (std::size_t n = 0; n < got.precisions.size(); ++n) {
        check.number("precision", got.precisions[n], want.at("precisions")[n]);
        check.number("count", got.counts[n], want.at("counts")[n]);
        check.number("total", got.totals[n], want.at("totals")[n]);
    }
}

std::string words_of(const std::string& text) {
    std::string out;
    for (const auto word : split_words(text)) {
        out += out.empty() ? "" : " ";
        out += word;
    }
    return out;
}

TEST(BleuTokenizer, AgreesWithSacrebleu) {
    test::for_each_vector(
        "bleu_tokenizers",
        [](const json& in, const json&, const json& want, auto& check) {
            const auto text = in.at("text").get<std::string>();
            for (const auto& [name, tokens] : want.items()) {
                const auto tokenizer = find_bleu_tokenizer(name).value();
                const std::string got = separate_tokens(text, tokenizer);
                // The last two keep the whitespace of the text, the others are joined by one space.
                const bool raw = name == "none" || name == "char";
                check.equal(name, raw ? got : words_of(got), tokens);
            }
        }
    );
}

TEST(Bleu, AgreesWithSacrebleuOnSentences) {
    test::for_each_vector(
        "bleu_sentence",
        [](const json& in, const json& params, const json& want, auto& check) {
            const BleuOptions options = options_from(params);
            const auto references = in.at("references").get<std::vector<std::string>>();
            const auto statistics =
                bleu_statistics(in.at("hypothesis").get<std::string>(), references, options);
            compare(
                bleu_score(statistics, options, params.at("effective_order").get<bool>()),
                want,
                check
            );
        }
    );
}

TEST(Bleu, AgreesWithSacrebleuOnCorpora) {
    test::for_each_vector(
        "bleu_corpus",
        [](const json& in, const json& params, const json& want, auto& check) {
            const BleuOptions options = options_from(params);
            const auto hypotheses = in.at("hypotheses").get<std::vector<std::string>>();
            std::vector<double> sums(bleu_stats_size(options), 0.0);
            for (std::size_t i = 0; i < hypotheses.size(); ++i) {
                std::vector<std::string> references;
                for (const auto& stream : in.at("references")) {
                    references.push_back(stream.at(i).get<std::string>());
                }
                const auto statistics = bleu_statistics(hypotheses[i], references, options);
                for (std::size_t s = 0; s < sums.size(); ++s) {
                    sums[s] += statistics[s];
                }
            }
            compare(bleu_score(sums, options, false), want, check);
            // The same signature but for the version, and with the options sacrebleu leaves out.
            std::string expected = want.at("signature").get<std::string>();
            expected.resize(expected.find("|version:"));
            std::string got = bleu_signature(options, false, in.at("references").size());
            const std::string order = "|order:" + std::to_string(options.max_ngram_order);
            if (const auto at = got.find(order); at != std::string::npos) {
                got.erase(at, order.size());
            }
            check.equal(
                "signature", got, expected + "|version:llm-research-1|compat:sacrebleu-2.6.0"
            );
        }
    );
}

TEST(Bleu, PerfectMatchIsAHundredAndNothingInCommonIsZero) {
    const BleuOptions options;
    const std::vector<std::string> same = {"the cat sat on the mat ."};
    const auto perfect = bleu_statistics(same[0], same, options);
    EXPECT_NEAR(bleu_score(perfect, options, false).score, 100, 1e-9);
    const auto nothing = bleu_statistics("quite another text here", same, options);
    EXPECT_EQ(bleu_score(nothing, options, false).score, 0);
    EXPECT_EQ(bleu_score(bleu_statistics("", same, options), options, true).score, 0);
}

TEST(Bleu, ShortHypothesesNeedTheEffectiveOrder) {
    const BleuOptions options;
    const std::vector<std::string> reference = {"yes sir"};
    const auto statistics = bleu_statistics("yes sir", reference, options);
    EXPECT_EQ(bleu_score(statistics, options, false).score, 0);
    EXPECT_NEAR(bleu_score(statistics, options, true).score, 100, 1e-9);
}

TEST(Bleu, ClipsRepeatedWordsAtTheLargestCountOfOneReference) {
    BleuOptions options;
    options.tokenizer = BleuTokenizer::none;
    const std::vector<std::string> references = {"the cat is on the mat", "there is a cat the"};
    const auto statistics = bleu_statistics("the the the the the the the", references, options);
    EXPECT_EQ(statistics[0], 2);  // of seven: Papineni's own example
    EXPECT_EQ(statistics[4], 7);
    EXPECT_EQ(statistics[9], 6);  // the reference nearest in length
}

TEST(Bleu, ALongRepetitiveTextIsScoredInLinearTime) {
    BleuOptions options;
    options.tokenizer = BleuTokenizer::none;
    std::string text;
    for (int i = 0; i < 200'000; ++i) {
        text += "a b ";
    }
    const std::vector<std::string> reference = {text};
    const auto statistics = bleu_statistics(text, reference, options);
    EXPECT_EQ(statistics[3], 399'997);
    EXPECT_NEAR(bleu_score(statistics, options, false).score, 100, 1e-9);
}

TEST(BleuTokenizer, ManyReplacementsTakeLinearTime) {
    std::string text;
    std::string want;
    for (int i = 0; i < 200'000; ++i) {
        text += "&amp;<skipped>";
        want += want.empty() ? "&" : " &";
    }
    EXPECT_EQ(words_of(separate_tokens(text, BleuTokenizer::mteval13a)), want);
}

TEST(Bleu, NothingToCompareWithGivesNoMatches) {
    const BleuOptions options;
    const auto statistics = bleu_statistics("a b c d", {}, options);
    EXPECT_EQ(statistics, (std::vector<double>{0, 0, 0, 0, 4, 3, 2, 1, 4, 0}));
}

TEST(Signature, SaysHowManyReferencesThereWere) {
    const std::string one = bleu_signature({}, false, 1);
    EXPECT_EQ(
        one,
        "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:llm-research-1|compat:sacrebleu-2.6.0"
    );
    EXPECT_TRUE(with_reference_counts(one, 2, 2).starts_with("nrefs:2|case:mixed"));
    EXPECT_TRUE(with_reference_counts(one, 1, 2).starts_with("nrefs:var|case:mixed"));
    EXPECT_EQ(with_reference_counts(one, 2, 2), bleu_signature({}, false, 2));
    EXPECT_EQ(
        with_reference_counts("normalize:squad|version:x", 2, 2), "normalize:squad|version:x"
    );
}

}  // namespace
}  // namespace lab::science
