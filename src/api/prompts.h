#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

namespace lab::api {

/// /prompts, their versions, rendering and validation.
std::vector<Route> prompt_routes(const SigningKeys& signing);

}  // namespace lab::api
