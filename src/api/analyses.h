#pragma once
#include "api/route.h"

namespace lab::api {

/// /api/v1/agents and the same under /research-lab.
std::vector<Route> analysis_routes();

}  // namespace lab::api
