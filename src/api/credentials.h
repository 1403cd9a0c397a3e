#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

namespace lab::api {

/// /admin/credentials: keys of model servers, by name. `signing` is for cursors.
std::vector<Route> credential_routes(const SigningKeys& signing);

}  // namespace lab::api
