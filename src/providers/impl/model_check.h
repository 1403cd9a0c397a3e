#pragma once
#include "providers/factory.h"

#include <optional>
#include <string>

namespace lab::providers {

/// AWS_REGION, else AWS_DEFAULT_REGION; empty when there is none, or what no region is called.
std::string aws_region(const EnvLookup& env);

/// The key in that variable, without space around it; nullopt when it is not set, empty, or holds
/// what no header can carry.
std::optional<std::string> read_key(const EnvLookup& env, const std::string& variable);

}  // namespace lab::providers
