#include "science/metrics/bleu.h"

#include "base/error.h"
#include "base/text.h"
#include "science/metrics/impl/interner.h"
#include "science/metrics/impl/ngrams.h"
#include "science/metrics/signature.h"
#include "science/metrics/unicode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace lab::science {
namespace {

constexpr std::array<std::pair<std::string_view, BleuSmoothing>, 4> kSmoothings = {{
    {"exp", BleuSmoothing::exp},
    {"floor", BleuSmoothing::floor},
    {"add-k", BleuSmoothing::add_k},
    {"none", BleuSmoothing::none},
}};

/// Stands for the logarithm of zero; its exponential is zero however many orders share it.
constexpr double kLogOfZero = -9999999999.0;

double smooth_value(const BleuOptions& options) {
    return options.smooth_value.value_or(options.smoothing == BleuSmoothing::floor ? 0.1 : 1.0);
}

std::string prepare(std::string_view text, const BleuOptions& options) {
    return options.lowercase ? separate_tokens(to_lower(text), options.tokenizer)
                             : separate_tokens(text, options.tokenizer);
}

std::size_t closest_length(
    std::size_t length, const std::vector<std::vector<std::uint32_t>>& references
) {
    std::size_t best = 0;
    std::size_t best_distance = 0;
    for (std::size_t r = 0; r < references.size(); ++r) {
        const std::size_t size = references[r].size();
        const std::size_t distance = size > length ? size - length : length - size;
        if (r == 0 || std::pair(distance, size) < std::pair(best_distance, best)) {
            best = size;
            best_distance = distance;
        }
    }
    return best;
}

double brevity_penalty(double hypothesis_length, double reference_length) {
    if (hypothesis_length >= reference_length) {
        return 1;
    }
    return hypothesis_length > 0 ? std::exp(1 - reference_length / hypothesis_length) : 0;
}

}  // namespace

std::string_view name(BleuSmoothing smoothing) {
    for (const auto& [text, value] : kSmoothings) {
        if (value == smoothing) {
            return text;
        }
    }
    return {};
}

std::optional<BleuSmoothing> find_bleu_smoothing(std::string_view name) {
    for (const auto& [text, value] : kSmoothings) {
        if (text == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::vector<double> bleu_statistics(
    std::string_view hypothesis, std::span<const std::string> references, const BleuOptions& options
) {
    const std::string hypothesis_text = prepare(hypothesis, options);
    std::vector<std::string> reference_texts;
    reference_texts.reserve(references.size());
    for (const std::string& reference : references) {
        reference_texts.push_back(prepare(reference, options));
    }
    Interner words(hypothesis_text.size() / 3 + 8);
    std::vector<std::vector<std::uint32_t>> reference_ids;
    reference_ids.reserve(references.size());
    for (const std::string& text : reference_texts) {
        reference_ids.push_back(words.ids(split_words(text)));
    }
    const auto hypothesis_ids = words.ids(split_words(hypothesis_text));

    const std::size_t order = options.max_ngram_order;
    const auto matches = match_ngrams(hypothesis_ids, reference_ids, order);
    std::vector<double> statistics(bleu_stats_size(options));
    for (std::size_t n = 1; n <= order; ++n) {
        statistics[n - 1] = static_cast<double>(matches[n - 1]);
        statistics[order + n - 1] = static_cast<double>(ngram_count(hypothesis_ids.size(), n));
    }
    statistics[2 * order] = static_cast<double>(hypothesis_ids.size());
    statistics[2 * order + 1] =
        static_cast<double>(closest_length(hypothesis_ids.size(), reference_ids));
    return statistics;
}

BleuScore bleu_score(
    std::span<const double> statistics, const BleuOptions& options, bool effective_order
) {
    const std::size_t order = options.max_ngram_order;
    LAB_ASSERT(statistics.size() == 2 * order + 2, "BLEU statistics of another order");
    BleuScore result;
    result.counts.assign(statistics.begin(), statistics.begin() + std::ptrdiff_t(order));
    result.totals.assign(
        statistics.begin() + std::ptrdiff_t(order), statistics.begin() + std::ptrdiff_t(2 * order)
    );
    result.hypothesis_length = statistics[2 * order];
    result.reference_length = statistics[2 * order + 1];
    result.brevity_penalty = brevity_penalty(result.hypothesis_length, result.reference_length);
    result.precisions.assign(order, 0.0);
    if (std::ranges::all_of(result.counts, [](double count) { return count == 0; })) {
        return result;
    }
    const double smoothing = smooth_value(options);
    double halving = 1;
    std::size_t orders_used = order;
    for (std::size_t n = 0; n < order; ++n) {
        if (options.smoothing == BleuSmoothing::add_k && n > 0) {
            result.counts[n] += smoothing;
            result.totals[n] += smoothing;
        }
        if (result.totals[n] == 0) {
            break;
        }
        orders_used = effective_order ? n + 1 : order;
        double matches = 100 * result.counts[n];
        double total = result.totals[n];
        if (result.counts[n] == 0 && options.smoothing == BleuSmoothing::exp) {
            halving *= 2;
            matches = 100;
            total *= halving;
        } else if (result.counts[n] == 0 && options.smoothing == BleuSmoothing::floor) {
            matches = 100 * smoothing;
        }
        result.precisions[n] = matches / total;
    }
    double logarithms = 0;
    for (std::size_t n = 0; n < orders_used; ++n) {
        const double precision = result.precisions[n];
        logarithms += precision == 0 ? kLogOfZero : std::log(precision);
    }
    result.score = result.brevity_penalty * std::exp(logarithms / static_cast<double>(orders_used));
    return result;
}

std::string bleu_signature(const BleuOptions& options, bool effective_order, std::size_t nrefs) {
    std::string smoothing(name(options.smoothing));
    if (options.smoothing == BleuSmoothing::floor || options.smoothing == BleuSmoothing::add_k) {
        char text[40];
        std::snprintf(text, sizeof text, "[%.2f]", smooth_value(options));
        smoothing += text;
    }
    std::string out = "nrefs:" + (nrefs == 0 ? std::string("var") : std::to_string(nrefs));
    out += options.lowercase ? "|case:lc" : "|case:mixed";
    out += effective_order ? "|eff:yes" : "|eff:no";
    out += "|tok:" + std::string(name(options.tokenizer));
    out += "|smooth:" + smoothing;
    out += options.max_ngram_order == 4 ? "" : "|order:" + std::to_string(options.max_ngram_order);
    return out + "|version:" + metrics_version() + "|compat:sacrebleu-2.6.0";
}

}  // namespace lab::science
