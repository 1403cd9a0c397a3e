#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/evaluation_runs.h"

namespace lab::api {

/// Running definitions, what comes of it, and comparisons. `control` outlives the routes.
std::vector<Route> evaluation_run_routes(service::RunControl* control, const SigningKeys& signing);

}  // namespace lab::api
