#include "providers/impl/hints.h"

#include "base/text.h"
#include "providers/impl/ascii.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace lab::providers {
namespace {

constexpr double kLongestSeconds = 10 * 86'400.0;

std::optional<double> take_number(std::string_view& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (read.ec != std::errc() || !std::isfinite(value) || value < 0) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return value;
}

/// Takes a unit off the front and returns its length in seconds.
std::optional<double> take_unit(std::string_view& text) {
    struct Unit {
        std::string_view name;
        double seconds;
    };
    static constexpr std::array<Unit, 8> kUnits{
        {{"ms", 1e-3},
         {"us", 1e-6},
         {"\xC2\xB5s", 1e-6},
         {"ns", 1e-9},
         {"s", 1},
         {"m", 60},
         {"h", 3600},
         {"d", 86'400}}
    };
    for (const Unit& unit : kUnits) {
        if (text.starts_with(unit.name)) {
            text.remove_prefix(unit.name.size());
            return unit.seconds;
        }
    }
    return std::nullopt;
}

Duration from_seconds(double seconds) {
    return Duration(static_cast<std::int64_t>(std::min(seconds, kLongestSeconds) * 1e9));
}

/// A fixed number of digits at `at`.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) {
        return std::nullopt;
    }
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') {
            return std::nullopt;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

struct Fields {
    std::optional<int> year, month, day, hour, minute, second;
};

std::optional<WallTime> to_time(const Fields& f) {
    if (!f.year || !f.month || !f.day || !f.hour || !f.minute || !f.second || *f.hour > 23 ||
        *f.minute > 59 || *f.second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year(*f.year),
        std::chrono::month(static_cast<unsigned>(*f.month)),
        std::chrono::day(static_cast<unsigned>(*f.day))
    };
    if (!date.ok()) {
        return std::nullopt;
    }
    return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*f.hour) +
           std::chrono::minutes(*f.minute) + std::chrono::seconds(*f.second);
}

std::optional<int> month_of(std::string_view name) {
    static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::size_t at = kMonths.find(name);
    return name.size() == 3 && at != std::string_view::npos && at % 3 == 0
               ? std::optional(static_cast<int>(at / 3) + 1)
               : std::nullopt;
}

std::optional<std::int64_t> parse_count(std::string_view text) {
    std::string_view rest = trim_ascii(text);
    const auto value = take_number(rest);
    return value && rest.empty() && *value < 9e12 ? std::optional(static_cast<std::int64_t>(*value))
                                                  : std::nullopt;
}

/// A time span, or a moment seen from `now`: as a date, or in seconds or milliseconds since 1970.
std::optional<Duration> parse_wait(std::string_view text, WallTime now) {
    constexpr std::int64_t kSecondsOf2001 = 1'000'000'000;
    std::optional<WallTime> moment = parse_time(text);
    if (const auto count = parse_count(text); count && *count >= kSecondsOf2001) {
        const bool milliseconds = *count >= kSecondsOf2001 * 1000;
        moment = WallTime(std::chrono::microseconds(*count * (milliseconds ? 1000 : 1'000'000)));
    }
    if (!moment) {
        return parse_duration(text);
    }
    const auto left = std::chrono::duration<double>(*moment - now).count();
    return from_seconds(std::max(0.0, left));
}

enum class Hint : std::uint8_t {
    none,
    date,
    retry_after,
    retry_after_ms,
    requests_remaining,
    requests_reset,
    tokens_remaining,
    tokens_reset,
};

Hint hint_of(std::string_view lower) {
    if (lower == "date") {
        return Hint::date;
    }
    if (lower == "retry-after") {
        return Hint::retry_after;
    }
    if (lower == "retry-after-ms" || lower == "x-ms-retry-after-ms") {
        return Hint::retry_after_ms;
    }
    if (lower == "x-ratelimit-remaining-requests" ||
        lower == "anthropic-ratelimit-requests-remaining") {
        return Hint::requests_remaining;
    }
    if (lower == "x-ratelimit-reset-requests" || lower == "anthropic-ratelimit-requests-reset") {
        return Hint::requests_reset;
    }
    if (lower == "x-ratelimit-remaining-tokens" ||
        lower == "anthropic-ratelimit-tokens-remaining") {
        return Hint::tokens_remaining;
    }
    if (lower == "x-ratelimit-reset-tokens" || lower == "anthropic-ratelimit-tokens-reset") {
        return Hint::tokens_reset;
    }
    return Hint::none;
}

/// What one header says. `precise` is a wait in milliseconds, better than one in seconds.
void read_hint(
    Hint hint,
    std::string_view value,
    WallTime now,
    RateHints& hints,
    std::optional<Duration>& precise
) {
    switch (hint) {
        case Hint::retry_after:
            hints.retry_after = parse_wait(value, now);
            break;
        case Hint::retry_after_ms:
            if (const auto ms = parse_count(value)) {
                precise = from_seconds(static_cast<double>(*ms) / 1000);
            }
            break;
        case Hint::requests_remaining:
            hints.requests_remaining = parse_count(value);
            break;
        case Hint::requests_reset:
            hints.requests_reset = parse_wait(value, now);
            break;
        case Hint::tokens_remaining:
            hints.tokens_remaining = parse_count(value);
            break;
        case Hint::tokens_reset:
            hints.tokens_reset = parse_wait(value, now);
            break;
        case Hint::none:
        case Hint::date:
            break;
    }
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    text = trim_ascii(text);
    double seconds = 0;
    bool first = true;
    do {
        const auto number = take_number(text);
        if (!number) {
            return std::nullopt;
        }
        if (first && text.empty()) {
            return from_seconds(*number);
        }
        const auto unit = take_unit(text);
        if (!unit) {
            return std::nullopt;
        }
        seconds += *number * *unit;
        first = false;
    } while (!text.empty());
    return from_seconds(seconds);
}

std::optional<WallTime> parse_time(std::string_view text) {
    text = trim_ascii(text);
    Fields f;
    if (text.size() >= 29 && text[3] == ',' && text.ends_with("GMT")) {
        f.day = digits(text, 5, 2);
        f.month = month_of(text.substr(8, 3));
        f.year = digits(text, 12, 4);
        f.hour = digits(text, 17, 2);
        f.minute = digits(text, 20, 2);
        f.second = digits(text, 23, 2);
        return to_time(f);
    }
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':') {
        return std::nullopt;
    }
    f.year = digits(text, 0, 4);
    f.month = digits(text, 5, 2);
    f.day = digits(text, 8, 2);
    f.hour = digits(text, 11, 2);
    f.minute = digits(text, 14, 2);
    f.second = digits(text, 17, 2);
    std::size_t at = 19;
    while (at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9'))) {
        ++at;
    }
    const std::string_view zone = text.substr(at);
    if (zone == "Z" || zone == "z") {
        return to_time(f);
    }
    const auto hours = digits(zone, 1, 2);
    const auto minutes = digits(zone, 4, 2);
    const auto time = to_time(f);
    if (!time || !hours || !minutes || (zone[0] != '+' && zone[0] != '-')) {
        return std::nullopt;
    }
    const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return zone[0] == '+' ? *time - offset : *time + offset;
}

RateHints read_hints(const http::Headers& headers, WallTime now) {
    std::array<std::pair<Hint, std::string_view>, 16> found;
    std::size_t count = 0;
    for (const auto& [name, value] : headers) {
        if (count == found.size()) {
            break;
        }
        const char first = name.empty() ? '\0' : static_cast<char>(name.front() | 0x20);
        if (first != 'x' && first != 'r' && first != 'a' && first != 'd') {
            continue;
        }
        const Hint hint = hint_of(lower_ascii(name));
        if (hint == Hint::date) {
            now = parse_time(value).value_or(now);
        } else if (hint != Hint::none) {
            found[count++] = {hint, value};
        }
    }
    RateHints hints;
    std::optional<Duration> precise;
    for (const auto& [hint, value] : std::span(found.data(), count)) {
        read_hint(hint, value, now, hints, precise);
    }
    if (precise) {
        hints.retry_after = precise;
    }
    return hints;
}

std::string_view find_request_id(const http::Headers& headers) {
    for (const std::string_view name :
         {"x-request-id", "request-id", "apim-request-id", "x-ms-request-id"}) {
        if (const std::string_view id = http::find_header(headers, name); !id.empty()) {
            return id.substr(0, 128);
        }
    }
    return {};
}

}  // namespace lab::providers
