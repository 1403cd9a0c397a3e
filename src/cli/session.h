#pragma once
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/credentials.h"

namespace lab::cli {

/// How this invocation asks: retries and timeout of the settings, and who asks, from --api-key or
/// the environment, else from what `auth login` stored for this server and profile; access tokens
/// are renewed before they end and when they are refused. In this process nobody has to say who
/// they are.
Result<ApiClientOptions> client_options(const Invocation& in, Transport& transport);

/// Beside the configuration file. Errors: validation (there is no place for it).
Result<CredentialStore> credential_store(const Invocation& in);

/// Puts the answer of a login or a refresh into a credential; `now` in Unix seconds.
void take_tokens(const Json& tokens, std::int64_t now, Credential& credential);
std::int64_t unix_now();

}  // namespace lab::cli
