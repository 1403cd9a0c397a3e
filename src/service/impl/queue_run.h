#pragma once
#include "domain/run.h"
#include "service/experiment_config.h"
#include "storage/store/resources.h"

namespace lab::service {

/// Checks a compiled config whole and queues a run of it in the experiment. `body`: what is kept
/// with the run. Errors: validation with every problem.
Result<domain::Run> queue_compiled(
    const Request& request,
    const storage::Resource& experiment,
    const CompiledConfig& compiled,
    const Json& body
);

/// The run of a definition. Errors: not_found, invalid_state (no definition), forbidden.
Result<domain::Run> need_evaluation_run(
    const Request& request, const std::string& id, const std::string& run, domain::Deed deed
);

}  // namespace lab::service
