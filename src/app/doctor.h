#pragma once
#include "cli/cli.h"
#include "service/deps.h"

#include <vector>

namespace lab::app {

/// Looks at everything a run needs; changes nothing but creating the home folder.
std::vector<cli::Finding> examine(
    const Settings& settings,
    const EnvLookup& env,
    const std::function<Result<service::Deps*>(const Settings&)>& open
);

}  // namespace lab::app
