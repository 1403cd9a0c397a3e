#pragma once
#include "platform/json/json.h"

namespace lab {

/// Of a JSON Schema that came from outside, what check_schema can be given and enforces: type,
/// properties, required, additionalProperties, items, minItems, maxItems, enum, const, minimum,
/// maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern. Everything else says
/// nothing here, as JSON Schema has it for keywords that are not known. (check_schema itself takes
/// schemas of ours and asserts that they are sound.)
/// Errors: validation with every keyword whose value is none; `path` is put before their fields.
Result<Json> usable_schema(const Json& schema, std::string_view path = "");

}  // namespace lab
