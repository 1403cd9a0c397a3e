#include "science/stats/impl/noncentrality.h"

#include "science/stats/descriptive.h"

namespace lab::science {
namespace {

/// The series behind the distributions takes some sqrt(ncp) terms: beyond, an answer would take
/// seconds, and effects are so close to their end that nobody asks for digits.
constexpr int kDoublingsMax = 24;

double solve(const std::function<double(double)>& upper, double goal) {
    if (upper(0) >= goal) {
        return 0;
    }
    double low = 0;
    double high = 1;
    for (int i = 0; !(upper(high) >= goal); ++i) {
        if (i == kDoublingsMax) {
            return kNaN;
        }
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
        const double middle = low + (high - low) / 2;
        (upper(middle) >= goal ? high : low) = middle;
    }
    return low + (high - low) / 2;
}

}  // namespace

Interval noncentrality_interval(const std::function<double(double)>& upper, double confidence) {
    const double tail = (1 - confidence) / 2;
    return {solve(upper, tail), solve(upper, 1 - tail)};
}

}  // namespace lab::science
