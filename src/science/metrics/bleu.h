#pragma once
#include "science/metrics/bleu_tokenizer.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// BLEU: Papineni et al. 2002, with the tokenizers, smoothing and signature of sacrebleu (Post
/// 2018). Equal to sacrebleu 2.6.0: tests/vectors/bleu_sentence.json, bleu_corpus.json.
namespace lab::science {

enum class BleuSmoothing : std::uint8_t {
    exp,    ///< the k-th order without a match has precision 100 / (2^k * total)
    floor,  ///< `smooth_value` matches in place of none
    add_k,  ///< `smooth_value` added to matches and totals of every order above the first
    none,
};

std::string_view name(BleuSmoothing smoothing);
std::optional<BleuSmoothing> find_bleu_smoothing(std::string_view name);

struct BleuOptions {
    BleuTokenizer tokenizer = BleuTokenizer::mteval13a;
    BleuSmoothing smoothing = BleuSmoothing::exp;
    std::optional<double> smooth_value;  ///< default: floor 0.1, add_k 1
    bool lowercase = false;
    std::size_t max_ngram_order = 4;
};

/// Of one hypothesis against its references, all UTF-8 and n >= 0 of them: clipped matches of each
/// order, n-grams of each order, tokens of the hypothesis, tokens of the reference nearest in
/// length (the shorter of two equally near). Size: bleu_stats_size(). Sums of these over sentences
/// give the corpus score.
std::vector<double> bleu_statistics(
    std::string_view hypothesis, std::span<const std::string> references, const BleuOptions& options
);
inline std::size_t bleu_stats_size(const BleuOptions& options) {
    return 2 * options.max_ngram_order + 2;
}

struct BleuScore {
    double score = 0;                ///< 0..100; a perfect match may exceed 100 by rounding
    std::vector<double> precisions;  ///< in percent
    double brevity_penalty = 0;
    double hypothesis_length = 0;  ///< tokens
    double reference_length = 0;   ///< tokens
    std::vector<double> counts;    ///< matches of each order, after smoothing by add_k
    std::vector<double> totals;
};

/// From (summed) statistics. `effective_order`: the mean runs over the orders that have n-grams at
/// all, which a single short sentence needs; corpus scores are defined without it. 0 when nothing
/// matches, whatever the smoothing.
BleuScore bleu_score(
    std::span<const double> statistics, const BleuOptions& options, bool effective_order
);

/// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:llm-research-1|compat:sacrebleu-2.6.0";
/// `order` comes in when it is not 4. nrefs 0 = varying.
std::string bleu_signature(const BleuOptions& options, bool effective_order, std::size_t nrefs);

}  // namespace lab::science
