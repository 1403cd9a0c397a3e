#pragma once
#include "platform/json/json.h"

#include <string_view>
#include <vector>

/// What the service answers, as named JSON Schemas: the components of the OpenAPI document. Closed:
/// a member that is not here is a mistake, which tests/contract finds.
namespace lab::api {

/// {"Experiment": {...}, "Run": {...}, ...}. Lives for ever.
const Json& answer_schemas();

/// Top-level members of one of them, for `fields=`; empty when there is no such schema.
std::vector<std::string_view> members_of(std::string_view component);

}  // namespace lab::api
