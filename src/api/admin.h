#pragma once
#include "api/route.h"

namespace lab::api {

/// What operators do: circuit breakers.
std::vector<Route> admin_routes();

}  // namespace lab::api
