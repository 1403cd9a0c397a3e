#pragma once
#include "api/cache.h"
#include "api/health.h"
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/analytics.h"
#include "service/identity.h"
#include "service/maintenance.h"
#include "service/oidc.h"
#include "service/run_queue.h"

namespace lab::api {

/// What handlers reach beside the request; all outlives the routes.
struct RouteDeps {
    service::Identity& identity;
    service::RunControl& control;
    service::RunEvents& events;
    HealthBoard& board;
    service::MaintenanceFlag& maintenance;
    std::function<std::string()> metrics_text;
    /// The OpenAPI document, which is made from the routes and so comes after them.
    std::function<const std::string&()> document;
    std::function<void(std::size_t)> count_evaluations;  ///< those taken in; may be empty
    const SigningKeys& signing;                          ///< of cursors and addresses
    std::string public_url = {
    };  ///< of addresses that are given out; empty = as the request has it
    std::chrono::seconds link_life{3600};  ///< of signed addresses
    service::OidcLogin* oidc = nullptr;    ///< nullptr: no identity provider is configured
    CacheControl cache = {};
    service::FactCopy* facts = nullptr;  ///< nullptr: figures come from the store
};

/// Every route of the service: the one table.
std::vector<Route> all_routes(const RouteDeps& deps);

}  // namespace lab::api
