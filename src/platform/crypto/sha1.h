#pragma once
#include <string>
#include <string_view>

namespace lab {

/// 40 lower-case hexadecimal digits of SHA-1 (FIPS 180-4, by OpenSSL): for names that a protocol
/// makes with it, never for anything that has to be safe.
std::string sha1_hex(std::string_view bytes);

}  // namespace lab
