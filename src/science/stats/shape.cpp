#include "science/stats/shape.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace lab::science {
namespace {

double polynomial(std::initializer_list<double> ascending, double x) {
    double out = 0;
    for (auto c = std::rbegin(ascending); c != std::rend(ascending); ++c) {
        out = out * x + *c;
    }
    return out;
}

/// Weights of the sorted values, the lower half; the upper half has them with the other sign.
std::vector<double> shapiro_weights(std::size_t count) {
    const auto n = static_cast<double>(count);
    std::vector<double> weights(count / 2);
    if (count == 3) {
        weights[0] = -std::sqrt(0.5);
        return weights;
    }
    Sum squares;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] = normal_quantile((static_cast<double>(i) + 1 - 0.375) / (n + 0.25));
        squares.add(2 * weights[i] * weights[i]);
    }
    const double length = std::sqrt(squares.value());
    const double r = 1 / std::sqrt(n);
    const double first =
        polynomial({0, .221157, -.147981, -2.07119, 4.434685, -2.706056}, r) - weights[0] / length;
    double left = squares.value() - 2 * weights[0] * weights[0];
    double share = 1 - 2 * first * first;
    std::size_t rest = 1;
    if (count > 5) {
        const double second =
            polynomial({0, .042981, -.293762, -1.752461, 5.682633, -3.582633}, r) -
            weights[1] / length;
        left -= 2 * weights[1] * weights[1];
        share -= 2 * second * second;
        weights[1] = -second;
        rest = 2;
    }
    weights[0] = -first;
    const double factor = std::sqrt(left / share);
    for (std::size_t i = rest; i < weights.size(); ++i) {
        weights[i] /= factor;
    }
    return weights;
}

double shapiro_p(double w, std::size_t count) {
    const auto n = static_cast<double>(count);
    if (count == 3) {
        return std::max(
            0.0, 6 / std::numbers::pi * (std::asin(std::sqrt(w)) - std::numbers::pi / 3)
        );
    }
    double y = std::log(1 - w);
    if (count <= 11) {
        const double gamma = polynomial({-2.273, .459}, n);
        if (y >= gamma) {
            return 0;
        }
        y = -std::log(gamma - y);
        const double m = polynomial({.544, -.39978, .025054, -6.714e-4}, n);
        const double s = std::exp(polynomial({1.3822, -.77857, .062767, -.0020322}, n));
        return normal_upper((y - m) / s);
    }
    const double x = std::log(n);
    const double m = polynomial({-1.5861, -.31082, -.083751, .0038915}, x);
    const double s = std::exp(polynomial({-.4803, -.082676, .0030302}, x));
    return normal_upper((y - m) / s);
}

/// Standard normal under normality (D'Agostino 1970).
double skewness_z(double g1, double n) {
    const double y = g1 * std::sqrt((n + 1) * (n + 3) / (6 * (n - 2)));
    const double beta =
        3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9));
    const double w2 = std::sqrt(2 * (beta - 1)) - 1;
    const double alpha = std::sqrt(2 / (w2 - 1));
    return std::asinh(y / alpha) / std::sqrt(0.5 * std::log(w2));
}

/// Standard normal under normality (Anscombe and Glynn 1983).
double kurtosis_z(double g2, double n) {
    const double expected = 3 * (n - 1) / (n + 1);
    const double variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) * (n + 1) * (n + 3) * (n + 5));
    const double x = (g2 + 3 - expected) / std::sqrt(variance);
    const double beta = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) *
                        std::sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)));
    const double a = 6 + 8 / beta * (2 / beta + std::sqrt(1 + 4 / (beta * beta)));
    const double below = 1 + x * std::sqrt(2 / (a - 4));
    const double root = std::copysign(std::cbrt((1 - 2 / a) / std::abs(below)), below);
    return (1 - 2 / (9 * a) - root) / std::sqrt(2 / (9 * a));
}

}  // namespace

double sample_skewness(std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    return skewness(values) * std::sqrt(n * (n - 1)) / (n - 2);
}

double excess_kurtosis(std::span<const double> values) {
    if (values.size() < 4 || all_equal(values)) {
        return kNaN;
    }
    const double center = mean(values);
    Sum second;
    Sum fourth;
    for (const double x : values) {
        const double square = (x - center) * (x - center);
        second.add(square);
        fourth.add(square * square);
    }
    const auto n = static_cast<double>(values.size());
    return n * fourth.value() / (second.value() * second.value()) - 3;
}

double sample_kurtosis(std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess_kurtosis(values) + 6);
}

Normality shapiro_wilk(std::span<const double> values) {
    if (values.size() < 3 || values.size() > kShapiroWilkMax || all_equal(values)) {
        return {};
    }
    std::vector<double> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    const std::vector<double> weights = shapiro_weights(sorted.size());
    Sum lengths;
    for (const double a : weights) {
        lengths.add(2 * a * a);
    }
    const double scale = std::sqrt(lengths.value());
    const double center = mean(sorted);
    double norm = 0;
    {
        Sum squares;
        for (const double x : sorted) {
            squares.add((x - center) * (x - center));
        }
        norm = std::sqrt(squares.value());
    }
    // W = 1 - |x/|x| - a/|a||^2 (1 + cos) / 2: near 1 nothing cancels.
    Sum distance;
    const std::size_t n = sorted.size();
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t from_end = n - 1 - i;
        double a = 0;
        if (i < weights.size()) {
            a = weights[i];
        } else if (from_end < weights.size()) {
            a = -weights[from_end];
        }
        const double e = (sorted[i] - center) / norm - a / scale;
        distance.add(e * e);
    }
    const double half = distance.value() / 2;  // 1 - cos
    const double w = 1 - half * (2 - half);
    return {w, shapiro_p(w, n)};
}

Normality dagostino_k2(std::span<const double> values) {
    if (values.size() < 20 || all_equal(values)) {
        return {};
    }
    const auto n = static_cast<double>(values.size());
    const double zs = skewness_z(skewness(values), n);
    const double zk = kurtosis_z(excess_kurtosis(values), n);
    const double k2 = zs * zs + zk * zk;
    return {k2, chi_squared_upper(k2, 2)};
}

}  // namespace lab::science
