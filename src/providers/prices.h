#pragma once
#include "domain/spec.h"

#include <optional>
#include <string>

namespace lab::providers {

/// The version of the built-in price table, recorded in every manifest.
extern const std::string_view kPriceTableVersion;

/// The spec's own pricing, else the table's by provider and model name (longest matching prefix of
/// dated names: "gpt-4o-2024-08-06" finds "gpt-4o"); nullopt = unknown, cost n/a.
/// Replayed models cost nothing.
std::optional<domain::Pricing> find_pricing(const domain::ModelSpec& model);

}  // namespace lab::providers
