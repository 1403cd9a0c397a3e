#pragma once
#include "api/route.h"
#include "service/identity.h"

namespace lab::api {

/// Logging in and out, and who one is. `identity` outlives them.
std::vector<Route> auth_routes(service::Identity& identity);

}  // namespace lab::api
