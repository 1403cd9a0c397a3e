#pragma once
#include "report/model.h"
#include "science/stats/descriptive.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// Figures that every report has, whoever carried the run out.
namespace lab::service {

/// Quantiles of seconds, in any order.
report::LatencySummary latency_of(const std::vector<float>& seconds);

/// Counts in `bins` equal bins between the least and the largest value, of those that are finite;
/// one bin where all are the same.
template <class T>
report::Histogram histogram(const std::vector<T>& values, std::size_t bins) {
    report::Histogram out;
    std::vector<double> present;
    for (const T value : values) {
        if (std::isfinite(value)) {
            present.push_back(static_cast<double>(value));
        }
    }
    if (present.empty()) {
        return out;
    }
    const auto [lo, hi] = std::ranges::minmax(present);
    out.lo = lo;
    out.hi = hi;
    out.counts.resize(hi > lo ? bins : 1);
    for (const double value : present) {
        const double place = hi > lo ? (value - lo) / (hi - lo) * static_cast<double>(bins) : 0;
        ++out.counts[std::min(static_cast<std::size_t>(place), out.counts.size() - 1)];
    }
    return out;
}

}  // namespace lab::service
