#pragma once
#include "api/route.h"

namespace lab::api {

/// `cursor_key` signs cursors; `count` is told how many evaluations were taken in;
/// it may be empty.
std::vector<Route> evaluation_routes(
    const std::string& cursor_key, const std::function<void(std::size_t)>& count
);

}  // namespace lab::api
