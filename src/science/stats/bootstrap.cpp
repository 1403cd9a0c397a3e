#include "science/stats/bootstrap.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lab::science {
namespace {
/// Skewness of the jackknife as BCa wants it; NaN when it does not vary.
double acceleration_of(std::span<const double> jackknife) {
    if (jackknife.size() < 2 || all_equal(jackknife)) {
        return kNaN;
    }
    const double center = mean(jackknife);
    Sum cubes;
    Sum squares;
    for (const double x : jackknife) {
        const double u = center - x;
        squares.add(u * u);
        cubes.add(u * u * u);
    }
    return cubes.value() / (6 * std::pow(squares.value(), 1.5));
}

/// Phi^-1 of the share of replicates below the estimate, ties counted half.
double bias_correction(std::span<const double> replicates, double estimate) {
    double half_counts = 0;
    for (const double x : replicates) {
        half_counts += (x < estimate ? 1 : 0) + (x <= estimate ? 1 : 0);
    }
    return normal_quantile(half_counts / (2 * static_cast<double>(replicates.size())));
}
}  // namespace

BootstrapIntervals bootstrap_intervals(
    std::span<const double> replicates,
    double estimate,
    std::span<const double> jackknife,
    double confidence
) {
    BootstrapIntervals out;
    const bool usable =
        !replicates.empty() && !std::isnan(estimate) &&
        std::none_of(replicates.begin(), replicates.end(), [](double x) { return std::isnan(x); });
    if (!usable) {
        return out;
    }
    std::vector<double> sorted(replicates.begin(), replicates.end());
    std::sort(sorted.begin(), sorted.end());
    const double tail = (1 - confidence) / 2;
    out.se = standard_deviation(replicates);
    out.percentile = {quantile_sorted(sorted, tail), quantile_sorted(sorted, 1 - tail)};
    out.basic = {2 * estimate - out.percentile.hi, 2 * estimate - out.percentile.lo};
    out.z0 = bias_correction(replicates, estimate);
    out.acceleration = acceleration_of(jackknife);
    if (std::isfinite(out.z0) && std::isfinite(out.acceleration)) {
        const auto level = [&](double z) {
            const double shifted = out.z0 + z;
            return normal_cdf(out.z0 + shifted / (1 - out.acceleration * shifted));
        };
        out.bca = {
            quantile_sorted(sorted, level(normal_quantile(tail))),
            quantile_sorted(sorted, level(normal_quantile(1 - tail)))
        };
    }
    return out;
}

void bootstrap_sums(
    const ResampleTable& table,
    int replicates,
    Rng& rng,
    const std::function<void(int replicate, std::span<const double> sums)>& take
) {
    if (table.units == 0) {
        return;
    }
    const std::size_t columns = table.columns;
    std::vector<std::uint32_t> draws(table.units);
    std::vector<double> sums(columns);
    double* const total = sums.data();
    for (int replicate = 0; replicate < replicates; ++replicate) {
        std::fill(draws.begin(), draws.end(), 0);
        for (std::size_t i = 0; i < table.units; ++i) {
            ++draws[rng.below(table.units)];
        }
        std::fill(sums.begin(), sums.end(), 0.0);
        // Counting first and adding each row once, in row order, reads the table front to back.
        const double* row = table.values.data();
        for (std::size_t unit = 0; unit < table.units; ++unit, row += columns) {
            if (draws[unit] == 0) {
                continue;
            }
            const auto weight = static_cast<double>(draws[unit]);
            for (std::size_t c = 0; c < columns; ++c) {
                total[c] += weight * row[c];
            }
        }
        take(replicate, sums);
    }
}

double bootstrap_p(std::span<const double> replicates, double observed) {
    const double center = mean(replicates);
    if (std::isnan(center) || std::isnan(observed)) {
        return kNaN;
    }
    // A replicate that ties with the observed difference up to rounding counts against it.
    const double bar = std::abs(observed) * (1 - 1e-12);
    std::size_t extreme = 0;
    for (const double x : replicates) {
        extreme += std::abs(x - center) >= bar ? 1 : 0;
    }
    return static_cast<double>(extreme + 1) / static_cast<double>(replicates.size() + 1);
}

namespace {

/// Means of draws with replacement; an empty sample has none.
std::vector<double> drawn_means(std::span<const double> values, int replicates, Rng& rng) {
    std::vector<double> out(static_cast<std::size_t>(replicates), 0);
    ResampleTable table{values.size(), 1, {values.begin(), values.end()}};
    bootstrap_sums(table, replicates, rng, [&](int replicate, std::span<const double> sums) {
        out[static_cast<std::size_t>(replicate)] = sums[0] / static_cast<double>(values.size());
    });
    return out;
}

/// What each value contributes, x - mean, over the size of its sample: with these as "jackknife"
/// the acceleration is that of several samples (Efron and Tibshirani 1993, exercise 14.11).
void contributions(std::span<const double> values, double sign, std::vector<double>& out) {
    const double center = mean(values);
    for (const double x : values) {
        out.push_back(-sign * (x - center) / static_cast<double>(values.size()));
    }
}

}  // namespace

BootstrapDifference bootstrap_difference(
    std::span<const double> a,
    std::span<const double> b,
    int replicates,
    std::uint64_t seed,
    double confidence
) {
    BootstrapDifference out;
    if (a.size() < 2 || b.size() == 1) {
        return out;
    }
    const double mean_a = mean(a);
    const double mean_b = b.empty() ? 0 : mean(b);
    out.difference = mean_a - mean_b;
    Rng rng_a(derive_seed(seed, "bootstrap a"));
    Rng rng_b(derive_seed(seed, "bootstrap b"));
    std::vector<double> drawn = drawn_means(a, replicates, rng_a);
    if (!b.empty()) {
        const std::vector<double> other = drawn_means(b, replicates, rng_b);
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            drawn[i] -= other[i];
        }
    }
    std::vector<double> jackknife;
    contributions(a, 1, jackknife);
    contributions(b, -1, jackknife);
    out.intervals = bootstrap_intervals(drawn, out.difference, jackknife, confidence);
    out.p = bootstrap_p(drawn, out.difference);
    return out;
}

}  // namespace lab::science
