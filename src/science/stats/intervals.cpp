#include "science/stats/intervals.h"

#include "base/error.h"
#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace lab::science {
namespace {
double upper_normal_point(double confidence) { return normal_quantile(1 - (1 - confidence) / 2); }

/// A success count that makes sense, as doubles.
struct Counts {
    double k;
    double n;
    bool valid;
};
Counts counts(std::int64_t successes, std::int64_t n) {
    return {
        static_cast<double>(successes),
        static_cast<double>(n),
        n > 0 && successes >= 0 && successes <= n
    };
}
}  // namespace

Interval normal_interval(double estimate, double se, double confidence) {
    const double z = upper_normal_point(confidence);
    return {estimate - z * se, estimate + z * se};
}

Interval t_interval(double estimate, double se, double df, double confidence) {
    const double t = t_quantile(1 - (1 - confidence) / 2, df);
    return {estimate - t * se, estimate + t * se};
}

Interval wilson(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double z = upper_normal_point(confidence);
    const double p = c.k / c.n;
    const double scale = 1 + z * z / c.n;
    const double center = (p + z * z / (2 * c.n)) / scale;
    const double half = z / scale * std::sqrt(p * (1 - p) / c.n + z * z / (4 * c.n * c.n));
    return {
        successes == 0 ? 0 : std::max(0.0, center - half),
        successes == n ? 1 : std::min(1.0, center + half)
    };
}

Interval wilson_corrected(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double z = upper_normal_point(confidence);
    const double p = c.k / c.n;
    const double q = 1 - p;
    const double scale = 2 * (c.n + z * z);
    const double center = 2 * c.n * p + z * z;
    const double low = 1 + z * std::sqrt(z * z - 2 - 1 / c.n + 4 * p * (c.n * q + 1));
    const double high = 1 + z * std::sqrt(z * z + 2 - 1 / c.n + 4 * p * (c.n * q - 1));
    return {
        successes == 0 ? 0 : std::max(0.0, (center - low) / scale),
        successes == n ? 1 : std::min(1.0, (center + high) / scale)
    };
}

Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double tail = (1 - confidence) / 2;
    return {
        successes == 0 ? 0 : beta_quantile(tail, c.k, c.n - c.k + 1),
        successes == n ? 1 : beta_quantile(1 - tail, c.k + 1, c.n - c.k)
    };
}

Interval jeffreys(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double tail = (1 - confidence) / 2;
    return {
        beta_quantile(tail, c.k + 0.5, c.n - c.k + 0.5),
        beta_quantile(1 - tail, c.k + 0.5, c.n - c.k + 0.5)
    };
}

Interval agresti_coull(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double z = upper_normal_point(confidence);
    const double total = c.n + z * z;
    const double p = (c.k + z * z / 2) / total;
    return normal_interval(p, std::sqrt(p * (1 - p) / total), confidence);
}

Interval wald(std::int64_t successes, std::int64_t n, double confidence) {
    const Counts c = counts(successes, n);
    if (!c.valid) {
        return {};
    }
    const double p = c.k / c.n;
    return normal_interval(p, std::sqrt(p * (1 - p) / c.n), confidence);
}

ClusteredSe clustered_se(std::span<const double> values, std::span<const int> clusters) {
    LAB_ASSERT(values.size() == clusters.size(), "every item has a cluster");
    ClusteredSe out;
    out.mean = mean(values);
    out.clt = standard_error(values);
    std::map<int, Sum> sums;
    Sum squares;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double e = values[i] - out.mean;
        sums[clusters[i]].add(e);
        squares.add(e * e);
    }
    out.clusters = static_cast<std::int64_t>(sums.size());
    if (out.clusters < 2) {
        return out;
    }
    const auto n = static_cast<double>(values.size());
    const auto groups = static_cast<double>(out.clusters);
    Sum between;
    for (const auto& [label, total] : sums) {
        between.add(total.value() * total.value());
    }
    if (all_equal(values)) {
        out.cr0 = out.cr1 = out.miller = 0;  // not the rounding errors of the mean
        return out;
    }
    out.cr0 = std::sqrt(between.value()) / n;
    out.cr1 = out.cr0 * std::sqrt(groups / (groups - 1));
    const double cross = between.value() - squares.value();
    out.miller = std::sqrt(out.clt * out.clt + cross / (n * n));
    return out;
}

}  // namespace lab::science
