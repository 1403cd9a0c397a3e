#pragma once
#include <string>
#include <string_view>

namespace lab::config {

inline constexpr std::size_t kSecretBytesMin = 32;

/// Why nobody should sign with this, or nothing. A rule of thumb that finds what people type and
/// what examples show; it passes what `openssl rand` writes, in hexadecimal and in base64.
/// Says nothing of the secret itself.
std::string weakness_of(std::string_view secret, std::size_t bytes_min = kSecretBytesMin);

}  // namespace lab::config
