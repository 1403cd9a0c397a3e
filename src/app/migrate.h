#pragma once
#include "cli/cli.h"

namespace lab::app {

/// The schema of the PostgreSQL that the request or DATABASE_URL names; a row for each step: its
/// version, name and state. `info` gives all, the others those they have touched. Errors:
/// validation (no URL), those of storage/store/postgres_schema.h.
Result<std::vector<std::vector<std::string>>> migrate(
    const EnvLookup& environment, const cli::MigrateRequest& request
);

}  // namespace lab::app
