#pragma once
#include <string>
#include <string_view>

namespace lab::providers {

/// For names of headers, schemes and hosts, which are ASCII by definition.
inline std::string lower_ascii(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

}  // namespace lab::providers
