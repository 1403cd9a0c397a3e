#include "science/metrics/chrf.h"

#include "base/error.h"
#include "base/text.h"
#include "science/metrics/impl/interner.h"
#include "science/metrics/impl/ngrams.h"
#include "science/metrics/signature.h"
#include "science/metrics/unicode.h"

#include <cstdint>

namespace lab::science {
namespace {

std::vector<std::uint32_t> to_characters(std::string_view text, bool whitespace) {
    std::vector<std::uint32_t> out;
    out.reserve(text.size());
    std::size_t i = 0;
    while (i < text.size()) {
        const char32_t c = next_code_point(text, i);
        if (whitespace || !is_space(c)) {
            out.push_back(c);
        }
    }
    return out;
}

/// Words with one sign of ASCII punctuation split off: the last, or else the first.
std::vector<std::string_view> to_words(std::string_view text) {
    std::vector<std::string_view> out;
    for (const std::string_view word : split_words(text)) {
        const std::size_t size = word.size();
        if (size > 1 && is_ascii_punctuation(word.back())) {
            out.push_back(word.substr(0, size - 1));
            out.push_back(word.substr(size - 1));
        } else if (size > 1 && is_ascii_punctuation(word.front())) {
            out.push_back(word.substr(0, 1));
            out.push_back(word.substr(1));
        } else {
            out.push_back(word);
        }
    }
    return out;
}

void append_statistics(
    std::vector<double>& out,
    std::span<const std::uint32_t> hypothesis,
    const std::vector<std::uint32_t>& reference,
    std::size_t order
) {
    const auto matches = match_ngrams(hypothesis, {&reference, 1}, order);
    for (std::size_t n = 1; n <= order; ++n) {
        const std::size_t expected = ngram_count(reference.size(), n);
        out.push_back(expected > 0 ? static_cast<double>(ngram_count(hypothesis.size(), n)) : 0.0);
        out.push_back(static_cast<double>(expected));
        out.push_back(static_cast<double>(matches[n - 1]));
    }
}

struct Prepared {
    std::string text;
    std::vector<std::uint32_t> characters;
    std::vector<std::uint32_t> words;

    Prepared(std::string_view utf8, const ChrfOptions& options)
        : text(options.lowercase ? to_lower(utf8) : std::string(utf8)),
          characters(to_characters(text, options.whitespace)) {}
};

}  // namespace

std::vector<double> chrf_statistics(
    std::string_view hypothesis, std::span<const std::string> references, const ChrfOptions& options
) {
    Prepared candidate(hypothesis, options);
    Interner words(candidate.text.size() / 4 + 8);
    if (options.word_order > 0) {
        candidate.words = words.ids(to_words(candidate.text));
    }
    // The interner keeps views, so every text it has seen lives until the end.
    std::vector<Prepared> prepared;
    prepared.reserve(references.size());
    std::vector<double> best(chrf_stats_size(options), 0.0);
    double best_score = -1;
    for (const std::string& reference : references) {
        Prepared& target = prepared.emplace_back(reference, options);
        std::vector<double> statistics;
        statistics.reserve(best.size());
        append_statistics(statistics, candidate.characters, target.characters, options.char_order);
        if (options.word_order > 0) {
            target.words = words.ids(to_words(target.text));
            append_statistics(statistics, candidate.words, target.words, options.word_order);
        }
        const double score = chrf_score(statistics, options);
        if (score > best_score) {
            best_score = score;
            best = std::move(statistics);
        }
    }
    return best;
}

double chrf_score(std::span<const double> statistics, const ChrfOptions& options) {
    constexpr double kEps = 1e-16;
    LAB_ASSERT(statistics.size() == chrf_stats_size(options), "chrF statistics of another order");
    const std::size_t orders = statistics.size() / 3;
    const double weight = options.beta * options.beta;
    double precisions = 0;
    double recalls = 0;
    double smoothed = 0;
    double orders_used = 0;
    for (std::size_t i = 0; i < orders; ++i) {
        const double in_hypothesis = statistics[3 * i];
        const double in_reference = statistics[3 * i + 1];
        const double matches = statistics[3 * i + 2];
        const double precision = in_hypothesis > 0 ? matches / in_hypothesis : kEps;
        const double recall = in_reference > 0 ? matches / in_reference : kEps;
        const double denominator = weight * precision + recall;
        smoothed += denominator > 0 ? (1 + weight) * precision * recall / denominator : kEps;
        if (in_hypothesis > 0 && in_reference > 0) {
            precisions += precision;
            recalls += recall;
            orders_used += 1;
        }
    }
    if (options.eps_smoothing) {
        return 100 * smoothed / static_cast<double>(orders);
    }
    if (precisions + recalls == 0) {
        return 0;
    }
    const double precision = precisions / orders_used;
    const double recall = recalls / orders_used;
    return 100 * ((1 + weight) * precision * recall / (weight * precision + recall));
}

std::string chrf_signature(const ChrfOptions& options, std::size_t nrefs) {
    std::string out = "nrefs:" + (nrefs == 0 ? std::string("var") : std::to_string(nrefs));
    out += options.lowercase ? "|case:lc" : "|case:mixed";
    out += options.eps_smoothing ? "|eff:no" : "|eff:yes";
    out += "|nc:" + std::to_string(options.char_order);
    out += "|nw:" + std::to_string(options.word_order);
    out += options.whitespace ? "|space:yes" : "|space:no";
    out += options.beta == 2 ? "" : "|beta:" + format_double(options.beta);
    return out + "|version:" + metrics_version() + "|compat:sacrebleu-2.6.0";
}

}  // namespace lab::science
