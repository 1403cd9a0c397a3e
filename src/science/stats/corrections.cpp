#include "science/stats/corrections.h"

#include "science/stats/descriptive.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace lab::science {
namespace {
/// Sorts what is not NaN, lets `adjust` work on the ascending p-values, and puts the result back.
std::vector<double> on_sorted(
    std::span<const double> p, const std::function<void(std::vector<double>& ascending)>& adjust
) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < p.size(); ++i) {
        if (!std::isnan(p[i])) {
            order.push_back(i);
        }
    }
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return p[i] != p[j] ? p[i] < p[j] : i < j;
    });
    std::vector<double> ascending;
    for (const std::size_t i : order) {
        ascending.push_back(p[i]);
    }
    adjust(ascending);
    std::vector<double> out(p.size(), kNaN);
    for (std::size_t k = 0; k < order.size(); ++k) {
        out[order[k]] = std::min(1.0, ascending[k]);
    }
    return out;
}

/// factor(rank) * p, made monotone from the largest p down (a step-up method). rank is 1-based.
void step_up(std::vector<double>& p, const std::function<double(double rank)>& factor) {
    double smallest = 1;
    for (std::size_t k = p.size(); k-- > 0;) {
        smallest = std::min(smallest, factor(static_cast<double>(k + 1)) * p[k]);
        p[k] = smallest;
    }
}
}  // namespace

std::vector<double> bonferroni(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        const auto m = static_cast<double>(sorted.size());
        for (double& x : sorted) {
            x *= m;
        }
    });
}

std::vector<double> sidak(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        const auto m = static_cast<double>(sorted.size());
        for (double& x : sorted) {
            x = -std::expm1(m * std::log1p(-x));
        }
    });
}

std::vector<double> holm(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        double largest = 0;
        auto left = static_cast<double>(sorted.size());
        for (double& x : sorted) {
            largest = std::max(largest, left * x);
            x = largest;
            left -= 1;
        }
    });
}

std::vector<double> hochberg(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        const auto m = static_cast<double>(sorted.size());
        step_up(sorted, [m](double rank) { return m - rank + 1; });
    });
}

std::vector<double> hommel(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        // Wright 1992: for each m the Simes bound of the m largest p, and m * p for the others.
        const std::size_t n = sorted.size();
        std::vector<double> best(sorted);
        std::vector<double> bound(n);
        for (std::size_t m = n; m >= 2; --m) {
            const auto size = static_cast<double>(m);
            const std::size_t split = n - m + 1;  // sorted[split..] are the m - 1 largest
            double simes = 1;
            for (std::size_t i = split; i < n; ++i) {
                simes = std::min(simes, size * sorted[i] / static_cast<double>(i - split + 2));
            }
            for (std::size_t i = 0; i < n; ++i) {
                bound[i] = i < split ? std::min(simes, size * sorted[i]) : bound[split - 1];
                best[i] = std::max(best[i], bound[i]);
            }
        }
        sorted = best;
    });
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        const auto m = static_cast<double>(sorted.size());
        step_up(sorted, [m](double rank) { return m / rank; });
    });
}

std::vector<double> benjamini_yekutieli(std::span<const double> p) {
    return on_sorted(p, [](std::vector<double>& sorted) {
        const auto m = static_cast<double>(sorted.size());
        double harmonic = 0;
        for (std::size_t k = 1; k <= sorted.size(); ++k) {
            harmonic += 1 / static_cast<double>(k);
        }
        step_up(sorted, [&](double rank) { return harmonic * m / rank; });
    });
}

}  // namespace lab::science
