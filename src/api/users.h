#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/identity.h"

namespace lab::api {

/// Users, API keys and the audit log, for administrators. `identity` outlives them.
std::vector<Route> user_routes(service::Identity& identity, const SigningKeys& signing);

}  // namespace lab::api
