#pragma once
#include "service/experiment_config.h"

namespace lab::service {

/// The config of a definition as an experiment: models x dataset x prompt, metrics as scorers.
/// Errors: validation with the members of the definition ("config.metrics[1]").
Result<CompiledConfig> compile_evaluation(
    const Request& request, const std::string& name, const std::string& type, const Json& config
);
/// A refusal of the experiment with the places of the definition.
Error at_definition(Error error, const Json& config);
/// {higher_is_better, weight, threshold} of each metric that the config says something of, by name.
Json known_metrics(const Json& config);

}  // namespace lab::service
