#pragma once
#include "api/route.h"

namespace lab::api {

/// The OpenAPI 3.1 document of these routes. Source: spec.openapis.org/oas/v3.1.0.
Json openapi_document(const std::vector<Route>& routes, std::string_view version);

/// /openapi.json and /docs, a page that shows it; `document` outlives them.
std::vector<Route> documentation_routes(std::function<const std::string&()> document);

}  // namespace lab::api
