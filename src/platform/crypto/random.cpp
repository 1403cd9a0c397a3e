#include "platform/crypto/random.h"

#include "base/error.h"

#include <openssl/rand.h>

#include <array>
#include <cmath>
#include <string_view>

namespace lab {

void SystemRandom::fill(std::span<unsigned char> bytes) {
    LAB_ASSERT(bytes.size() <= 1U << 20, "randomness is asked for in small pieces");
    LAB_ASSERT(
        RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1,
        "the operating system gives randomness"
    );
}

std::string random_bytes(RandomSource& source, std::size_t count) {
    std::string out(count, '\0');
    source.fill({reinterpret_cast<unsigned char*>(out.data()), out.size()});
    return out;
}

std::string random_base62(RandomSource& source, int bits) {
    LAB_ASSERT(bits >= 1 && bits <= 4096, "random_base62 is asked for 1 to 4096 bits");
    constexpr std::string_view kLetters =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static_assert(kLetters.size() == 62);
    // 248 is the largest multiple of 62 in a byte: taking the rest as well would favour 8 letters.
    constexpr unsigned kBelow = 248;
    const auto length = static_cast<std::size_t>(std::ceil(bits / std::log2(62.0)));
    std::string out;
    out.reserve(length);
    std::array<unsigned char, 64> bytes{};
    while (out.size() < length) {
        source.fill(bytes);
        for (const unsigned char b : bytes) {
            if (b < kBelow && out.size() < length) {
                out += kLetters[b % 62];
            }
        }
    }
    return out;
}

}  // namespace lab
