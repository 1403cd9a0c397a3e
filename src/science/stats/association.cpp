#include "science/stats/association.h"

#include "base/error.h"
#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <cmath>

namespace lab::science {
namespace {

Association of(std::span<const double> x, std::span<const double> y) {
    Association out;
    out.n = static_cast<std::int64_t>(x.size());
    if (out.n < 3) {
        return out;
    }
    out.r = correlation(x, y);
    if (1 - std::abs(out.r) < 4 * std::numeric_limits<double>::epsilon()) {
        out.r = std::copysign(1, out.r);  // what rounding took from an exact line
    }
    out.df = static_cast<double>(out.n - 2);
    // (1 - r)(1 + r) keeps the digits that 1 - r^2 loses near 1.
    out.t = out.r * std::sqrt(out.df / ((1 - out.r) * (1 + out.r)));
    out.p = t_two_sided(out.t, out.df);
    return out;
}

Interval fisher(double r, double se, double confidence) {
    const Interval z = normal_interval(std::atanh(r), se, confidence);
    return {std::tanh(z.lo), std::tanh(z.hi)};
}

}  // namespace

Association pearson(std::span<const double> x, std::span<const double> y, double confidence) {
    LAB_ASSERT(x.size() == y.size(), "a correlation needs pairs");
    Association out = of(x, y);
    if (out.n > 3) {
        out.interval = fisher(out.r, 1 / std::sqrt(static_cast<double>(out.n - 3)), confidence);
    }
    return out;
}

Association spearman(std::span<const double> x, std::span<const double> y, double confidence) {
    LAB_ASSERT(x.size() == y.size(), "a correlation needs pairs");
    Association out = of(midranks(x).ranks, midranks(y).ranks);
    if (out.n > 3) {
        const double se = std::sqrt((1 + out.r * out.r / 2) / static_cast<double>(out.n - 3));
        out.interval = fisher(out.r, se, confidence);
    }
    return out;
}

LinearRegression linear_regression(
    std::span<const double> x, std::span<const double> y, double confidence
) {
    LAB_ASSERT(x.size() == y.size(), "a regression needs pairs");
    LinearRegression out;
    out.n = static_cast<std::int64_t>(x.size());
    if (out.n < 3 || all_equal(x)) {
        return out;
    }
    const auto n = static_cast<double>(out.n);
    const double mean_x = mean(x);
    const double mean_y = mean(y);
    Sum xx;
    Sum xy;
    Sum yy;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx.add((x[i] - mean_x) * (x[i] - mean_x));
        xy.add((x[i] - mean_x) * (y[i] - mean_y));
        yy.add((y[i] - mean_y) * (y[i] - mean_y));
    }
    out.slope = xy.value() / xx.value();
    out.intercept = mean_y - out.slope * mean_x;
    Sum residuals;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double e = y[i] - mean_y - out.slope * (x[i] - mean_x);
        residuals.add(e * e);
    }
    out.df = n - 2;
    out.residual_sd = std::sqrt(residuals.value() / out.df);
    out.slope_se = out.residual_sd / std::sqrt(xx.value());
    out.intercept_se = out.residual_sd * std::sqrt(1 / n + mean_x * mean_x / xx.value());
    out.slope_interval = t_interval(out.slope, out.slope_se, out.df, confidence);
    out.intercept_interval = t_interval(out.intercept, out.intercept_se, out.df, confidence);
    if (!all_equal(y)) {
        out.r_squared = 1 - residuals.value() / yy.value();
        out.r_squared_adjusted = 1 - (1 - out.r_squared) * (n - 1) / out.df;
    }
    // What rounding leaves of an exact fit is no residual.
    if (residuals.value() > 1e-28 * yy.value()) {
        out.t = out.slope / out.slope_se;
        out.p = t_two_sided(out.t, out.df);
        out.intercept_p = t_two_sided(out.intercept / out.intercept_se, out.df);
    }
    return out;
}

}  // namespace lab::science
