#pragma once
#include "base/ctx.h"
#include "domain/sample.h"
#include "domain/spec.h"
#include "engine/items.h"
#include "engine/plan.h"
#include "engine/score.h"
#include "storage/store/journal.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lab::engine {

/// What the stored samples of one variant say, reduced to items: repetitions are averaged within
/// the item, because the item is the unit of analysis.
struct VariantColumns {
    std::int64_t planned = 0;
    std::int64_t done = 0;
    std::int64_t failed = 0;
    std::int64_t unparsed = 0;  ///< of done: some scorer found no answer
    std::int64_t truncated = 0;
    std::int64_t refused = 0;  ///< of done: finish_reason content_filter
    std::int64_t cached = 0;
    std::int64_t replayed = 0;
    std::int64_t unpriced = 0;
    std::int64_t calls = 0;      ///< requests sent; a replayed answer is none
    std::int64_t retries = 0;    ///< of calls: not the first for their sample
    domain::Usage usage;         ///< of samples that were paid for or replayed with usage
    std::int64_t counted = 0;    ///< samples that `usage` adds up
    std::int64_t estimated = 0;  ///< of counted: tokens estimated from the text
    Money cost;
    std::vector<float> latency_s;  ///< of answers that were waited for
    std::vector<float> time_to_first_token_s;
    /// [slot][item]; NaN = missing or n/a.
    std::vector<std::vector<double>> values;
    /// [slot][item * stats_size + k], means over repetitions; empty unless a corpus metric.
    std::vector<std::vector<double>> stats;
    /// [item]: repetitions that failed; empty when none has.
    std::vector<int> lost;
    /// [slot][item]: repetitions with a value and the variance of these values (NaN below two);
    /// empty without repetitions.
    std::vector<std::vector<int>> answered;
    std::vector<std::vector<double>> inside;
};

struct ErrorTally {
    std::string code;
    std::string message;  ///< of the first one
    std::int64_t count = 0;
};

struct RunColumns {
    std::vector<VariantColumns> variants;
    std::vector<ErrorTally> errors;  ///< most frequent first
};

/// Reads every stored sample of a run once. Memory: items x variants x metrics numbers.
Result<RunColumns> collect(
    const Ctx& ctx,
    storage::Journal& journal,
    std::int64_t run,
    const Plan& plan,
    const ScoreBook& scores,
    std::size_t variants
);

/// Cluster number of every item, by the text of `field`; empty when `field` is empty.
std::vector<int> clusters_of(const Items& items, const std::string& field);

}  // namespace lab::engine
