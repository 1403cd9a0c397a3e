#include "base/uuid.h"

#include <cstdio>

namespace lab {

std::string RandomUuids::next() { return make_uuid(entropy(), entropy()); }

std::string make_uuid(std::uint64_t high, std::uint64_t low) {
    high = (high & ~0xf000ULL) | 0x4000ULL;
    low = (low & ~(3ULL << 62)) | (2ULL << 62);
    char text[37];
    std::snprintf(
        text,
        sizeof text,
        "%08x-%04x-%04x-%04x-%012llx",
        static_cast<unsigned>(high >> 32),
        static_cast<unsigned>((high >> 16) & 0xffff),
        static_cast<unsigned>(high & 0xffff),
        static_cast<unsigned>(low >> 48),
        static_cast<unsigned long long>(low & 0xffffffffffffULL)
    );
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

}  // namespace lab
