#pragma once
#include <cstdint>
#include <span>
#include <vector>

/// Adjusted p-values for a family of tests, in the order of the input, at most 1. A NaN (a test
/// that could not be computed) stays NaN and does not count towards the family.
/// Reject where adjusted <= alpha. Vectors multiple_testing.json (statsmodels 0.15.0).
namespace lab::science {

std::vector<double> bonferroni(std::span<const double> p);
/// Needs independent tests.
std::vector<double> sidak(std::span<const double> p);
/// Step-down Bonferroni: our default, valid under any dependence (Holm 1979).
std::vector<double> holm(std::span<const double> p);
std::vector<double> hochberg(std::span<const double> p);
std::vector<double> hommel(std::span<const double> p);
/// False discovery rate (Benjamini and Hochberg 1995).
std::vector<double> benjamini_hochberg(std::span<const double> p);
/// The same under any dependence (Benjamini and Yekutieli 2001).
std::vector<double> benjamini_yekutieli(std::span<const double> p);

}  // namespace lab::science
