#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::science {

/// An exact decimal number of any length, so that 9007199254740993 and 9007199254740992 differ and
/// 0.1 is a tenth. Zero has one sign.
class Decimal {
  public:
    Decimal() = default;
    /// [+-] digits [. digits] [e [+-] digits], with at least one digit before or behind the point;
    /// nothing else, no spaces. Nothing when it is not that or its magnitude is beyond 1e+-9999.
    static std::optional<Decimal> parse(std::string_view text);
    /// The shortest decimal that reads back as `value`. `value` must be finite.
    static Decimal from_double(double value);

    /// Without superfluous zeros: "18", "-0.5", "1e+400".
    std::string text() const;
    bool operator==(const Decimal&) const = default;

    friend Decimal distance(const Decimal& a, const Decimal& b);  ///< |a - b|
    friend Decimal multiply(const Decimal& a, const Decimal& b);
    /// |a| <= |b|
    friend bool is_within(const Decimal& a, const Decimal& b);

  private:
    static Decimal make(bool negative, std::string digits, std::int64_t exponent);
    std::string aligned_digits(std::int64_t exponent) const;
    bool negative_ = false;
    std::string digits_;         ///< no zero first or last; empty = 0
    std::int64_t exponent_ = 0;  ///< value = digits * 10^exponent
};

}  // namespace lab::science
