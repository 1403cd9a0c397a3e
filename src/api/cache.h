#pragma once
#include "api/route.h"

#include <functional>

namespace lab::api {

/// What operators do with the cache of this process.
struct CacheControl {
    std::function<bool()> warm;          ///< begins, false: there is too much to do
    std::function<std::size_t()> clear;  ///< gives how many entries there were
};
std::vector<Route> cache_routes(const CacheControl& control);

}  // namespace lab::api
