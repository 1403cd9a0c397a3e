#pragma once
#include "api/route.h"

namespace lab::api {

/// /datasets: versions, upload and download. `public_url`: what this service is called from
/// outside ("https://lab.example.org"), for the addresses it gives out; empty = as the request
/// called it.
std::vector<Route> dataset_routes(
    const std::string& cursor_key,
    const std::string& public_url = "",
    std::size_t upload_bytes_max = std::size_t{1} << 30U
);

}  // namespace lab::api
