#pragma once
#include "api/route.h"

namespace lab::api {

/// /admin/credentials: keys of model servers, by name. `cursor_key` signs cursors.
std::vector<Route> credential_routes(const std::string& cursor_key);

}  // namespace lab::api
