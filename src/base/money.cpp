#include "base/money.h"

#include <limits>

namespace lab {
namespace {
constexpr std::int64_t kPicoPerUsd = 1'000'000'000'000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
__extension__ using Wide = __int128;

std::int64_t saturate(Wide value) {
    if (value > kMax) {
        return kMax;
    }
    return value < -Wide{kMax} ? -kMax : static_cast<std::int64_t>(value);
}
}  // namespace

Result<Money> Money::parse(std::string_view decimal) {
    const auto bad = [&] {
        return Error(Code::validation, "not an amount: write a decimal such as 0.15");
    };
    std::string_view rest = decimal;
    const bool negative = rest.starts_with('-');
    if (negative) {
        rest.remove_prefix(1);
    }
    Wide pico = 0;
    int decimals = -1;
    bool digits = false;
    for (const char c : rest) {
        if (c == '.') {
            if (decimals >= 0) {
                return bad();
            }
            decimals = 0;
            continue;
        }
        if (c < '0' || c > '9' || decimals == 12) {
            return bad();
        }
        digits = true;
        pico = pico * 10 + (c - '0');
        decimals += decimals >= 0 ? 1 : 0;
        if (pico > Wide{kMax}) {
            return Error(Code::validation, "the amount is too large");
        }
    }
    if (!digits) {
        return bad();
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 12; ++i) {
        pico *= 10;
    }
    if (pico > Wide{kMax}) {
        return Error(Code::validation, "the amount is too large");
    }
    return Money(static_cast<std::int64_t>(negative ? -pico : pico));
}

std::string Money::exact() const {
    std::string text = rounded(12);
    while (text.ends_with('0')) {
        text.pop_back();
    }
    if (text.ends_with('.')) {
        text.pop_back();
    }
    return text;
}

std::string Money::rounded(int decimals) const {
    LAB_ASSERT(decimals >= 0 && decimals <= 12, "money has 0 to 12 decimals");
    std::int64_t unit = 1;
    for (int i = decimals; i < 12; ++i) {
        unit *= 10;
    }
    const Wide magnitude = pico_ < 0 ? -Wide{pico_} : Wide{pico_};
    const Wide steps = (magnitude + unit / 2) / unit;
    const std::int64_t per_usd = kPicoPerUsd / unit;
    std::string text = pico_ < 0 && steps != 0 ? "-" : "";
    text += std::to_string(static_cast<std::int64_t>(steps / per_usd));
    if (decimals > 0) {
        const std::string fraction = std::to_string(static_cast<std::int64_t>(steps % per_usd));
        text += '.';
        text.append(static_cast<std::size_t>(decimals) - fraction.size(), '0');
        text += fraction;
    }
    return text;
}

Money operator+(Money a, Money b) { return Money(saturate(Wide{a.pico_} + b.pico_)); }

Money operator-(Money a, Money b) { return Money(saturate(Wide{a.pico_} - b.pico_)); }

Money per_million(Money price, std::int64_t count) {
    const Wide product = Wide{price.pico()} * count;
    const Wide quotient = product / 1'000'000 + (product % 1'000'000 > 0 ? 1 : 0);
    return Money::from_pico(saturate(quotient));
}

}  // namespace lab
