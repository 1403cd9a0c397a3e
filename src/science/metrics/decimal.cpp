#include "science/metrics/decimal.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace lab::science {
namespace {

constexpr std::int64_t kExponentMax = 9999;
/// Longer plain numbers are written with an exponent.
constexpr std::int64_t kPlainDigitsMax = 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Of digit strings without leading zeros: negative, zero, positive as strcmp.
int compare_digits(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return a.size() < b.size() ? -1 : 1;
    }
    return a.compare(b);
}

std::string_view without_leading_zeros(std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

std::string add_digits(std::string_view a, std::string_view b) {
    std::string out(std::max(a.size(), b.size()) + 1, '0');
    int carry = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int x = i < a.size() ? a[a.size() - 1 - i] - '0' : 0;
        const int y = i < b.size() ? b[b.size() - 1 - i] - '0' : 0;
        const int sum = x + y + carry;
        out[out.size() - 1 - i] = static_cast<char>('0' + sum % 10);
        carry = sum / 10;
    }
    return out;
}

/// a - b for a >= b.
std::string subtract_digits(std::string_view a, std::string_view b) {
    std::string out(a);
    int borrow = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int y = i < b.size() ? b[b.size() - 1 - i] - '0' : 0;
        int digit = out[out.size() - 1 - i] - '0' - y - borrow;
        borrow = digit < 0 ? 1 : 0;
        digit += borrow * 10;
        out[out.size() - 1 - i] = static_cast<char>('0' + digit);
    }
    return out;
}

}  // namespace

Decimal Decimal::make(bool negative, std::string digits, std::int64_t exponent) {
    Decimal out;
    const std::size_t first = digits.find_first_not_of('0');
    if (first == std::string::npos) {
        return out;
    }
    const std::size_t last = digits.find_last_not_of('0');
    out.negative_ = negative;
    out.exponent_ = exponent + static_cast<std::int64_t>(digits.size() - 1 - last);
    out.digits_ = digits.substr(first, last + 1 - first);
    return out;
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
    std::size_t i = 0;
    bool negative = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) {
        negative = text[i++] == '-';
    }
    std::string digits;
    std::int64_t exponent = 0;
    bool after_point = false;
    for (; i < text.size() && (is_digit(text[i]) || (text[i] == '.' && !after_point)); ++i) {
        if (text[i] == '.') {
            after_point = true;
            continue;
        }
        digits += text[i];
        exponent -= after_point ? 1 : 0;
    }
    if (digits.empty()) {
        return std::nullopt;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i + 1 < text.size() && text[i] == '+' && is_digit(text[i + 1])) {
            ++i;
        }
        int written = 0;
        const auto [end, error] =
            std::from_chars(text.data() + i, text.data() + text.size(), written);
        if (error != std::errc() || std::abs(std::int64_t{written}) > kExponentMax) {
            return std::nullopt;
        }
        exponent += written;
        i = static_cast<std::size_t>(end - text.data());
    }
    if (i != text.size()) {
        return std::nullopt;
    }
    return make(negative, std::move(digits), exponent);
}

Decimal Decimal::from_double(double value) {
    LAB_ASSERT(std::isfinite(value), "a decimal is finite");
    return parse(format_double(value)).value_or(Decimal());
}

std::string Decimal::text() const {
    if (digits_.empty()) {
        return "0";
    }
    const auto size = static_cast<std::int64_t>(digits_.size());
    std::string out = negative_ ? "-" : "";
    const std::int64_t point = size + exponent_;  // digits before the point
    if (exponent_ >= 0 && (point <= kPlainDigitsMax || exponent_ == 0)) {
        return out + digits_ + std::string(static_cast<std::size_t>(exponent_), '0');
    }
    if (exponent_ < 0 && point > 0) {
        return out + digits_.substr(0, static_cast<std::size_t>(point)) + "." +
               digits_.substr(static_cast<std::size_t>(point));
    }
    if (exponent_ < 0 && -exponent_ <= kPlainDigitsMax) {
        return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits_;
    }
    out += digits_.substr(0, 1);
    out += size > 1 ? "." + digits_.substr(1) : "";
    return out + (point > 0 ? "e+" : "e") + std::to_string(point - 1);
}

std::string Decimal::aligned_digits(std::int64_t exponent) const {
    return digits_.empty()
               ? std::string()
               : digits_ + std::string(static_cast<std::size_t>(exponent_ - exponent), '0');
}

Decimal distance(const Decimal& a, const Decimal& b) {
    const std::int64_t exponent = std::min(
        a.digits_.empty() ? b.exponent_ : a.exponent_, b.digits_.empty() ? a.exponent_ : b.exponent_
    );
    const std::string x = a.aligned_digits(exponent);
    const std::string y = b.aligned_digits(exponent);
    if (a.negative_ != b.negative_) {
        return Decimal::make(false, add_digits(x, y), exponent);
    }
    const bool swapped = compare_digits(x, y) < 0;
    return Decimal::make(false, swapped ? subtract_digits(y, x) : subtract_digits(x, y), exponent);
}

Decimal multiply(const Decimal& a, const Decimal& b) {
    std::vector<unsigned> sums(a.digits_.size() + b.digits_.size(), 0U);
    for (std::size_t i = a.digits_.size(); i-- > 0;) {
        unsigned carry = 0;
        const auto x = static_cast<unsigned>(a.digits_[i] - '0');
        for (std::size_t j = b.digits_.size(); j-- > 0;) {
            const unsigned sum =
                sums[i + j + 1] + x * static_cast<unsigned>(b.digits_[j] - '0') + carry;
            sums[i + j + 1] = sum % 10;
            carry = sum / 10;
        }
        sums[i] += carry;
    }
    std::string digits;
    digits.reserve(sums.size());
    for (const unsigned sum : sums) {
        digits += static_cast<char>('0' + sum);
    }
    return Decimal::make(a.negative_ != b.negative_, std::move(digits), a.exponent_ + b.exponent_);
}

bool is_within(const Decimal& a, const Decimal& b) {
    if (a.digits_.empty() || b.digits_.empty()) {
        return a.digits_.empty();
    }
    const std::int64_t exponent = std::min(a.exponent_, b.exponent_);
    const std::string x = a.aligned_digits(exponent);
    const std::string y = b.aligned_digits(exponent);
    return compare_digits(without_leading_zeros(x), without_leading_zeros(y)) <= 0;
}

}  // namespace lab::science
