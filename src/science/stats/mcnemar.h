#pragma once
#include <cstdint>
#include <limits>

/// Paired binary outcomes: only the items that one side gets right and the other does not count.
namespace lab::science {

struct McNemar {
    double p_exact = std::numeric_limits<double>::quiet_NaN();
    double p_mid = std::numeric_limits<double>::quiet_NaN();
    double chi2 = std::numeric_limits<double>::quiet_NaN();
    double p_chi2 = std::numeric_limits<double>::quiet_NaN();
    double chi2_corrected = std::numeric_limits<double>::quiet_NaN();
    double p_chi2_corrected = std::numeric_limits<double>::quiet_NaN();
};
/// only_a, only_b >= 0: discordant items. None at all: every p is 1, chi2 is NaN (0/0).
/// Source: McNemar 1947; mid-p as in Fagerland, Lydersen and Laake 2013; vectors mcnemar.json.
McNemar mcnemar(std::int64_t only_a, std::int64_t only_b);

/// Two-sided exact test of k successes in n against one half: twice the smaller tail, at most 1.
double binomial_half_p(std::int64_t k, std::int64_t n);

/// Wald standard error of the difference of two paired proportions over n items (divisor n).
double paired_proportion_se(std::int64_t only_a, std::int64_t only_b, std::int64_t n);

}  // namespace lab::science
