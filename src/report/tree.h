#pragma once
#include "platform/json/json.h"
#include "report/model.h"

namespace lab::report {

/// Version of the tree's layout: raised when a member changes its meaning or goes away.
inline constexpr int kTreeVersion = 1;

/// The report without its items, as JSON and YAML print it. Everything inside "results" is a
/// function of the outputs alone: no run, time, attempt, latency, cost or cache flag is in there,
/// so that two runs with the same outputs have equal results. NaN stays NaN and is printed as null.
Json report_tree(const Report& report);

}  // namespace lab::report
