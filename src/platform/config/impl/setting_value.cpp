#include "platform/config/impl/setting_value.h"

#include "base/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace lab::config {
namespace {

constexpr std::size_t kItemsMax = 256;
constexpr std::size_t kUrlBytesMax = 2048;

struct Unit {
    std::string_view name;
    std::int64_t factor;
};
constexpr std::array<Unit, 6> kTimes{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}, {"", 1'000}}
};
constexpr std::array<Unit, 5> kSizes{
    {{"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1}, {"", 1}}
};

bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

template <class T>
std::optional<T> to_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty()
               ? std::optional(value)
               : std::nullopt;
}

/// Digits and a unit, multiplied out.
template <std::size_t N>
std::optional<std::int64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    const std::string_view name = trim_ascii(text.substr(std::min(digits, text.size())));
    const auto unit = std::ranges::find(units, name, &Unit::name);
    const auto count = to_number<std::int64_t>(text.substr(0, digits));
    if (unit == units.end() || !count ||
        *count > std::numeric_limits<std::int64_t>::max() / unit->factor) {
        return std::nullopt;
    }
    return *count * unit->factor;
}

bool is_port(std::string_view text) {
    const auto port = to_number<std::int64_t>(text);
    return port && *port >= 1 && *port <= 65'535 && text.size() <= 5;
}

bool is_address(std::string_view text, int family) {
    std::array<unsigned char, 16> bytes{};
    return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

std::string quoted_words(std::string_view words) {
    std::string out;
    const auto all = split(words, '|');
    for (std::size_t i = 0; i < all.size(); ++i) {
        out += i == 0 ? "" : i + 1 == all.size() ? " or " : ", ";
        out += all[i];
    }
    return out;
}

}  // namespace

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
    const auto value = to_number<std::int64_t>(text);
    if (!value || *value < min || *value > max) {
        return std::unexpected(
            "has to be a whole number from " + std::to_string(min) + " to " + std::to_string(max)
        );
    }
    return *value;
}

Parsed<double> parse_ratio(std::string_view text) {
    const auto value = to_number<double>(text);
    if (!value || !(*value >= 0 && *value <= 1)) {
        return std::unexpected("has to be a number from 0 to 1");
    }
    return *value;
}

Parsed<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::int64_t min, std::int64_t max
) {
    const auto value = with_unit(text, kTimes);
    if (!value || *value < min || *value > max) {
        return std::unexpected(
            "has to be a time from " + describe_duration(min) + " to " + describe_duration(max) +
            ", such as 500ms, 30s, 5m, 2h, 7d or a number of seconds"
        );
    }
    return std::chrono::milliseconds(*value);
}

Parsed<std::int64_t> parse_size(std::string_view text, std::int64_t min, std::int64_t max) {
    const auto value = with_unit(text, kSizes);
    if (!value || *value < min || *value > max) {
        return std::unexpected(
            "has to be a size from " + describe_size(min) + " to " + describe_size(max) +
            ", such as 1024, 64KiB or 2MiB"
        );
    }
    return *value;
}

Parsed<bool> parse_boolean(std::string_view text) {
    const std::string lower = to_lower(text);
    if (lower == "true" || lower == "1") {
        return true;
    }
    if (lower == "false" || lower == "0") {
        return false;
    }
    return std::unexpected("has to be true, false, 1 or 0");
}

Parsed<std::vector<std::string>> parse_list(std::string_view text) {
    std::vector<std::string> items;
    for (const std::string_view part : split(text, ',')) {
        if (const std::string_view item = trim_ascii(part); !item.empty()) {
            items.emplace_back(item);
        }
    }
    if (items.size() > kItemsMax) {
        return std::unexpected("has more than 256 items");
    }
    return items;
}

Parsed<std::string> parse_choice(std::string_view text, std::string_view words) {
    const std::string lower = to_lower(text);
    for (const std::string_view word : split(words, '|')) {
        if (to_lower(word) == lower) {
            return std::string(word);
        }
    }
    return std::unexpected("has to be " + quoted_words(words));
}

Parsed<std::string> parse_url(std::string_view text, std::string_view schemes, bool secret) {
    const std::size_t separator = text.find("://");
    const bool known =
        separator != text.npos && parse_choice(text.substr(0, separator), schemes).has_value();
    if (!known) {
        std::string beginnings;
        for (const std::string_view scheme : split(schemes, '|')) {
            beginnings += (beginnings.empty() ? "" : "://|") + std::string(scheme);
        }
        return std::unexpected(
            "has to be a URL that begins with " + quoted_words(beginnings + "://")
        );
    }
    if (text.size() > kUrlBytesMax || std::ranges::any_of(text, [](char c) {
            return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        })) {
        return std::unexpected("has to be a URL of at most 2048 bytes without blanks");
    }
    const std::string_view rest = text.substr(separator + 3);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (!secret && authority.find('@') != authority.npos) {
        return std::unexpected("must not hold a user or a password: they have their own variables");
    }
    const std::string_view host = authority.substr(authority.rfind('@') + 1);
    if (host.empty() || host.starts_with(':')) {
        return std::unexpected("has to be a URL with a host");
    }
    return std::string(text);
}

Parsed<std::string> parse_arn(std::string_view text) {
    const bool fine = text.starts_with("arn:") && std::ranges::count(text, ':') >= 5 &&
                      text.size() <= kUrlBytesMax &&
                      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!fine) {
        return std::unexpected("has to be an ARN: arn:partition:service:region:account:resource");
    }
    return std::string(text);
}

std::string check_host(std::string_view text) {
    const bool name = text.size() <= 253 && is_alnum(text.empty() ? ' ' : text.front()) &&
                      std::ranges::all_of(text, [](char c) {
                          return is_alnum(c) || c == '.' || c == '-' || c == '_';
                      });
    return name || is_address(text, AF_INET6) ? "" : "has to be an address or the name of a host";
}

std::string check_object_name(std::string_view text) {
    const auto is_inner = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    return std::ranges::all_of(text, is_inner)
               ? ""
               : "has to be the name of an object: lower case letters, digits, - and .";
}

std::string check_host_port(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    const bool port = colon != text.npos && is_port(text.substr(colon + 1));
    return check_host(port ? text.substr(0, colon) : text).empty()
               ? ""
               : "has to be names of hosts, each with or without a port";
}

std::string check_host_rule(std::string_view text) {
    const bool fine = check_host_port(text.starts_with("*.") ? text.substr(2) : text).empty() ||
                      (text.starts_with('[') && text.find(']') != text.npos);
    return fine ? ""
                : "has to be hosts such as gpu-1:8000, 10.0.0.7 or *.models.example.org, each with "
                  "or without a port";
}

std::string check_origin(std::string_view text) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (text.starts_with(scheme) && check_host_port(text.substr(scheme.size())).empty()) {
            return "";
        }
    }
    return "has to be origins such as https://lab.example.org, without a path; * is not allowed "
           "because requests carry credentials";
}

std::string check_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string_view address = text.substr(0, slash);
    const bool four = is_address(address, AF_INET);
    const bool six = is_address(address, AF_INET6);
    const bool prefix =
        slash == text.npos || parse_integer(text.substr(slash + 1), 0, four ? 32 : 128).has_value();
    return (four || six) && prefix
               ? ""
               : "has to be addresses or networks such as 10.0.0.0/8 or fd00::/8";
}

std::string check_bucket(std::string_view text) {
    const bool fine = text.size() >= 3 && text.size() <= 63 && is_alnum(text.front()) &&
                      is_alnum(text.back()) && std::ranges::all_of(text, [](char c) {
                          return (is_alnum(c) && !(c >= 'A' && c <= 'Z')) || c == '-' || c == '.';
                      });
    return fine ? "" : "has to be the name of a bucket: 3 to 63 of a-z, 0-9, '-' and '.'";
}

std::string check_log_filter(std::string_view text) {
    constexpr std::string_view kProblem =
        "has to be level,target=level,... with the levels trace, debug, info, warn, error and off";
    constexpr std::size_t kDirectivesMax = 64;
    constexpr std::size_t kTargetBytesMax = 128;
    constexpr std::array<std::string_view, 7> kLevels{
        "trace", "debug", "info", "warn", "warning", "error", "off"
    };
    const std::vector<std::string_view> parts = split(text, ',');
    if (parts.size() > kDirectivesMax) {
        return "has at most 64 directives";
    }
    for (const std::string_view part : parts) {
        const std::string_view directive = trim_ascii(part);
        const std::size_t sign = directive.find('=');
        const bool alone = sign == std::string_view::npos;
        const std::string_view target = alone ? "" : trim_ascii(directive.substr(0, sign));
        const std::string word = to_lower(trim_ascii(directive.substr(alone ? 0 : sign + 1)));
        const bool level = std::ranges::find(kLevels, word) != kLevels.end();
        const auto is_plain = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   std::string_view("_-.:").contains(c);
        };
        // A level alone, a target alone (all of it), or target=level.
        const std::string_view name = alone ? std::string_view(word) : target;
        const bool named =
            !name.empty() && name.size() <= kTargetBytesMax && std::ranges::all_of(name, is_plain);
        if (!directive.empty() && !(level ? alone || named : alone && named)) {
            return std::string(kProblem);
        }
    }
    return "";
}

std::string check_header_text(std::string_view text) {
    const bool fine = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    return fine ? "" : "has to be visible ASCII characters without blanks";
}

std::string describe_duration(std::int64_t milliseconds) {
    for (const Unit& unit : kTimes) {
        if (milliseconds != 0 && milliseconds % unit.factor == 0) {
            return std::to_string(milliseconds / unit.factor) +
                   (unit.name == "m" ? " min" : " " + std::string(unit.name));
        }
    }
    return std::to_string(milliseconds);
}

std::string describe_size(std::int64_t bytes) {
    for (const Unit& unit : kSizes) {
        if (bytes != 0 && bytes % unit.factor == 0) {
            return std::to_string(bytes / unit.factor) + " " + std::string(unit.name);
        }
    }
    return std::to_string(bytes);
}

}  // namespace lab::config
