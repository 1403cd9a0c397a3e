#pragma once
#include "cli/cli.h"

namespace lab::app {

/// Takes a store to another place: from one kind of database to the other, into a file, out of one.
/// Errors: validation (an address that is none, the wrong kind of store), conflict (the target is
/// not empty, or somebody uses it), io, those of databases.
Result<cli::Moved> move_store(
    const Settings& settings, const EnvLookup& environment, const cli::MoveRequest& request
);

}  // namespace lab::app
