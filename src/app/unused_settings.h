#pragma once
#include "base/error.h"
#include "platform/config/server_settings.h"

#include <string>
#include <vector>

namespace lab::app {

/// What was set and has no effect in this release, one sentence each, beginning with the key: a
/// setting that is ignored without a word is found at three in the morning.
std::vector<std::string> unused_settings(const ServerSettings& settings);

/// Errors: validation when something is set that cannot be used and nothing else may take its
/// place: what is no address (REDIS_URL).
Status check_usable(const ServerSettings& settings);

}  // namespace lab::app
