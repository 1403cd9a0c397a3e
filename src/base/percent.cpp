#include "base/percent.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace lab {

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                   (c >= '0' && c <= '9') || std::string_view("-._~").contains(c);
        if (is_unreserved) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 15U];
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() != '%') {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        unsigned byte = 0;
        const char* const end = text.data() + std::min<std::size_t>(text.size(), 3);
        const auto [read, error] = std::from_chars(text.data() + 1, end, byte, 16);
        if (error != std::errc() || read != text.data() + 3) {
            return std::nullopt;
        }
        out += static_cast<char>(byte);
        text.remove_prefix(3);
    }
    return out;
}

}  // namespace lab
