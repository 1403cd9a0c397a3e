#pragma once
#include "domain/impl/spec_node.h"

namespace lab::domain {

/// Prompts may be left out when every model is a replay.
void check_prompts_given(
    const SpecNode& root, const ExperimentSpec& spec, std::vector<Detail>& problems
);

/// What else the schema cannot say: names that must exist or differ, values that exclude each
/// other, secrets where none belong. `root` is the source, for what must have been given or not.
void check_spec(const SpecNode& root, const ExperimentSpec& spec, std::vector<Detail>& problems);

}  // namespace lab::domain
