#pragma once
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace lab {

/// Members keep the order they were written in. Include <nlohmann/json.hpp> in the .cpp that looks
/// inside; headers need only this.
using Json = nlohmann::ordered_json;

struct JsonLimits {
    std::size_t bytes_max = 64U << 20;
    int depth_max = 64;
    std::size_t keys_max = 4096;  ///< members of one object: ordered_json is quadratic in them
};

/// Strict RFC 8259: one value, no repeated key, valid UTF-8, within the limits.
/// Errors: bad_request with line and column; payload_too_large.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// {} with room for so many members: without it an object copies its keys as it grows.
Json json_object(std::size_t members);

/// Compact text. Numbers read back exactly; invalid UTF-8 becomes U+FFFD; NaN and infinities, which
/// JSON has not, become null.
std::string dump_json(const Json& value);
std::string dump_json_pretty(const Json& value);

/// The one text of a value that hashes are taken over: members sorted by key (bytes), no
/// whitespace, numbers as written by dump_json (1.0 stays 1.0).
std::string canonical_json(const Json& value);
void append_canonical_json(std::string& out, const Json& value);

/// Appends `text` as a JSON string with quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace lab
