#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

namespace lab::api {

/// /models and /models/providers.
std::vector<Route> model_routes(const SigningKeys& signing);

}  // namespace lab::api
