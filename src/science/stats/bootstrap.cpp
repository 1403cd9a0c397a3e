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

}  // namespace lab::science
