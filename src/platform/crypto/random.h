#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace lab {

/// Randomness that nobody can foresee: keys, salts, identifiers of sessions. Injected, so that a
/// test can foresee it. Any thread. (base/rng.h is for everything that has to be repeatable.)
class RandomSource {
  public:
    virtual ~RandomSource() = default;
    virtual void fill(std::span<unsigned char> bytes) = 0;
};

/// OpenSSL's generator, seeded by the kernel. Aborts when the kernel has no randomness: there is
/// nothing sensible to do without.
class SystemRandom final : public RandomSource {
  public:
    void fill(std::span<unsigned char> bytes) override;
};

std::string random_bytes(RandomSource& source, std::size_t count);

/// Letters of [0-9A-Za-z], each of the 62 equally likely; as many as carry at least `bits` bits of
/// randomness (256 bits: 43 letters). bits in [1, 4096].
std::string random_base62(RandomSource& source, int bits);

}  // namespace lab
