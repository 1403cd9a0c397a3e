#pragma once
#include "api/route.h"
#include "service/identity.h"

namespace lab::api {

/// Users, API keys and the audit log, for administrators. `identity` outlives them.
std::vector<Route> user_routes(service::Identity& identity, const std::string& cursor_key);

}  // namespace lab::api
