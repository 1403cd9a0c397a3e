#pragma once
#include "cli/api_client.h"
#include "cli/commands.h"

namespace lab::cli {

/// How this invocation asks: retries and timeout of the settings, and who asks, from --api-key or
/// the environment, else from what `auth login` stored for this server. In this process nobody has
/// to say who they are.
Result<ApiClientOptions> client_options(const Invocation& in, Transport& transport);

}  // namespace lab::cli
