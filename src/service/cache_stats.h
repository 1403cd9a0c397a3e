#pragma once
#include <cstddef>
#include <cstdint>

namespace lab::service {

/// What a cache did since the start.
struct CacheStats {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t evictions = 0;  ///< entries that made way for others
    std::size_t size = 0;         ///< entries now
};

}  // namespace lab::service
