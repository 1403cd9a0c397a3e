#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

namespace lab::api {

/// `signing` is for cursors; `count` is told how many evaluations were taken in;
/// it may be empty.
std::vector<Route> evaluation_routes(
    const SigningKeys& signing, const std::function<void(std::size_t)>& count
);

}  // namespace lab::api
