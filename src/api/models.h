#pragma once
#include "api/route.h"

namespace lab::api {

/// /models and /models/providers.
std::vector<Route> model_routes(const std::string& cursor_key);

}  // namespace lab::api
