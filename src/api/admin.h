#pragma once
#include "api/route.h"
#include "service/maintenance.h"

namespace lab::api {

/// What operators do: circuit breakers, maintenance. `flag` outlives the routes.
std::vector<Route> admin_routes(service::MaintenanceFlag& flag);

}  // namespace lab::api
