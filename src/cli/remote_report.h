#pragma once
#include "cli/api_client.h"
#include "cli/commands.h"

#include <string>
#include <vector>

namespace lab::cli {

/// Prints the report that `request` (path and query, without a format) names, in the format of
/// --output, and saves it to every path of `paths` and of --save, each in the format of its name. A
/// file that cannot be written keeps neither the others nor the print back. Errors: of the API, io
/// of the last such file.
Status deliver_remote(
    const Invocation& in,
    ApiClient& client,
    const ApiRequest& request,
    const std::vector<std::string>& paths
);

/// Whether the gates of a run with results held. `run_path`: "/experiments/ID/runs/RUN".
Result<bool> remote_gates_passed(ApiClient& client, const std::string& run_path);

}  // namespace lab::cli
