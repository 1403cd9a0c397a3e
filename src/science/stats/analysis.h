#pragma once
#include "science/metrics/scorer.h"
#include "science/stats/descriptive.h"
#include "science/stats/intervals.h"
#include "science/stats/words.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Declared in domain/spec.h, which whoever names a value includes.
namespace lab::domain {
enum class CorrectionMethod : std::uint8_t;
enum class McNemarKind : std::uint8_t;
}  // namespace lab::domain

/// Which interval and which test apply when: the one place that decides (analysis_table). The
/// design of the data chooses, not the reader of the result. Items are the unit; NaN is "n/a";
/// everything is a function of its arguments, seed included.
namespace lab::science {

struct AnalysisOptions {
    double confidence = 0.95;
    double alpha = 0.05;
    std::optional<double> minimum_effect;   ///< > 0, in units of the metric
    domain::McNemarKind mcnemar{};          ///< midp
    domain::CorrectionMethod correction{};  ///< holm
    int bootstrap_replicates = 10'000;      ///< also the draws of the sign-flip test
    std::uint64_t seed = 0;
    double power = 0.8;
};

/// One metric of one variant, reduced to items: repetitions are averaged inside the item before.
/// Spans are borrowed. Variants that are compared have the same items in the same order.
struct MetricSample {
    MetricKind kind = MetricKind::continuous;
    bool higher_is_better = true;
    int repetitions = 1;
    std::span<const double> values;  ///< one per item; NaN = missing
    std::span<const int> clusters;   ///< one per item; empty = items are independent
    double minimum = -std::numeric_limits<double>::infinity();  ///< of an answer's score
    double maximum = std::numeric_limits<double>::infinity();
    std::span<const int> answered;  ///< one per item: repetitions with a value; empty = one each
    std::span<const int> lost;      ///< one per item: repetitions that failed; empty = none
    /// One per item: variance of the values of its repetitions, divisor r - 1; NaN below two of
    /// them. Empty = not repeated.
    std::span<const double> inside;
    /// Corpus metrics: row-major [item][stats_size], added up over items. An item is missing when
    /// its value or any of its statistics is NaN.
    std::span<const double> stats;
    std::size_t stats_size = 0;
    std::function<double(std::span<const double> sums)> aggregate;
    Wording wording;
};

/// The rows of the table.
enum class Design : std::uint8_t {
    proportion,
    mean,
    corpus,
    clustered_mean,
    clustered_corpus,
    different_items,
};
struct DesignRow {
    Design design;
    std::string_view when;
    std::string_view interval;  ///< of one variant
    std::string_view test;      ///< of a pair; decides the verdict
    std::string_view beside;    ///< printed beside it, decides nothing
};
std::span<const DesignRow> analysis_table();
const DesignRow& row_of(Design design);

/// One variant, one metric.
struct Estimate {
    Design design = Design::mean;
    std::int64_t n = 0;        ///< items with a value
    std::int64_t missing = 0;  ///< items without
    double value = kNaN;
    double sd = kNaN;  ///< of the items; NaN for corpus metrics
    double se = kNaN;
    double median = kNaN;
    Interval interval;
    std::string method;  ///< of the interval, in words
    std::optional<std::int64_t> successes;
    std::int64_t clusters = 0;  ///< 0 = not clustered
    Interval bootstrap;         ///< beside the t interval of small or skewed samples
    std::string bootstrap_method;
    VarianceParts parts;             ///< where the spread comes from, when items were repeated
    std::vector<std::string> notes;  ///< where the method is weak
};

enum class Verdict : std::uint8_t {
    better,
    worse,
    equivalent,
    no_difference_shown,
    undetermined,  ///< printed "n/a"
};
/// "better", "worse", "equivalent", "no_difference_shown", "undetermined".
std::string_view to_string(Verdict verdict);

struct TestResult {
    std::string name;
    double p = kNaN;
    double p_error = 0;  ///< Monte Carlo error of p; 0 when p is computed
    /// p is the smallest that so many draws can give: the true one may be smaller.
    bool at_floor = false;
};

/// The comparison with every failed sample counted as the worst or the best score of the metric.
struct MissingBound {
    double difference = kNaN;
    double p = kNaN;
    double p_adjusted = kNaN;                 ///< filled by apply_family, as is
    Verdict verdict = Verdict::undetermined;  ///< filled by apply_family
};

/// Variant a against variant b on the items that both have: difference = a - b.
struct Comparison {
    Design design = Design::mean;
    bool higher_is_better = true;
    Wording wording;
    std::int64_t n = 0;        ///< pairs
    std::int64_t dropped = 0;  ///< items left out because one side has no value
    std::int64_t clusters = 0;
    double value_a = kNaN;  ///< over the pairs
    double value_b = kNaN;
    double difference = kNaN;
    double sd = kNaN;  ///< of the differences; NaN for corpus metrics
    double se = kNaN;
    double df = kNaN;  ///< infinity where the reference is the normal distribution
    Interval interval;
    std::string interval_method;
    std::vector<TestResult> tests;  ///< the first decides
    double p = kNaN;                ///< of the deciding test
    bool p_at_floor = false;        ///< as TestResult::at_floor
    std::optional<std::int64_t> only_a;
    std::optional<std::int64_t> only_b;
    std::optional<std::int64_t> both;
    std::optional<std::int64_t> neither;
    double correlation = kNaN;
    double effect_dz = kNaN;  ///< mean / sd of the differences

    std::optional<double> minimum_effect;
    double equivalence_p = kNaN;  ///< two one-sided tests; NaN without minimum_effect
    /// Smallest true difference that is found with `power` at the level `detectable_alpha`.
    double detectable = kNaN;
    /// Items that would show the observed difference, rounded up; of clustered designs clusters of
    /// the size of these.
    double items_needed = kNaN;
    double detectable_alpha = kNaN;
    double planning_sd = kNaN;  ///< per item, what both are computed from
    double power = 0.8;

    std::int64_t lost = 0;  ///< samples of both sides that failed: no output
    /// All of a's at the metric's minimum and all of b's at its maximum, and the other way round.
    /// NaN where none failed, the metric has no bounds or is one of the whole set.
    MissingBound lowest;
    MissingBound highest;

    /// Filled by apply_family; compare() alone is a family of one.
    double alpha = 0.05;
    double p_adjusted = kNaN;
    double equivalence_p_adjusted = kNaN;
    int family_size = 0;
    std::string correction;  ///< "Holm", "Benjamini-Hochberg", "uncorrected"
    Verdict verdict = Verdict::undetermined;
    std::string sentence;
    std::vector<std::string> notes;
    std::string missing_note;  ///< one of notes: how failed samples could change the verdict
    std::string reason;        ///< why there is no answer, when there is none
};

Estimate estimate(const MetricSample& sample, const AnalysisOptions& options);
/// Paired on items; a and b have equally many.
Comparison compare(const MetricSample& a, const MetricSample& b, const AnalysisOptions& options);
/// Two runs over different items: Welch, with a warning. Corpus metrics have no answer here.
Comparison compare_different_items(
    const MetricSample& a, const MetricSample& b, const AnalysisOptions& options
);

struct VariantPair {
    std::size_t a = 0;
    std::size_t b = 0;
};
struct MetricAnalysis {
    std::vector<Estimate> estimates;      ///< one per variant
    std::vector<Comparison> comparisons;  ///< one per pair, each a family of one
};
/// The same figures, bit for bit, as estimate() and compare() one by one; variants that have values
/// for the same items share one resampling.
MetricAnalysis analyse(
    std::span<const MetricSample> variants,
    std::span<const VariantPair> pairs,
    const AnalysisOptions& options
);

/// Corrects the p-values over the declared family (pairs x primary metrics) and writes verdicts and
/// sentences. A comparison without a p-value does not count towards the family. The detectable
/// difference is restated at alpha / family size under Holm, the level its strictest step asks for.
void apply_family(std::span<Comparison> family, const AnalysisOptions& options);

}  // namespace lab::science
