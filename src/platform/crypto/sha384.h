#pragma once
#include <string>
#include <string_view>

namespace lab {

/// SHA-384 (FIPS 180-4, by OpenSSL): 48 raw bytes.
std::string sha384(std::string_view bytes);

}  // namespace lab
