#pragma once
#include <cstdint>
#include <random>
#include <string_view>

namespace lab {

/// Seeded, reproducible on every platform: std::mt19937_64 with our own mapping to ranges, because
/// the distributions of the standard library are free to differ. Not shared between threads.
class Rng {
  public:
    static constexpr std::string_view kName = "mt19937_64";
    explicit Rng(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t next() { return engine_(); }
    /// Uniform in [0, n), without bias (Lemire 2019). n >= 1.
    std::uint64_t below(std::uint64_t n);
    /// Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

  private:
    std::mt19937_64 engine_;
};

/// A seed for a named purpose, so that one purpose drawing more never shifts another.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose);

/// A seed from the operating system; for jitter and identifiers, never for results.
std::uint64_t entropy();

}  // namespace lab
