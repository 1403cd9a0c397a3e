#pragma once
#include "api/route.h"

namespace lab::api {

/// /prompts, their versions, rendering and validation.
std::vector<Route> prompt_routes(const std::string& cursor_key);

}  // namespace lab::api
