#pragma once
#include <cstdint>
#include <limits>
#include <span>

/// Permutation tests of means: valid without any assumption on the shape of the scores.
namespace lab::science {

struct Permutation {
    double observed = std::numeric_limits<double>::quiet_NaN();
    std::int64_t permutations = 0;  ///< enumerated or drawn
    bool exact = false;
    /// P(|T| >= |t|), the textbook's two-sided p and the one we report.
    double p_absolute = std::numeric_limits<double>::quiet_NaN();
    double p_greater = std::numeric_limits<double>::quiet_NaN();
    double p_less = std::numeric_limits<double>::quiet_NaN();
    /// min(1, 2 * smaller tail), as scipy reports; differs for groups of unequal size.
    double p_doubled = std::numeric_limits<double>::quiet_NaN();
    /// Monte Carlo error of p_absolute, sqrt(p (1 - p) / m); 0 when exact.
    double p_error = 0;
};

/// Enumerations beyond this many are drawn instead.
inline constexpr std::int64_t kPermutationsMax = 200'000;

/// All 2^n sign flips of the differences; NaN beyond kPermutationsMax. Permuted means within 1e-9
/// of the observed one (relative to the mean size of a difference) count as equal to it.
/// Source: Fisher 1935; vectors permutation_exact.json.
Permutation sign_flip_exact(std::span<const double> differences);
/// `draws` random sign flips, p = (count + 1) / (draws + 1). Deterministic in the seed.
Permutation sign_flip_drawn(std::span<const double> differences, int draws, std::uint64_t seed);
/// Exact when the non-zero differences allow it, else drawn. Empty: NaN.
Permutation sign_flip(std::span<const double> differences, int draws, std::uint64_t seed);

/// All ways to split the pooled values into groups of these sizes; NaN beyond kPermutationsMax.
Permutation two_sample_exact(std::span<const double> a, std::span<const double> b);

}  // namespace lab::science
