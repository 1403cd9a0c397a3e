#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

namespace lab::api {

/// /datasets: versions, upload and download. `public_url`: what this service is called from
/// outside ("https://lab.example.org"), for the addresses it gives out; empty = as the request
/// called it. `link_life`: how long those serve.
std::vector<Route> dataset_routes(
    const SigningKeys& signing,
    const std::string& public_url = "",
    std::chrono::seconds link_life = std::chrono::hours(1),
    std::size_t upload_bytes_max = std::size_t{1} << 30U
);

}  // namespace lab::api
