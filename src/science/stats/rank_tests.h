#pragma once
#include <cstdint>
#include <limits>
#include <span>

/// Tests on ranks: they ask whether one side tends to be larger, not by how much.
namespace lab::science {

/// What happens to differences of 0 in the signed-rank test.
enum class ZeroMethod : std::uint8_t {
    drop,   ///< leave them out (Wilcoxon)
    pratt,  ///< rank them, then leave their ranks out
    split,  ///< half of their ranks to either side
};

struct SignedRank {
    std::int64_t n = 0;    ///< differences that were ranked and kept
    double w_plus = 0;     ///< sum of ranks of positive differences (R's V)
    double w_minus = 0;    ///< sum of ranks of negative differences
    double statistic = 0;  ///< the smaller of the two (scipy's W)
    double z = std::numeric_limits<double>::quiet_NaN();  ///< <= 0
    double p = std::numeric_limits<double>::quiet_NaN();  ///< two-sided, normal approximation
};
/// Differences at most `slack` from 0 are zeros, and at most `slack` apart are ties. All zero: p is
/// NaN. Source: Wilcoxon 1945, Pratt 1959; vectors wilcoxon_signed_rank.json (scipy 1.17.1).
SignedRank wilcoxon_signed_rank(
    std::span<const double> differences,
    ZeroMethod zeros = ZeroMethod::drop,
    bool continuity_correction = false,
    double slack = 0
);

struct ExactP {
    double p = std::numeric_limits<double>::quiet_NaN();  ///< min(1, 2 * smaller tail)
    double p_greater = std::numeric_limits<double>::quiet_NaN();
    double p_less = std::numeric_limits<double>::quiet_NaN();
};
/// Over all 2^n sign flips of the non-zero differences with their actual mid-ranks, so ties are
/// allowed. NaN beyond kSignedRankExactMax differences (the cost is cubic).
ExactP wilcoxon_exact(std::span<const double> differences, double slack = 0);
inline constexpr std::int64_t kSignedRankExactMax = 100;
/// (W+ - W-) / (W+ + W-) over non-zero differences, in [-1,1].
double rank_biserial(std::span<const double> differences, double slack = 0);

struct MannWhitney {
    double u1 = std::numeric_limits<double>::quiet_NaN();  ///< pairs with a > b, ties half
    double p = std::numeric_limits<double>::quiet_NaN();   ///< normal, tie-corrected, continuity
    double p_uncorrected = std::numeric_limits<double>::quiet_NaN();  ///< without continuity
    double a12 = std::numeric_limits<double>::quiet_NaN();            ///< U / nm
    double cliffs_delta = std::numeric_limits<double>::quiet_NaN();   ///< 2 a12 - 1
};
/// All values equal: p = 1. An empty side: NaN. Source: Mann and Whitney 1947; vectors
/// mann_whitney_u.json.
MannWhitney mann_whitney_u(std::span<const double> a, std::span<const double> b);
/// Exact distribution of U; NaN with ties or beyond kMannWhitneyExactMax pairs. p_greater: a > b.
ExactP mann_whitney_exact(std::span<const double> a, std::span<const double> b);
inline constexpr std::size_t kMannWhitneyExactMax = 2500;

}  // namespace lab::science
