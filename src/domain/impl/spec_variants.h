#pragma once
#include "domain/impl/spec_node.h"

namespace lab::domain {

/// Resolves `variants` of the source against spec.models and spec.prompts into spec.variants.
void resolve_variants(const SpecNode& source, ExperimentSpec& spec, std::vector<Detail>& problems);

/// "unknown model \"gpt4\", did you mean \"gpt-4\"?"
std::string unknown_name(
    std::string_view what, const std::string& name, const std::vector<std::string>& known
);

}  // namespace lab::domain
