#pragma once
#include "service/request.h"

#include <string>
#include <vector>

namespace lab::service {

/// Breakers that an operator forces open for the whole service: they stand in the store, so every
/// process sees them within seconds and they survive restarts. What runs use a forced service go
/// back to the queue and wait; nothing spins.
///
/// Names: "<provider>-api" of every provider, and the engines: s3, clickhouse, redis, secrets.
const std::vector<std::string>& breaker_names();
/// The breaker that stands before a provider of an experiment file: "openai-api".
std::string breaker_of_provider(std::string_view provider);

/// {service, state, forced, opened_by, opened_at}. Errors: not_found for an unknown name, with
/// those that are known.
Result<Json> open_breaker(const Request& request, const std::string& service);
Result<Json> close_breaker(const Request& request, const std::string& service);
/// Every breaker.
Result<Json> breaker_status(const Ctx& ctx, storage::Session& session);
/// Names of those that are forced open.
Result<std::vector<std::string>> forced_breakers(const Ctx& ctx, storage::Session& session);

}  // namespace lab::service
