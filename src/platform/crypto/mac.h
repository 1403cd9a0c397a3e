#pragma once
#include <string>
#include <string_view>

namespace lab {

/// HMAC-SHA-256 (RFC 2104, by OpenSSL): 32 raw bytes. Any key length; below 32 bytes it is weaker
/// than the hash.
std::string hmac_sha256(std::string_view key, std::string_view data);

/// Whether two texts are equal, in a time that depends on their lengths alone: how long an attacker
/// waits says nothing about where they differ. Lengths are not hidden.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace lab
