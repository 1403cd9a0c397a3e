#include "science/stats/bayes.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace lab::science {
namespace {

/// P(X > Y) of X ~ Beta(a1, b1), Y ~ Beta(a2, b2) with whole parameters: the sum over i < a1 of
/// B(a2 + i, b1 + b2) / ((b1 + i) B(1 + i, b1) B(a2, b2)) (Miller 2014), each term from the last.
double probability_greater(double a1, double b1, double a2, double b2) {
    double log_term = log_beta(a2, b1 + b2) - log_beta(a2, b2);
    // Terms are carried relative to the largest so far: the first may be below every double.
    double top = log_term;
    Sum scaled;
    double carried = 0;
    for (double i = 0; i < a1; ++i) {
        if (log_term > top + 200) {
            carried = (carried + scaled.value()) * std::exp(top - log_term);
            scaled = Sum();
            top = log_term;
        }
        scaled.add(std::exp(log_term - top));
        log_term += std::log((a2 + i) / (a2 + b1 + b2 + i)) + std::log((b1 + i) / (i + 1));
    }
    return std::clamp((carried + scaled.value()) * std::exp(top), 0.0, 1.0);
}

/// The distribution of X - Y by Gauss and Legendre over the range of Y that matters.
class Difference {
  public:
    Difference(double a1, double b1, double a2, double b2)
        : a1_(a1),
          b1_(b1),
          a2_(a2),
          b2_(b2),
          log_scale_(log_beta(a2, b2)),
          low_(beta_quantile(1e-17, a2, b2)),
          high_(1 - beta_quantile(1e-17, b2, a2)) {}
    double cdf(double d) const {
        // X - y is at most d for sure where y + d >= 1, and for sure not where y + d <= 0: between
        // them everything is smooth.
        const double left = std::max(low_, -d);
        const double right = std::min(high_, 1 - d);
        Sum out;
        out.add(d > 0 ? beta_cdf(d, b2_, a2_) : 0);
        constexpr int kPanels = 64;
        const double width = (right - left) / kPanels;
        for (int panel = 0; panel < kPanels && right > left; ++panel) {
            const double middle = left + width * (panel + 0.5);
            for (const auto& [node, weight] : kNodes) {
                const double reach = node * width / 2;
                out.add(weight * width / 2 * (at(middle - reach, d) + at(middle + reach, d)));
            }
        }
        return out.value();
    }
    double quantile(double p) const {
        double low = -1;
        double high = 1;
        for (int i = 0; i < 60 && high - low > 1e-14; ++i) {
            const double middle = low + (high - low) / 2;
            (cdf(middle) >= p ? high : low) = middle;
        }
        return low + (high - low) / 2;
    }

  private:
    struct Node {
        double place;
        double weight;
    };
    /// Of eight points, the positive half.
    static constexpr Node kNodes[] = {
        {0.18343464249564980494, 0.36268378337836198297},
        {0.52553240991632898582, 0.31370664587788728734},
        {0.79666647741362673959, 0.22238103445337447054},
        {0.96028985649753623168, 0.10122853629037625915},
    };
    /// Density of Y at y, times P(X <= y + d).
    double at(double y, double d) const {
        const double log_density =
            (a2_ - 1) * std::log(y) + (b2_ - 1) * std::log1p(-y) - log_scale_;
        return std::exp(log_density) * beta_cdf(y + d, a1_, b1_);
    }
    double a1_;
    double b1_;
    double a2_;
    double b2_;
    double log_scale_;
    double low_;
    double high_;
};

}  // namespace

double log_bayes_factor_t(double t, double effective_n, double df, double r) {
    if (!std::isfinite(t) || !(effective_n > 0) || !(df > 0) || !(r > 0)) {
        return kNaN;
    }
    const double scale = effective_n * r * r;
    // With g = e^u the integrand is smooth over the whole line and falls off at both ends (as
    // e^-u above, faster below), where the trapezoid rule is exact to rounding.
    const auto log_integrand = [&](double u) {
        const double g = std::exp(u);
        const double grown = 1 + scale * g;
        return -0.5 * std::log(grown) - (df + 1) / 2 * std::log1p(t * t / (grown * df)) -
               0.5 * std::log(2 * std::numbers::pi) - 0.5 * u - 1 / (2 * g);
    };
    constexpr double kLow = -8;
    constexpr double kHigh = 60;
    constexpr double kStep = 1.0 / 32;
    constexpr auto kSteps = static_cast<int>((kHigh - kLow) / kStep);
    std::vector<double> logs;
    logs.reserve(kSteps + 1);
    for (int i = 0; i <= kSteps; ++i) {
        logs.push_back(log_integrand(kLow + kStep * i));
    }
    const double top = *std::ranges::max_element(logs);
    Sum total;
    for (const double one : logs) {
        total.add(std::exp(one - top));
    }
    return top + std::log(total.value() * kStep) + (df + 1) / 2 * std::log1p(t * t / df);
}

ProportionsBayes compare_proportions(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
) {
    const auto a1 = static_cast<double>(hits_a + 1);
    const auto b1 = static_cast<double>(misses_a + 1);
    const auto a2 = static_cast<double>(hits_b + 1);
    const auto b2 = static_cast<double>(misses_b + 1);
    ProportionsBayes out;
    out.log_bayes_factor = log_beta(a1, b1) + log_beta(a2, b2) - log_beta(a1 + a2 - 1, b1 + b2 - 1);
    out.probability_greater = probability_greater(a1, b1, a2, b2);
    out.mean_difference = a1 / (a1 + b1) - a2 / (a2 + b2);
    const Difference difference(a1, b1, a2, b2);
    const double tail = (1 - confidence) / 2;
    out.credible = {difference.quantile(tail), difference.quantile(1 - tail)};
    return out;
}

}  // namespace lab::science
