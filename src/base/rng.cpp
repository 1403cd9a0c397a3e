#include "base/rng.h"

#include "base/error.h"
#include "base/hash.h"

namespace lab {

std::uint64_t Rng::below(std::uint64_t n) {
    LAB_ASSERT(n > 0, "Rng::below needs a non-empty range");
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(next()) * n;
    auto low = static_cast<std::uint64_t>(product);
    if (low < n) {
        const std::uint64_t threshold = (0 - n) % n;
        while (low < threshold) {
            product = static_cast<Wide>(next()) * n;
            low = static_cast<std::uint64_t>(product);
        }
    }
    return static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose) {
    return mix64(seed ^ mix64(fnv1a64(purpose)));
}

std::uint64_t entropy() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace lab
