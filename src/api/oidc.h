#pragma once
#include "api/route.h"
#include "service/oidc.h"

namespace lab::api {

/// Login at an identity provider. `oidc` outlives them; nullptr: none is configured, and the routes
/// say so.
std::vector<Route> oidc_routes(service::OidcLogin* oidc);

}  // namespace lab::api
