#include "science/metrics/numeric.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lab::science {
namespace {

constexpr std::array<std::pair<std::string_view, NumberRule>, 4> kRules = {{
    {"last_number", NumberRule::last_number},
    {"whole", NumberRule::whole},
    {"gsm8k_strict", NumberRule::gsm8k_strict},
    {"gsm8k_flexible", NumberRule::gsm8k_flexible},
}};
constexpr std::string_view kMinusSign = "\xe2\x88\x92";  // U+2212

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool digit_at(std::string_view text, std::size_t i) { return i < text.size() && is_digit(text[i]); }

std::size_t skip_digits(std::string_view text, std::size_t i) {
    while (digit_at(text, i)) {
        ++i;
    }
    return i;
}

/// Behind the unsigned number that starts at `i` (a digit, or a point before a digit).
std::size_t end_of_number(std::string_view text, std::size_t i) {
    const std::size_t begin = i;
    i = skip_digits(text, i);
    if (i - begin >= 1 && i - begin <= 3) {
        while (i < text.size() && text[i] == ',' && skip_digits(text, i + 1) == i + 4) {
            i += 4;
        }
    }
    if (i < text.size() && text[i] == '.' && digit_at(text, i + 1)) {
        i = skip_digits(text, i + 1);
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        const bool sign = i + 1 < text.size() && (text[i + 1] == '-' || text[i + 1] == '+');
        const std::size_t digits = i + (sign ? 2 : 1);
        const std::size_t end = skip_digits(text, digits);
        if (end > digits && (end == text.size() || !is_letter_or_digit(text[end]))) {
            i = end;
        }
    }
    return i;
}

/// A sign directly before the number, or before its dollar sign, unless it stands behind something
/// it could subtract from.
bool is_negative_at(std::string_view text, std::size_t number) {
    std::string_view before = text.substr(0, number);
    const auto drop_dollar = [&] {
        if (before.ends_with('$')) {
            before.remove_suffix(1);
        }
    };
    drop_dollar();
    if (before.ends_with('-')) {
        before.remove_suffix(1);
    } else if (before.ends_with(kMinusSign)) {
        before.remove_suffix(kMinusSign.size());
    } else {
        return false;
    }
    drop_dollar();
    if (before.empty()) {
        return true;
    }
    const char last = before.back();
    return !is_letter_or_digit(last) && std::string_view(")]}-").find(last) == std::string::npos;
}

std::optional<Decimal> find_last_number(std::string_view text) {
    std::size_t begin = std::string_view::npos;
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size();) {
        const bool starts = is_digit(text[i]) || (text[i] == '.' && digit_at(text, i + 1));
        if (!starts) {
            ++i;
            continue;
        }
        begin = i;
        end = end_of_number(text, i);
        i = end;
    }
    if (begin == std::string_view::npos) {
        return std::nullopt;
    }
    std::string plain = is_negative_at(text, begin) ? "-" : "";
    plain += text.substr(begin, end - begin);
    std::erase(plain, ',');
    return Decimal::parse(plain);
}

bool is_number_sign(char c) { return is_digit(c) || c == '.' || c == ','; }

}  // namespace

std::string_view name(NumberRule rule) {
    for (const auto& [text, value] : kRules) {
        if (value == rule) {
            return text;
        }
    }
    return {};
}

std::optional<NumberRule> find_number_rule(std::string_view name) {
    for (const auto& [text, value] : kRules) {
        if (text == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::optional<std::string> find_gsm8k_strict(std::string_view text) {
    constexpr std::string_view kMark = "#### ";
    for (std::size_t at = text.find(kMark); at != std::string_view::npos;
         at = text.find(kMark, at + 1)) {
        const std::size_t begin = at + kMark.size();
        const std::size_t digits = begin < text.size() && text[begin] == '-' ? begin + 1 : begin;
        std::size_t end = digits;
        while (end < text.size() && is_number_sign(text[end])) {
            ++end;
        }
        if (end > digits) {
            std::string found(text.substr(begin, end - begin));
            std::erase(found, ',');
            return found;
        }
    }
    return std::nullopt;
}

std::optional<std::string> find_gsm8k_flexible(std::string_view text) {
    std::optional<std::string_view> last;
    std::size_t i = 0;
    while (i < text.size()) {
        const std::size_t begin = i;
        const std::size_t signs = text[i] == '-' ? i + 1 : i;
        std::size_t end = signs;
        while (end < text.size() && (is_number_sign(text[end]) || text[end] == '$')) {
            ++end;
        }
        // Two signs or more, or else one or more digits.
        const bool found = end - signs >= 2 || (end - signs == 1 && is_digit(text[signs]));
        if (found) {
            last = text.substr(begin, end - begin);
        }
        i = found ? end : begin + 1;
    }
    return last ? std::optional<std::string>(*last) : std::nullopt;
}

std::optional<Decimal> parse_written_number(std::string_view text) {
    std::string plain;
    std::string_view rest = trim(text);
    plain.reserve(rest.size());
    while (!rest.empty()) {
        if (rest.starts_with(kMinusSign)) {
            plain += '-';
            rest.remove_prefix(kMinusSign.size());
            continue;
        }
        if (rest.front() != ',' && rest.front() != '$') {
            plain += rest.front();
        }
        rest.remove_prefix(1);
    }
    while (plain.ends_with('.')) {
        plain.pop_back();
    }
    return Decimal::parse(trim(plain));
}

std::optional<Decimal> extract_number(std::string_view text, NumberRule rule) {
    std::optional<std::string> found;
    switch (rule) {
        case NumberRule::last_number:
            if (auto whole = parse_written_number(text)) {
                return whole;
            }
            return find_last_number(text);
        case NumberRule::whole:
            return parse_written_number(text);
        case NumberRule::gsm8k_strict:
            found = find_gsm8k_strict(text);
            break;
        case NumberRule::gsm8k_flexible:
            found = find_gsm8k_flexible(text);
            break;
    }
    return found ? parse_written_number(*found) : std::nullopt;
}

bool is_close(
    const Decimal& got, const Decimal& want, const Decimal& absolute, const Decimal& relative
) {
    if (got == want) {
        return true;
    }
    const Decimal difference = distance(got, want);
    return is_within(difference, absolute) || is_within(difference, multiply(relative, want));
}

}  // namespace lab::science
