#pragma once
#include "service/request.h"

#include <string>

namespace lab::service {

/// JSON Schema of `config` of an experiment: ids of what it uses, parameters, metrics, and the
/// sections of an experiment file that may be given beside them; or `spec`, a whole experiment
/// file whose rows come from `dataset_ids` or `dataset_refs` and whose models are registered
/// ones: {"id", "model_id", "parameters", ...}.
const Json& experiment_config_schema();

/// A config as an experiment file would say it, and the rows it runs on.
struct CompiledConfig {
    Json source = {};  ///< what domain::parse_spec takes
    std::string dataset_hash;
};

/// Resolves ids against what the caller may see. There is one kind of experiment: what comes out is
/// what a file would hold, and goes the same way from here. Errors: validation, with every problem
/// ("config.model_ids[1]").
Result<CompiledConfig> compile_config(
    const Request& request, const std::string& name, const Json& config
);

}  // namespace lab::service
