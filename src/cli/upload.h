#pragma once
#include "cli/api_client.h"

#include <string>

namespace lab::cli {

/// Sends the rows of a file to a dataset through an address that the API signs; "-" is standard
/// input, which like every pipe is kept in a temporary file first, up to 1 GiB. `announced`:
/// members of that request beside `filename`. Gives the version they became. Errors: not_found (the
/// file), payload_too_large, those of the API.
Result<Json> upload_rows(
    ApiClient& client, const std::string& dataset, const std::string& path, Json announced
);

}  // namespace lab::cli
