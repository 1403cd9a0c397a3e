#include "science/stats/mcnemar.h"

#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>

namespace lab::science {

double binomial_half_p(std::int64_t k, std::int64_t n) {
    const std::int64_t smaller = std::min(k, n - k);
    return std::min(1.0, 2 * binomial_cdf(smaller, n, 0.5));
}

McNemar mcnemar(std::int64_t only_a, std::int64_t only_b) {
    McNemar out;
    const std::int64_t n = only_a + only_b;
    if (n == 0) {
        out.p_exact = out.p_mid = out.p_chi2 = out.p_chi2_corrected = 1;
        return out;
    }
    const std::int64_t smaller = std::min(only_a, only_b);
    const double tail = binomial_cdf(smaller, n, 0.5);
    out.p_exact = std::min(1.0, 2 * tail);
    // Half of the probability of the observed table, in both tails.
    out.p_mid = std::min(1.0, 2 * tail - binomial_pmf(smaller, n, 0.5));
    const auto total = static_cast<double>(n);
    const double gap = std::abs(static_cast<double>(only_a - only_b));
    out.chi2 = gap * gap / total;
    out.p_chi2 = chi_squared_upper(out.chi2, 1);
    // At equal counts the correction would turn a difference of 0 into 1/n: it stays 0.
    const double corrected = std::max(0.0, gap - 1);
    out.chi2_corrected = corrected * corrected / total;
    out.p_chi2_corrected = chi_squared_upper(out.chi2_corrected, 1);
    return out;
}

double paired_proportion_se(std::int64_t only_a, std::int64_t only_b, std::int64_t n) {
    const auto total = static_cast<double>(n);
    const auto gap = static_cast<double>(only_a - only_b);
    return std::sqrt(static_cast<double>(only_a + only_b) - gap * gap / total) / total;
}

}  // namespace lab::science
