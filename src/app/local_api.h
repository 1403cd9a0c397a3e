#pragma once
#include "cli/transport.h"
#include "platform/config/settings.h"

#include <memory>

namespace lab::app {

/// The API of the store of this home, hosted in this process: the same routes, rules and audit log
/// as `serve` has, without a socket, asked by the one principal that is at home here (Admin of the
/// default organisation). Runs that are started are carried out as long as it lives; what is in
/// flight at its end is finished and the run goes back to the queue.
/// Errors: validation (settings), io (store).
Result<std::unique_ptr<cli::Transport>> make_local_api(
    const Settings& settings, const EnvLookup& env
);

}  // namespace lab::app
