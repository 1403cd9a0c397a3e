#pragma once
#include "domain/spec.h"

#include <optional>
#include <string>
#include <string_view>

namespace lab::providers {

/// The version of the built-in price table, recorded in every manifest.
extern const std::string_view kPriceTableVersion;

/// The spec's own pricing, else the table's by provider and model name (a dated name finds its
/// undated one: "gpt-4o-2024-08-06" finds "gpt-4o"); nullopt = unknown, cost n/a. The table holds
/// for the provider's own hosts only: behind another base_url the price is unknown. Replayed models
/// cost nothing.
std::optional<domain::Pricing> find_pricing(const domain::ModelSpec& model);

/// How many tokens the model can write at most in one answer, reasoning included; nullopt =
/// unknown.
std::optional<std::int64_t> find_output_limit(const domain::ModelSpec& model);

}  // namespace lab::providers
