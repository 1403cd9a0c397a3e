#pragma once
#include "base/money.h"
#include "base/result.h"
#include "domain/sample.h"
#include "science/metrics/scorer.h"
#include "science/stats/analysis.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// One model of a report, many renderings. Built by service/report_runs.cpp; nothing in here is
/// computed by a renderer, and every renderer prints the same words.
namespace lab::report {

/// Quantiles in seconds; NaN where there are no values.
struct LatencySummary {
    std::int64_t n = 0;
    double mean = 0;
    double p50 = 0;
    double p90 = 0;
    double p95 = 0;
    double p99 = 0;  ///< the maximum when n < 100: the renderer says so
    double max = 0;
};

/// Counts of values in equal bins of [lo, hi]; for plots.
struct Histogram {
    double lo = 0;
    double hi = 0;
    std::vector<std::int64_t> counts;
};

struct MetricColumn {
    science::MetricInfo info;
    bool primary = false;
    std::string scorer;  ///< the scorer it comes from
};

struct VariantSummary {
    std::string id;
    std::string model;  ///< provider's name of it
    std::string provider;
    std::string prompt;
    std::string parameters;  ///< compact JSON
    bool baseline = false;
    std::int64_t planned = 0;    ///< samples
    std::int64_t done = 0;       ///< with an output
    std::int64_t missing = 0;    ///< without: failed or not run
    std::int64_t unparsed = 0;   ///< of done: without a parsable answer for some scorer
    std::int64_t truncated = 0;  ///< of done: finish_reason length
    std::int64_t refused = 0;    ///< of done: finish_reason content_filter
    std::int64_t cached = 0;
    std::int64_t replayed = 0;
    domain::Usage usage;
    std::int64_t counted = 0;    ///< samples that usage adds up: done, not from the cache
    std::int64_t estimated = 0;  ///< of counted: tokens estimated from the text
    std::optional<Money> cost;   ///< nullopt = n/a
    std::int64_t unpriced = 0;
    LatencySummary latency;
    LatencySummary time_to_first_token;
    Histogram latency_histogram;
    std::vector<science::Estimate> metrics;   ///< by MetricColumn
    std::vector<Histogram> score_histograms;  ///< by MetricColumn
};

struct ComparisonRow {
    std::size_t metric = 0;  ///< index into Report::metrics
    std::size_t a = 0;       ///< index into Report::variants; the difference is a - b
    std::size_t b = 0;       ///< the baseline, or the second of a pair
    bool primary = false;    ///< in the declared family; others are exploratory
    science::Comparison comparison;
};

struct GateResult {
    std::string condition;  ///< "accuracy of gpt-4o/short at least 0.8"
    bool passed = false;
    std::string found;  ///< "0.763"
};

struct ErrorCount {
    std::string code;
    std::string message;  ///< an example
    std::int64_t count = 0;
};

struct RunInfo {
    std::string id;
    std::string experiment;
    std::int64_t number = 0;
    std::string description;
    std::vector<std::string> tags;
    std::string state;
    std::string stop_reason;
    std::string created_at;
    std::string started_at;
    std::string completed_at;
    std::string manifest;  ///< JSON
    std::string dataset;   ///< "name@version"
    std::string dataset_hash;
    std::int64_t items = 0;
    int repetitions = 1;
    std::uint64_t seed = 0;
};

struct Totals {
    std::int64_t planned = 0;
    std::int64_t done = 0;
    std::int64_t missing = 0;
    std::int64_t failed = 0;  ///< of missing: tried and given up
    std::int64_t unparsed = 0;
    std::int64_t refused = 0;
    std::int64_t cached = 0;
    std::int64_t replayed = 0;
    std::int64_t calls = 0;      ///< requests sent
    std::int64_t retries = 0;    ///< of calls
    std::int64_t uncertain = 0;  ///< calls in flight when a process died: possibly billed
    domain::Usage usage;
    std::int64_t counted = 0;  ///< as of the variants
    std::int64_t estimated = 0;
    std::optional<Money> cost;  ///< settled; nullopt when some price is unknown
    Money uncertain_cost;
};

struct Report {
    std::vector<RunInfo> runs;  ///< one, or those that are compared
    std::string software_version;
    std::vector<MetricColumn> metrics;
    std::vector<VariantSummary> variants;
    std::vector<ComparisonRow> comparisons;
    std::vector<GateResult> gates;
    std::vector<ErrorCount> errors;
    Totals totals;
    std::string answer;                ///< the answer to the question in one or two sentences
    std::string hypothesis;            ///< what stands below a declared claim's answer; else empty
    std::vector<std::string> methods;  ///< paragraphs: which analysis and why
    std::vector<std::string> warnings;
    double confidence = 0.95;
    bool gates_passed() const {
        for (const GateResult& gate : gates) {
            if (!gate.passed) {
                return false;
            }
        }
        return true;
    }
};

/// One sample as the item table shows it.
struct ItemSample {
    int repetition = 0;
    bool present = false;  ///< false: not run
    bool failed = false;
    std::string output;
    std::string error;
    std::string finish_reason;
    bool cached = false;
    std::vector<double> scores;          ///< by MetricColumn; NaN = n/a
    std::vector<std::string> extracted;  ///< by scorer; empty = the output itself
    std::vector<bool> parsed;            ///< by scorer
};

struct ItemRow {
    std::int64_t item = 0;
    std::string id;
    std::string input;      ///< the row's fields as compact JSON without the references
    std::string reference;  ///< of the first scorer
    std::vector<std::vector<ItemSample>> samples;  ///< by variant, then repetition
};

/// Streams the items of a report in order; may be asked several times. Memory does not grow with
/// the number of items.
class ItemSource {
  public:
    virtual ~ItemSource() = default;
    virtual std::int64_t count() const = 0;
    virtual Status each(const std::function<Status(const ItemRow&)>& visit) const = 0;
};

}  // namespace lab::report
