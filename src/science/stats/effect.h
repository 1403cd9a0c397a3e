#pragma once
#include <limits>
#include <span>

/// Sizes of differences in units of spread or of overlap. NaN when the spread is 0 or a side is too
/// small. d of two groups and d_z of pairs are different scales: never compare them.
namespace lab::science {

struct TwoGroupEffect {
    double cohen_d = std::numeric_limits<double>::quiet_NaN();  ///< pooled sd, divisor n + m - 2
    /// d * J with J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)): without bias under normality.
    double hedges_g = std::numeric_limits<double>::quiet_NaN();
    double hedges_g_approximate = std::numeric_limits<double>::quiet_NaN();  ///< 1 - 3/(4(n+m)-9)
    double glass_delta = std::numeric_limits<double>::quiet_NaN();           ///< sd of b
    double variance_d = std::numeric_limits<double>::quiet_NaN();    ///< Hedges and Olkin 1985
    double cliffs_delta = std::numeric_limits<double>::quiet_NaN();  ///< P(a > b) - P(a < b)
    double superiority = std::numeric_limits<double>::quiet_NaN();   ///< P(a > b) + P(a = b) / 2
};
/// Source: Cohen 1988, Hedges and Olkin 1985; vectors effect_sizes.json.
TwoGroupEffect two_group_effect(std::span<const double> a, std::span<const double> b);

/// mean / sd of paired differences.
double cohen_dz(std::span<const double> differences);
/// 2 asin sqrt(p1) - 2 asin sqrt(p2), proportions in [0,1].
double cohen_h(double p1, double p2);

}  // namespace lab::science
