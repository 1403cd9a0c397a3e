#pragma once
#include "base/rng.h"
#include "science/stats/intervals.h"

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

/// The bootstrap: intervals from replicates, and the replicates themselves.
namespace lab::science {

struct BootstrapIntervals {
    double se = std::numeric_limits<double>::quiet_NaN();  ///< sd of the replicates
    Interval percentile;                                   ///< type 7 quantiles of the replicates
    Interval basic;                                        ///< 2 estimate - quantiles
    /// Bias-corrected and accelerated (Efron 1987). NaN when the jackknife does not vary or all
    /// replicates lie on one side of the estimate: use percentile then.
    Interval bca;
    double z0 = std::numeric_limits<double>::quiet_NaN();
    double acceleration = std::numeric_limits<double>::quiet_NaN();
};

/// `estimate` must come from the same arithmetic as the replicates, since BCa counts ties with it.
/// `jackknife`: the statistic with each unit left out; empty when BCa is not wanted.
/// Replicates that are NaN make everything NaN. Source: Efron and Tibshirani 1993, ch. 13-14;
/// vectors bootstrap_ci.json (scipy 1.17.1).
BootstrapIntervals bootstrap_intervals(
    std::span<const double> replicates,
    double estimate,
    std::span<const double> jackknife,
    double confidence
);

/// Rows that are drawn with replacement; a statistic is a function of the column sums.
struct ResampleTable {
    std::size_t units = 0;
    std::size_t columns = 0;
    std::vector<double> values;  ///< row-major, units x columns
};

/// Draws units() rows with replacement `replicates` times and hands over the column sums of each
/// draw. All columns see the same draws, so that statistics of two systems held side by side are
/// paired. Cost: replicates * units * columns multiply-adds, one random number per unit.
void bootstrap_sums(
    const ResampleTable& table,
    int replicates,
    Rng& rng,
    const std::function<void(int replicate, std::span<const double> sums)>& take
);

/// Two-sided p of "no difference" from paired replicates of a difference: the share of replicates
/// that lie at least as far from their own mean as the observed difference lies from 0, as
/// (count + 1) / (B + 1). Source: Koehn 2004 with the shift of Efron and Tibshirani 1993, ch. 16.
/// (sacrebleu compares ||d| - mean |d|| on one side only and is less strict.)
double bootstrap_p(std::span<const double> replicates, double observed);

struct BootstrapDifference {
    double difference = std::numeric_limits<double>::quiet_NaN();  ///< mean of a - mean of b
    BootstrapIntervals intervals;
    double p = std::numeric_limits<double>::quiet_NaN();  ///< bootstrap_p
};
/// Means of two independent samples, each drawn with replacement for itself. Deterministic in the
/// seed. An empty `b` is a single sample held against 0. Fewer than two values: NaN. Cost:
/// replicates * (n + m) random numbers.
BootstrapDifference bootstrap_difference(
    std::span<const double> a,
    std::span<const double> b,
    int replicates,
    std::uint64_t seed,
    double confidence
);

}  // namespace lab::science
