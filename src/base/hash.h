#pragma once
#include <cstdint>
#include <string_view>

namespace lab {

/// 64-bit FNV-1a: for in-memory tables and seeds, never where somebody could choose collisions.
std::uint64_t fnv1a64(std::string_view bytes);

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that scatters near values.
std::uint64_t mix64(std::uint64_t x);

}  // namespace lab
