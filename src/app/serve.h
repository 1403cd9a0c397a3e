#pragma once
#include "cli/cli.h"
#include "platform/config/server_settings.h"
#include "platform/config/settings.h"

namespace lab::app {

/// `llm-research serve`: the service, until SIGTERM or SIGINT. Gives the exit code. What happens is
/// told by the log on standard output, what stops the start by the error.
/// Errors: validation (settings), io (port, store), internal (routes).
Result<int> serve(const Settings& settings, const EnvLookup& env, const cli::ServeOptions& options);

/// Every setting of the server: key, value (of secrets whether there is one), where it comes from.
Result<std::vector<std::vector<std::string>>> show_server_settings(const EnvLookup& env);

/// Who an administrator makes without a server: users, tokens and keys, straight in the store.
Result<Json> administer(
    const Settings& settings, const EnvLookup& env, const cli::AdminRequest& request
);

}  // namespace lab::app
