#pragma once
#include "api/route.h"

namespace lab::api {

/// Reports of runs and experiments, and the figures of an experiment.
std::vector<Route> report_routes();

}  // namespace lab::api
