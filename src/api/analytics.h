#pragma once
#include "api/route.h"
#include "service/analytics.h"

namespace lab::api {

/// Figures over time, models, people and runs. `copy`: nullptr without one; outlives the routes.
std::vector<Route> analytics_routes(service::FactCopy* copy);

}  // namespace lab::api
