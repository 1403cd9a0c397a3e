#pragma once
#include "domain/impl/spec_node.h"
#include "domain/problem_paths.h"

namespace lab::domain {

/// Resolves `variants` of the source against spec.models and spec.prompts into spec.variants.
void resolve_variants(const SpecNode& root, ExperimentSpec& spec, std::vector<Detail>& problems);

/// Whether every model, or prompt, has the name it was given: a mention of one that could not be
/// read would look unknown.
bool models_named(const SpecNode& root, const ProblemPaths& paths);
bool prompts_named(const SpecNode& root, const ProblemPaths& paths);

/// "unknown model \"gpt4\", did you mean \"gpt-4\"?"
std::string unknown_name(
    std::string_view what, const std::string& name, const std::vector<std::string>& known
);

}  // namespace lab::domain
