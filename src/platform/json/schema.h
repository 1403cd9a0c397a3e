#pragma once
#include "platform/json/json.h"

#include <vector>

namespace lab {

/// Checks `value` against `schema` and reports every problem, not the first. Own code because the
/// packaged validator neither names the nearest valid key nor words its messages for people.
/// Keywords: type, properties, required, additionalProperties (false or schema), items, minItems,
/// maxItems, enum, const, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength,
/// maxLength, pattern, oneOf / anyOf of types or of objects told apart by a `const` member,
/// $ref to #/$defs. `path` is put before every field of the details.
/// Annotations of ours: "x-hint" says what a pattern wants ("a file name that ends in .json"),
/// "x-noun" what a choice is called ("scorer").
/// Messages: "unknown key \"concurency\", did you mean \"concurrency\"?", "expected a number, got
/// text", "must be at least 1", "required key \"name\" is missing".
std::vector<Detail> check_schema(const Json& value, const Json& schema, std::string_view path = "");

/// `value` without the members of an object that are null where null is none of their values and
/// they may be absent: what clients send that know a member and have no value for it.
Json without_absent(const Json& value, const Json& schema);

}  // namespace lab
