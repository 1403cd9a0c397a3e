#include "science/stats/descriptive.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lab::science {

void Sum::add(double x) {
    const double total = sum_ + x;
    if (std::abs(sum_) >= std::abs(x)) {
        lost_ += (sum_ - total) + x;
    } else {
        lost_ += (x - total) + sum_;
    }
    sum_ = total;
}

double Sum::value() const {
    // inf - inf makes the compensation NaN where the sum itself is a plain infinity.
    return std::isfinite(sum_) ? sum_ + lost_ : sum_;
}

double sum(std::span<const double> values) {
    Sum total;
    for (const double x : values) {
        total.add(x);
    }
    return total.value();
}

double mean(std::span<const double> values) {
    return values.empty() ? kNaN : sum(values) / static_cast<double>(values.size());
}

bool all_equal(std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [&](double x) { return x == values.front(); });
}

namespace {
double central_moment_sum(std::span<const double> values, int power) {
    const double center = mean(values);
    Sum total;
    for (const double x : values) {
        const double d = x - center;
        total.add(power == 2 ? d * d : d * d * d);
    }
    return total.value();
}

/// Interpolates at the 1-based position h of the sorted values.
double at_position(std::span<const double> sorted, double h) {
    const auto n = static_cast<double>(sorted.size());
    h = std::clamp(h, 1.0, n);
    const double low = std::floor(h);
    const auto i = static_cast<std::size_t>(low) - 1;
    const double weight = h - low;
    if (weight == 0) {
        return sorted[i];
    }
    return sorted[i] + weight * (sorted[i + 1] - sorted[i]);
}

std::vector<double> sorted_copy(std::span<const double> values) {
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}
}  // namespace

double standard_deviation(std::span<const double> values) {
    if (values.size() < 2) {
        return kNaN;
    }
    if (all_equal(values)) {
        return 0;
    }
    return std::sqrt(central_moment_sum(values, 2) / static_cast<double>(values.size() - 1));
}

double standard_error(std::span<const double> values) {
    return standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
}

std::vector<double> present_values(std::span<const double> values) {
    std::vector<double> present;
    present.reserve(values.size());
    std::copy_if(values.begin(), values.end(), std::back_inserter(present), [](double x) {
        return !std::isnan(x);
    });
    return present;
}

double quantile_sorted(std::span<const double> sorted, double q, QuantileType type) {
    if (sorted.empty() || !(q >= 0 && q <= 1)) {
        return kNaN;
    }
    const auto n = static_cast<double>(sorted.size());
    switch (type) {
        case QuantileType::nearest_rank: {
            // n * q that should be whole may come out a rounding error above it.
            const double position = n * q;
            const double rank = std::ceil(position - position * 1e-15 * 4);
            return at_position(sorted, rank);
        }
        case QuantileType::hazen:
            return at_position(sorted, n * q + 0.5);
        case QuantileType::linear:
            return at_position(sorted, (n - 1) * q + 1);
        case QuantileType::median_unbiased:
            return at_position(sorted, (n + 1.0 / 3) * q + 1.0 / 3);
    }
    return kNaN;
}

double quantile(std::span<const double> values, double q, QuantileType type) {
    return quantile_sorted(sorted_copy(values), q, type);
}

double median(std::span<const double> values) {
    if (values.empty()) {
        return kNaN;
    }
    std::vector<double> copy(values.begin(), values.end());
    const auto middle = copy.begin() + static_cast<std::ptrdiff_t>(copy.size() / 2);
    std::nth_element(copy.begin(), middle, copy.end());
    if (copy.size() % 2 == 1) {
        return *middle;
    }
    const double below = *std::max_element(copy.begin(), middle);
    return below + (*middle - below) / 2;
}

double skewness(std::span<const double> values) {
    if (values.size() < 3 || all_equal(values)) {
        return kNaN;
    }
    const auto n = static_cast<double>(values.size());
    const double m2 = central_moment_sum(values, 2) / n;
    const double m3 = central_moment_sum(values, 3) / n;
    return m3 / std::pow(m2, 1.5);
}

double trimmed_mean(std::span<const double> values, double cut) {
    if (values.empty() || !(cut >= 0 && cut < 0.5)) {
        return kNaN;
    }
    const std::vector<double> sorted = sorted_copy(values);
    const auto k = static_cast<std::size_t>(cut * static_cast<double>(sorted.size()));
    return mean(std::span(sorted).subspan(k, sorted.size() - 2 * k));
}

double geometric_mean(std::span<const double> values) {
    Sum logs;
    for (const double x : values) {
        if (!(x > 0)) {
            return kNaN;
        }
        logs.add(std::log(x));
    }
    return values.empty() ? kNaN : std::exp(logs.value() / static_cast<double>(values.size()));
}

double median_absolute_deviation(std::span<const double> values) {
    const double center = median(values);
    std::vector<double> deviations;
    deviations.reserve(values.size());
    for (const double x : values) {
        deviations.push_back(std::abs(x - center));
    }
    return median(deviations);
}

double interquartile_range(std::span<const double> values) {
    const std::vector<double> sorted = sorted_copy(values);
    return quantile_sorted(sorted, 0.75) - quantile_sorted(sorted, 0.25);
}

double correlation(std::span<const double> a, std::span<const double> b) {
    LAB_ASSERT(a.size() == b.size(), "correlation needs pairs");
    if (a.size() < 2 || all_equal(a) || all_equal(b)) {
        return kNaN;
    }
    const double mean_a = mean(a);
    const double mean_b = mean(b);
    Sum ab;
    Sum aa;
    Sum bb;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double da = a[i] - mean_a;
        const double db = b[i] - mean_b;
        ab.add(da * db);
        aa.add(da * da);
        bb.add(db * db);
    }
    const double r = ab.value() / (std::sqrt(aa.value()) * std::sqrt(bb.value()));
    return std::isnan(r) ? r : std::clamp(r, -1.0, 1.0);
}

VarianceParts variance_parts(
    std::span<const double> means, std::span<const double> inside, std::span<const int> answered
) {
    VarianceParts out;
    std::vector<double> spreads;
    std::vector<double> present;
    std::vector<double> shares;  // 1/r
    for (std::size_t i = 0; i < means.size(); ++i) {
        if (std::isnan(means[i]) || answered[i] < 1) {
            continue;
        }
        present.push_back(means[i]);
        shares.push_back(1.0 / answered[i]);
        if (!std::isnan(inside[i])) {
            spreads.push_back(inside[i]);
        }
    }
    if (present.size() < 2 || spreads.empty()) {
        return out;
    }
    out.inside = mean(spreads);
    const double sd = standard_deviation(present);
    out.items = std::max(0.0, sd * sd - out.inside * mean(shares));
    return out;
}

Ranks midranks(std::span<const double> values, double slack) {
    const std::size_t n = values.size();
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return values[i] < values[j];
    });
    Ranks out;
    out.ranks.resize(n);
    for (std::size_t first = 0; first < n;) {
        std::size_t last = first + 1;
        while (last < n && values[order[last]] - values[order[last - 1]] <= slack) {
            ++last;
        }
        const auto tied = static_cast<double>(last - first);
        const double rank = (static_cast<double>(first + 1) + static_cast<double>(last)) / 2;
        for (std::size_t k = first; k < last; ++k) {
            out.ranks[order[k]] = rank;
        }
        out.tie_term += tied * tied * tied - tied;
        out.has_ties = out.has_ties || last - first > 1;
        first = last;
    }
    return out;
}

}  // namespace lab::science
