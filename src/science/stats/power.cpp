#include "science/stats/power.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace lab::science {
namespace {
bool valid_goal(double alpha, double power) {
    return alpha > 0 && alpha < 1 && power > alpha && power < 1;
}

/// Solves increasing(x) = goal for x > low: brackets by doubling, then halves the bracket until it
/// is as narrow as doubles allow. NaN when even 2^60 is not enough.
double solve_increasing(const std::function<double(double)>& increasing, double low, double goal) {
    double high = 2 * low + 1;
    for (int i = 0; !(increasing(high) >= goal); ++i) {
        if (i == 60) {
            return kNaN;
        }
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 200; ++i) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high || high - low <= 1e-13 * high) {
            break;
        }
        (increasing(middle) >= goal ? high : low) = middle;
    }
    return low + (high - low) / 2;
}

double two_sided_t_power(double ncp, double df, double alpha) {
    return noncentral_t_two_sided(t_quantile(1 - alpha / 2, df), df, ncp);
}
}  // namespace

double paired_t_power(double d, double n, double alpha) {
    return n > 1 ? two_sided_t_power(std::abs(d) * std::sqrt(n), n - 1, alpha) : kNaN;
}

double paired_t_items(double d, double alpha, double power) {
    if (!valid_goal(alpha, power) || !(std::abs(d) > 0)) {
        return kNaN;
    }
    const auto reached = [&](double n) { return paired_t_power(d, n, alpha); };
    return solve_increasing(reached, 1 + 1e-6, power);
}

double paired_t_effect(double n, double alpha, double power) {
    if (!valid_goal(alpha, power) || !(n > 1)) {
        return kNaN;
    }
    return solve_increasing([&](double d) { return paired_t_power(d, n, alpha); }, 0, power);
}

double two_sample_t_power(double d, double n1, double ratio, double alpha) {
    const double df = n1 * (1 + ratio) - 2;
    return df > 0 ? two_sided_t_power(std::abs(d) * std::sqrt(n1 * ratio / (1 + ratio)), df, alpha)
                  : kNaN;
}

double two_sample_t_items(double d, double ratio, double alpha, double power) {
    if (!valid_goal(alpha, power) || !(std::abs(d) > 0) || !(ratio > 0)) {
        return kNaN;
    }
    const auto reached = [&](double n1) { return two_sample_t_power(d, n1, ratio, alpha); };
    return solve_increasing(reached, 2 / (1 + ratio) * (1 + 1e-6), power);
}

double two_sample_t_effect(double n1, double ratio, double alpha, double power) {
    if (!valid_goal(alpha, power) || !(n1 * (1 + ratio) > 2)) {
        return kNaN;
    }
    const auto reached = [&](double d) { return two_sample_t_power(d, n1, ratio, alpha); };
    return solve_increasing(reached, 0, power);
}

double two_proportions_items(double h, double ratio, double alpha, double power) {
    if (!valid_goal(alpha, power) || !(std::abs(h) > 0) || !(ratio > 0)) {
        return kNaN;
    }
    const double critical = normal_quantile(1 - alpha / 2);
    const auto reached = [&](double n1) {
        const double shift = std::abs(h) * std::sqrt(n1 * ratio / (1 + ratio));
        return normal_upper(critical - shift) + normal_cdf(-critical - shift);
    };
    return solve_increasing(reached, 0, power);
}

namespace {
double normal_points(double alpha, double power) {
    return normal_quantile(1 - alpha / 2) + normal_quantile(power);
}
}  // namespace

namespace {
/// Beyond, the power is 1 to every digit unless hardly anything is left inside the groups, and the
/// series would take long.
constexpr double kNcpMax = 1e7;
}  // namespace

double anova_power(double f, double n, double groups, double alpha) {
    if (!(groups > 1) || !(n > groups) || !(alpha > 0 && alpha < 1)) {
        return kNaN;
    }
    if (f * f * n > kNcpMax) {
        return n - groups >= 10 ? 1 : kNaN;
    }
    const double critical = f_quantile(1 - alpha, groups - 1, n - groups);
    return noncentral_f_upper(critical, groups - 1, n - groups, f * f * n);
}

double chi_squared_power(double w, double n, double df, double alpha) {
    if (!(n > 0) || !(alpha > 0 && alpha < 1)) {
        return kNaN;
    }
    return noncentral_chi_squared_upper(chi_squared_quantile(1 - alpha, df), df, w * w * n);
}

double correlation_power(double r, double n, double alpha) {
    if (!(std::abs(r) < 1) || !(n > 3) || !(alpha > 0 && alpha < 1)) {
        return kNaN;
    }
    const double shift = std::abs(std::atanh(r)) * std::sqrt(n - 3);
    const double critical = normal_quantile(1 - alpha / 2);
    return normal_upper(critical - shift) + normal_cdf(-critical - shift);
}

double paired_items(double sd_differences, double delta, double alpha, double power) {
    const double ratio = normal_points(alpha, power) * sd_differences / delta;
    return delta != 0 ? ratio * ratio : kNaN;
}

double clusters_for(double sd, double delta, double alpha, double power) {
    // From here on t and normal quantiles ask for the same number, within two.
    constexpr double kClustersForNormal = 1000;
    const double normal = std::ceil(paired_items(sd, delta, alpha, power));
    if (!(normal <= kClustersForNormal)) {
        return normal;
    }
    double clusters = std::max(2.0, normal);
    const auto reached = [&](double g) {
        const double points = t_quantile(1 - alpha / 2, g - 1) + t_quantile(power, g - 1);
        return points * sd / std::sqrt(g) <= std::abs(delta);
    };
    while (!reached(clusters)) {
        ++clusters;
    }
    return clusters;
}

double detectable_effect(double se, double alpha, double power) {
    return normal_points(alpha, power) * se;
}

double unpaired_items_per_arm(double sd, double delta, double alpha, double power) {
    return 2 * paired_items(sd, delta, alpha, power);
}

double paired_binary_sd(double p10, double p01) {
    return std::sqrt(p10 + p01 - (p10 - p01) * (p10 - p01));
}

double items_up(double n) { return std::isfinite(n) ? std::ceil(n) : kNaN; }

}  // namespace lab::science
