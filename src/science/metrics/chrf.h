#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// chrF (Popovic 2015) and chrF++ (Popovic 2017): F-score of character n-grams, with word n-grams
/// for chrF++. Equal to sacrebleu 2.6.0: tests/vectors/chrf_sentence.json, chrf_corpus.json.
namespace lab::science {

struct ChrfOptions {
    std::size_t char_order = 6;
    std::size_t word_order = 0;  ///< 2 = chrF++
    double beta = 2;             ///< recall counts beta times as much as precision
    bool lowercase = false;
    bool whitespace = false;  ///< whitespace is part of the character n-grams
    /// Orders without n-grams count with 1e-16 in place of being left out (chrF++.py).
    bool eps_smoothing = false;
};

inline std::size_t chrf_stats_size(const ChrfOptions& options) {
    return 3 * (options.char_order + options.word_order);
}

/// Of one hypothesis against the one of its references that gives the best score (the first of
/// equals), all UTF-8: for each character order, then each word order, the n-grams of the
/// hypothesis (0 when the reference has none of that order), those of the reference, and the
/// matches. Sums of these over sentences give the corpus score. All zero without references.
std::vector<double> chrf_statistics(
    std::string_view hypothesis, std::span<const std::string> references, const ChrfOptions& options
);

/// From (summed) statistics; 0..100.
double chrf_score(std::span<const double> statistics, const ChrfOptions& options);

/// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:llm-research-1|compat:sacrebleu-2.6.0";
/// `beta` comes in when it is not 2. nrefs 0 = varying.
std::string chrf_signature(const ChrfOptions& options, std::size_t nrefs);

}  // namespace lab::science
