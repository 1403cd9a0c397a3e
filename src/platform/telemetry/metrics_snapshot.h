#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lab {

/// One series at one moment.
struct MetricPoint {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;                    ///< of a counter or a gauge
    double sum = 0;                      ///< of a histogram: all that was observed
    std::uint64_t count = 0;             ///< and how often
    std::vector<std::uint64_t> buckets;  ///< each for itself; one more than bounds, up to infinity
};

/// A family that has any series.
struct MetricShown {
    enum class Kind : std::uint8_t { counter, gauge, histogram };
    std::string name;
    std::string help;
    Kind kind = Kind::counter;
    std::vector<double> bounds;  ///< of a histogram, ascending, without infinity
    std::vector<MetricPoint> points;
};

using MetricsSnapshot = std::vector<MetricShown>;

}  // namespace lab
