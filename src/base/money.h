#pragma once
#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace lab {

/// US dollars, exact, in pico-dollars (1e-12); up to about nine million dollars.
/// Rounded only when printed.
class Money {
  public:
    constexpr Money() = default;
    static constexpr Money from_pico(std::int64_t pico) { return Money(pico); }
    /// A decimal such as "0.15" or "12"; at most 12 decimals, no exponent. Errors: validation.
    static Result<Money> parse(std::string_view decimal);
    constexpr std::int64_t pico() const { return pico_; }
    constexpr bool is_zero() const { return pico_ == 0; }
    /// Exact, without trailing zeros: "0.021828075".
    std::string exact() const;
    /// Rounded half away from zero to `decimals` (0..12) places.
    std::string rounded(int decimals) const;

    constexpr auto operator<=>(const Money&) const = default;
    /// Sums are checked: a bill of more than nine million dollars is a bug or an attack, and both
    /// saturate instead of wrapping around.
    friend Money operator+(Money a, Money b);
    friend Money operator-(Money a, Money b);
    Money& operator+=(Money other) { return *this = *this + other; }
    Money& operator-=(Money other) { return *this = *this - other; }

  private:
    explicit constexpr Money(std::int64_t pico) : pico_(pico) {}
    std::int64_t pico_ = 0;
};

/// count * price / 1'000'000, exact: price is per million units and has at most 6 decimals beyond
/// which a remainder is rounded up, never down. Saturates.
Money per_million(Money price, std::int64_t count);

}  // namespace lab
