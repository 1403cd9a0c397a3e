#include "base/uuid.h"

namespace lab {

std::string RandomUuids::next() { return make_uuid(entropy(), entropy()); }

std::string make_uuid(std::uint64_t high, std::uint64_t low) {
    high = (high & ~0xf000ULL) | 0x4000ULL;
    low = (low & ~(3ULL << 62)) | (2ULL << 62);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text(36, '-');
    std::size_t at = 0;
    for (int shift = 124; shift >= 0; shift -= 4) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            ++at;
        }
        const std::uint64_t half = shift >= 64 ? high >> (shift - 64) : low >> shift;
        text[at++] = kDigits[half & 15U];
    }
    return text;
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return false;
            }
        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return true;
}

std::optional<UuidHalves> uuid_halves(std::string_view text) {
    if (!is_uuid(text)) {
        return std::nullopt;
    }
    UuidHalves out;
    for (const char c : text) {
        if (c == '-') {
            continue;
        }
        // Letters of either case have 1 to 6 in their lower bits.
        const auto digit = static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c & 7) + 9);
        out.high = (out.high << 4) | (out.low >> 60);
        out.low = (out.low << 4) | digit;
    }
    return out;
}

}  // namespace lab
