#pragma once
#include <cstddef>
#include <limits>
#include <span>

/// The shape of a distribution: moments and tests of normality. Values without NaN; NaN where
/// there is no answer. Vectors shape.json, normality.json.
namespace lab::science {

/// G1 = m3 / m2^1.5 sqrt(n (n - 1)) / (n - 2), what spreadsheets call skewness. n >= 3.
double sample_skewness(std::span<const double> values);
/// m4 / m2^2 - 3: 0 under normality. n >= 4, not all equal.
double excess_kurtosis(std::span<const double> values);
/// G2 = (n - 1) / ((n - 2)(n - 3)) ((n + 1) g2 + 6), what spreadsheets call kurtosis. n >= 4.
double sample_kurtosis(std::span<const double> values);

struct Normality {
    double statistic = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();
};
inline constexpr std::size_t kShapiroWilkMax = 5000;
/// W of Shapiro and Wilk 1965 with Royston's approximation (1995, AS R94). 3 to kShapiroWilkMax
/// values, not all equal; NaN else.
Normality shapiro_wilk(std::span<const double> values);
/// K^2 of skewness and kurtosis (D'Agostino 1970, Anscombe and Glynn 1983, D'Agostino and Pearson
/// 1973). n >= 20, not all equal; NaN else.
Normality dagostino_k2(std::span<const double> values);

}  // namespace lab::science
