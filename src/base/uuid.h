#pragma once
#include "base/rng.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab {

/// Identifiers are injected, so that a test can foresee them. Thread-safe.
class UuidSource {
  public:
    virtual ~UuidSource() = default;
    /// A version 4 UUID in lower-case text (RFC 9562).
    virtual std::string next() = 0;
};

class RandomUuids final : public UuidSource {
  public:
    std::string next() override;
};

/// Its 128 bits, as they are written from left to right.
struct UuidHalves {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
};
/// nullopt: it is no UUID.
std::optional<UuidHalves> uuid_halves(std::string_view text);
/// Of these bits, but for the six that say version 4.
std::string make_uuid(std::uint64_t high, std::uint64_t low);
/// The 8-4-4-4-12 shape in either case; any version.
bool is_uuid(std::string_view text);

}  // namespace lab
