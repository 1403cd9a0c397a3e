#pragma once
#include "science/stats/analysis.h"

namespace lab::science::impl {

/// What was drawn with replacement.
enum class Unit : std::uint8_t { item, cluster, block };

/// Bootstrap of one variant. Empty values: fewer than two units, no bootstrap.
struct Replicates {
    double estimate = kNaN;  ///< in the arithmetic of the replicates
    std::vector<double> values;
    std::vector<double> jackknife;  ///< each unit left out
    Unit unit = Unit::item;
    std::int64_t units = 0;
};

/// Items (indices) that have a value.
std::vector<std::uint32_t> present_items(const MetricSample& sample);

/// Resamples these items, the same draws for every sample. The figure is the corpus figure or the
/// mean. Above kUnitsMax units, neighbouring items are drawn in blocks, which keeps the cost
/// bounded and the standard error right to about 1 %.
std::vector<Replicates> replicate(
    std::span<const MetricSample* const> samples,
    std::span<const std::uint32_t> items,
    const AnalysisOptions& options
);
inline constexpr std::size_t kUnitsMax = 20'000;

/// "B=10000, mt19937_64 seed 7", "of 8 clusters, B=...", "of 20000 blocks of items, B=...".
std::string describe(const Replicates& replicates, const AnalysisOptions& options);

/// The estimate and the comparison, given replicates made before (nullptr: made here on demand).
Estimate estimate_with(
    const MetricSample& sample, const AnalysisOptions& options, const Replicates* replicates
);
/// Whether estimate_with would look at replicates.
bool wants_bootstrap(const MetricSample& sample, std::span<const std::uint32_t> items);
struct ReplicatePair {
    const Replicates* a = nullptr;
    const Replicates* b = nullptr;
};
Comparison compare_with(
    const MetricSample& a,
    const MetricSample& b,
    const AnalysisOptions& options,
    ReplicatePair replicates
);

/// Fills lost and, where some are, the bounds of what the failed samples could do; missing.cpp.
void bound_missing(
    Comparison& comparison,
    const MetricSample& a,
    const MetricSample& b,
    const AnalysisOptions& options
);
/// Verdicts of the bounds of family[i], whose p_adjusted and verdict are known, and the note about
/// them. `p`: of the whole family.
void judge_missing(
    std::span<Comparison> family,
    std::size_t i,
    const std::vector<double>& p,
    const AnalysisOptions& options
);
/// Adjusted p-values of a family.
std::vector<double> corrected(std::span<const double> p, domain::CorrectionMethod method);
/// Differences of at most this share of the largest score are rounding.
inline constexpr double kNoise = 1e-12;

/// detectable and items_needed at this level, from planning_sd.
void set_detectable(Comparison& comparison, double alpha);
/// Fills p_adjusted .. sentence of a single comparison as a family of one.
void judge_alone(Comparison& comparison, const AnalysisOptions& options);

Design design_of(const MetricSample& sample, bool zero_or_one);
bool is_zero_or_one(std::span<const double> values);

inline constexpr std::int64_t kFewClusters = 30;
inline constexpr std::string_view kFewClustersNote =
    "fewer than 30 clusters: the interval and the p-value are rough";
inline constexpr std::string_view kOneClusterReason =
    "all items are in one cluster, so that the spread between clusters is unknown";

}  // namespace lab::science::impl
