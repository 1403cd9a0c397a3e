#pragma once
#include "science/stats/intervals.h"

#include <cstdint>
#include <limits>
#include <span>

/// How two columns of numbers go together. Pairs without NaN, same sizes. NaN where there is no
/// answer: fewer than three pairs, a constant side. Vectors correlation_regression.json,
/// association.json.
namespace lab::science {

struct Association {
    std::int64_t n = 0;
    double r = std::numeric_limits<double>::quiet_NaN();
    double t = std::numeric_limits<double>::quiet_NaN();
    double df = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();  ///< two-sided, t with n - 2 df
    Interval interval;                                    ///< n > 3
};
/// Pearson's r; interval by Fisher's transformation (1921).
Association pearson(std::span<const double> x, std::span<const double> y, double confidence);
/// Pearson's r of the mid-ranks; interval by Fisher's transformation with the standard error
/// sqrt((1 + r^2 / 2) / (n - 3)) of Bonett and Wright 2000.
Association spearman(std::span<const double> x, std::span<const double> y, double confidence);

struct LinearRegression {
    std::int64_t n = 0;
    double slope = std::numeric_limits<double>::quiet_NaN();
    double intercept = std::numeric_limits<double>::quiet_NaN();
    double slope_se = std::numeric_limits<double>::quiet_NaN();
    double intercept_se = std::numeric_limits<double>::quiet_NaN();
    double t = std::numeric_limits<double>::quiet_NaN();  ///< of the slope
    double df = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();            ///< of slope 0, two-sided
    double intercept_p = std::numeric_limits<double>::quiet_NaN();  ///< of intercept 0
    Interval slope_interval;
    Interval intercept_interval;
    double r_squared = std::numeric_limits<double>::quiet_NaN();
    double r_squared_adjusted = std::numeric_limits<double>::quiet_NaN();
    double residual_sd = std::numeric_limits<double>::quiet_NaN();  ///< divisor n - 2
};
/// Ordinary least squares of y on x (Gauss 1809). An exact fit has standard errors of 0 and no
/// test: t and p are NaN.
LinearRegression linear_regression(
    std::span<const double> x, std::span<const double> y, double confidence
);

}  // namespace lab::science
