#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lab {

/// base64url without padding (RFC 4648 section 5, RFC 7515 section 2).
std::string base64url_encode(std::string_view bytes);

/// The bytes, or nothing when the text is not exactly what base64url_encode writes: padding, other
/// characters, an impossible length and set bits behind the last byte are refused. So each value
/// has one text only, and nobody can alter a token without altering what it means.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace lab
