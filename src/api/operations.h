#pragma once
#include "api/route.h"

#include <span>

/// How routes are called and what they answer: what clients are generated from. Names stay as they
/// are once they have been published.
namespace lab::api {

struct Operation {
    std::string_view route;         ///< "GET /models/{id}"
    std::string_view id;            ///< "getModel"
    std::string_view answer;        ///< as Route::answer
    std::string_view example = {};  ///< JSON of a request body
};
std::span<const Operation> operations();

/// Gives each route its operation, and `fields` of lists the names that can be chosen from. A route
/// without an operation is called after its method and path.
void name_routes(std::vector<Route>& routes);

}  // namespace lab::api
