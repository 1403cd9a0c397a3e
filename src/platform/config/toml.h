#pragma once
#include "platform/json/document.h"

#include <string>
#include <string_view>

namespace lab {

/// TOML 1.0 as JSON, with the places of its values; dates and times become text. Errors:
/// bad_request with line and column at the front of the message ("12:5: ...").
Result<Document> parse_toml(std::string_view text);
/// The TOML text of an object; members that are null are left out. Keys are sorted.
std::string dump_toml(const Json& object);

}  // namespace lab
