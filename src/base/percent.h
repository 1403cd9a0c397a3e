#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lab {

/// For a segment of a path, and a name or value of a query or form: all but the unreserved
/// characters of RFC 3986 (letters, digits, - . _ ~) as percent signs and two digits.
std::string percent_encode(std::string_view text);
/// The reverse; nothing where a percent sign is not followed by two digits. "+" stays.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace lab
