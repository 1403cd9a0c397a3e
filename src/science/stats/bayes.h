#pragma once
#include "science/stats/intervals.h"

#include <cstdint>
#include <limits>
#include <span>

/// Bayesian comparisons. A Bayes factor is given as its logarithm, ln BF10: how much more likely
/// the data are with a difference than without. Vectors bayes.json.
namespace lab::science {

/// The usual "medium" width of the prior: effects d ~ Cauchy(0, sqrt(2) / 2).
inline constexpr double kCauchyWidth = 0.70710678118654752440;

/// Jeffreys-Zellner-Siow Bayes factor of a t test (Rouder, Speckman, Sun, Morey and Iverson 2009,
/// Psychon Bull Rev 16, equation 1): with nu df and the effective size N,
///   BF10 = int_0^inf (1 + N g r^2)^-1/2 (1 + t^2 / ((1 + N g r^2) nu))^-(nu+1)/2
///                    (2 pi)^-1/2 g^-3/2 e^(-1 / (2 g)) dg  /  (1 + t^2 / nu)^-(nu+1)/2.
/// One sample or pairs: N = n, nu = n - 1. Two samples: N = n m / (n + m), nu = n + m - 2.
/// NaN unless t is finite, N > 0, nu > 0 and r > 0.
double log_bayes_factor_t(double t, double effective_n, double df, double r = kCauchyWidth);

struct ProportionsBayes {
    /// Of two shares that differ against one share for both, priors Beta(1, 1) each
    /// (Kass and Raftery 1995).
    double log_bayes_factor = std::numeric_limits<double>::quiet_NaN();
    double probability_greater = std::numeric_limits<double>::quiet_NaN();  ///< P(a > b | data)
    double mean_difference = std::numeric_limits<double>::quiet_NaN();      ///< of the posterior
    Interval credible;  ///< of a - b, equal tails
};
/// Two groups with (hits, misses) each, posteriors Beta(1 + hits, 1 + misses).
ProportionsBayes compare_proportions(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
);

}  // namespace lab::science
