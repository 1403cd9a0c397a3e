#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lab::science {

/// `count` different places in a pool of `pool_size`, each selection and order equally likely,
/// never `exclude` (the item asked about, when it is in the pool itself). The same arguments give
/// the same places on every machine. With one seed for all items these get the same examples, but
/// for the one that would see itself, which gets the next; with a seed derived from the item each
/// gets its own.
/// Needs count <= pool_size, less one when `exclude` is in the pool.
std::vector<std::size_t> choose_few_shot(
    std::size_t pool_size,
    std::size_t count,
    std::uint64_t seed,
    std::optional<std::size_t> exclude = std::nullopt
);

}  // namespace lab::science
