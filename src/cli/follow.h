#pragma once
#include "cli/api_client.h"
#include "cli/commands.h"

#include <optional>

namespace lab::cli {

/// Follows a run to its end over its events, showing progress on err; a lost connection is taken up
/// where it was, for five minutes. nullopt: the user has had enough (Ctrl-C); the run goes on at a
/// server. Gives the run as the API shows it. Errors: those of the API.
Result<std::optional<Json>> follow_run(
    const Invocation& in, ApiClient& client, const std::string& experiment, const std::string& run
);

/// The newest run of an experiment. Errors: not_found, those of the API.
Result<Json> newest_run(ApiClient& client, const std::string& experiment);

}  // namespace lab::cli
