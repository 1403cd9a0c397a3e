#pragma once
#include "domain/run.h"
#include "platform/json/json.h"

#include <string>
#include <string_view>

/// How the API names what becomes of a run.
namespace lab::service {

/// pending, queued, running, completed, failed, cancelled, timed_out: what waits to go on is
/// queued, and a run without money has failed.
std::string_view shown_state(const domain::Run& run);
bool is_terminal(domain::RunState state);

}  // namespace lab::service
