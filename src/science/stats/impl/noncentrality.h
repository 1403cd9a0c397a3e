#pragma once
#include "science/stats/intervals.h"

#include <functional>

namespace lab::science {

/// The noncentralities at which an observed statistic lies just at either end: `upper(ncp)` is
/// P(statistic > observed), increasing in ncp. 0 where even ncp = 0 lies beyond; NaN when nothing
/// below 2^24 does.
Interval noncentrality_interval(const std::function<double(double)>& upper, double confidence);

}  // namespace lab::science
