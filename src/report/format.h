#pragma once
#include "base/money.h"
#include "report/model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How figures are printed in every rendering. Rounding happens here and nowhere before; NaN is
/// "n/a"; a p-value is never "0". Differences and p-values use the words of science/stats/words.h,
/// so that a table and a sentence agree.
namespace lab::report {

/// "1,319", "-12".
std::string format_count(std::int64_t count);
/// `digits` significant figures, without exponent between 1e-4 and 1e6: "0.412", "34.2", "1,320".
std::string format_significant(double value, int digits = 3);
/// "12 (0.9 %)"; "0" alone; without a whole (n = 0) the count alone.
std::string format_share(std::int64_t count, std::int64_t whole);
/// "$12.40", "$0.0147", "$0", "n/a".
std::string format_money(const std::optional<Money>& money);
/// "0.41 ms", "412 ms", "1.24 s", "2 min 05 s", "1 h 02 min".
std::string format_duration(double seconds);
/// "0.0027", "1.7e-45", "< 1e-300", "<= 1.0e-04" at the floor of its test, "n/a".
std::string format_p(double p, bool at_floor = false);

/// A metric's figure: "56.3 %" for binary metrics, "34.21" on 0-100, "0.412" otherwise.
std::string format_figure(const science::MetricInfo& metric, double value);
/// "[53.6, 58.9]" in the same units, empty without an interval.
std::string format_interval(const science::MetricInfo& metric, const science::Interval& interval);
/// "742/1,319"; empty for metrics that do not count successes.
std::string format_successes(const science::Estimate& estimate);
/// "%" , "points" or empty: what an axis of this metric says.
std::string unit_of(const science::MetricInfo& metric);

/// "+21.5", "-4.3".
std::string format_difference(const science::Comparison& comparison);
/// "[+18.7, +24.4]", empty without an interval.
std::string format_difference_interval(const science::Comparison& comparison);

/// "better", "no difference shown"; "n/a" when undetermined.
std::string_view verdict_words(science::Verdict verdict);
/// One narrow character that stands beside the words, never instead of them.
std::string_view verdict_mark(science::Verdict verdict);

/// "gsm8k #3"; several runs: "gsm8k #3, #4".
std::string title_of(const Report& report);
/// Names of the metrics, made unique by their scorer where two scorers share one.
std::vector<std::string> metric_keys(const Report& report);
/// The scorers in the order of ItemSample::extracted.
std::vector<std::string> scorers_of(const Report& report);
/// "Wilson 95 %" of every estimate of a metric, each wording once.
std::vector<std::string> interval_methods(const Report& report, std::size_t metric);
/// A note of a method and what it is about: "b against a", "2 of 6 comparisons", "all variants".
struct NoteLine {
    std::string about;
    std::string note;
};
/// Notes of these comparisons, each once.
std::vector<NoteLine> comparison_notes(
    const Report& report, const std::vector<const ComparisonRow*>& rows
);
/// Notes of the figures of a metric, each once.
std::vector<NoteLine> estimate_notes(const Report& report, std::size_t metric);
/// Whether a figure of this metric says how much answers to one item vary.
bool has_variance_parts(const Report& report, std::size_t metric);
/// "standard deviation inside / between items: a 21.3 / 40.1, b ..."; empty where nothing was
/// repeated.
std::string spread_words(const Report& report, std::size_t metric);
/// "all estimated", "partly estimated" or empty.
std::string_view estimated_words(std::int64_t estimated, std::int64_t counted);
/// Whether any output was refused.
bool has_refusals(const Report& report);
/// Whether any variant has a latency that was measured.
bool has_latency(const Report& report);
/// Whether any variant has a known cost that is not zero.
bool has_cost(const Report& report);

}  // namespace lab::report
