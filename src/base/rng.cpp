#include "base/rng.h"

#include "base/error.h"
#include "base/hash.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <utility>

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
    // Asking the system costs a microsecond: each thread takes a page of numbers at a time, and
    // none is given out twice.
    struct Pool {
        std::array<std::uint64_t, 32> numbers{};
        std::size_t left = 0;
    };
    thread_local Pool pool;
    if (pool.left == 0) {
        const auto wanted = static_cast<ssize_t>(sizeof pool.numbers);
        // Up to 256 bytes come whole or not at all (getrandom(2)).
        while (::getrandom(pool.numbers.data(), sizeof pool.numbers, 0) != wanted) {
            LAB_ASSERT(errno == EINTR, "the system gives random numbers");
        }
        pool.left = pool.numbers.size();
    }
    std::uint64_t& next = pool.numbers[--pool.left];
    return std::exchange(next, 0);
}

}  // namespace lab
