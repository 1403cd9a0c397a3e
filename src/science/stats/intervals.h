#pragma once
#include <cstdint>
#include <limits>
#include <span>

/// Confidence intervals and standard errors. `confidence` is in (0,1), for example 0.95.
/// NaN bounds mean that there is no interval.
namespace lab::science {

struct Interval {
    double lo = std::numeric_limits<double>::quiet_NaN();
    double hi = std::numeric_limits<double>::quiet_NaN();
    bool operator==(const Interval&) const = default;
};

/// estimate -+ z se.
Interval normal_interval(double estimate, double se, double confidence);
/// estimate -+ t(df) se; infinite df is the normal interval.
Interval t_interval(double estimate, double se, double df, double confidence);

/// Intervals of a proportion, 0 <= successes <= n; NaN when n = 0.
/// Wilson 1927: the default. Exactly 0 below at no success and 1 above at no failure.
Interval wilson(std::int64_t successes, std::int64_t n, double confidence);
/// Wilson with continuity correction (Newcombe 1998).
Interval wilson_corrected(std::int64_t successes, std::int64_t n, double confidence);
/// "Exact": never covers less than it says (Clopper and Pearson 1934).
Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence);
/// Beta(k + 1/2, n - k + 1/2), not set to 0 and 1 at the ends.
Interval jeffreys(std::int64_t successes, std::int64_t n, double confidence);
/// Not clipped to [0,1].
Interval agresti_coull(std::int64_t successes, std::int64_t n, double confidence);
/// p -+ z sqrt(pq/n): for comparison with what others print; never our default, not clipped.
Interval wald(std::int64_t successes, std::int64_t n, double confidence);

/// Standard errors of a mean whose items come in clusters. e = x - mean.
struct ClusteredSe {
    std::int64_t clusters = 0;
    double mean = std::numeric_limits<double>::quiet_NaN();
    double clt = std::numeric_limits<double>::quiet_NaN();     ///< as if items were independent
    double cr0 = std::numeric_limits<double>::quiet_NaN();     ///< sqrt(sum_c (sum e)^2) / n
    double cr1 = std::numeric_limits<double>::quiet_NaN();     ///< cr0 * sqrt(G / (G - 1))
    double miller = std::numeric_limits<double>::quiet_NaN();  ///< Miller 2024; NaN when negative
};
/// values and clusters (any labels) have the same size. One cluster: all NaN but the mean and clt.
/// Source: Liang and Zeger 1986; Miller 2024, arXiv 2411.00640; vectors clustered_se.json.
ClusteredSe clustered_se(std::span<const double> values, std::span<const int> clusters);

}  // namespace lab::science
