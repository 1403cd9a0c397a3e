#include "platform/redis/url.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace lab::redis {
namespace {

constexpr std::size_t kHostsMax = 64;
constexpr std::size_t kHostBytesMax = 253;
constexpr int kDatabaseMax = 1'000'000;

Error wrong(const char* what) { return {Code::validation, what}; }

std::optional<int> number(std::string_view text, int max) {
    int out = 0;
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, out);
    const bool good = code == std::errc() && at == end && out >= 0 && out <= max;
    return good ? std::optional(out) : std::nullopt;
}

int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/// nullopt for a percent sign without its two digits.
std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
        i += 2;
    }
    return out;
}

bool is_host_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == ':';
}

Status read_login(std::string_view login, Endpoint& out) {
    const std::size_t colon = login.find(':');
    if (colon == std::string_view::npos) {
        return wrong("needs a password behind the user: user:password@host");
    }
    auto user = percent_decode(login.substr(0, colon));
    auto password = percent_decode(login.substr(colon + 1));
    if (!user || !password) {
        return wrong("has a percent sign without two hexadecimal digits in its user or password");
    }
    if (password->empty()) {
        return wrong("has an empty password");
    }
    out.user = *std::move(user);
    out.password = *std::move(password);
    return ok();
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    Address out;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return wrong("has an address without its closing bracket");
        }
        out.host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        has_port = text.starts_with(':');
        if (!has_port && !text.empty()) {
            return wrong("has something behind the bracket of an address");
        }
        port = has_port ? text.substr(1) : "";
    } else {
        const std::size_t colon = text.rfind(':');
        has_port = colon != std::string_view::npos;
        out.host = text.substr(0, colon);
        port = has_port ? text.substr(colon + 1) : "";
    }
    if (out.host.empty() || out.host.size() > kHostBytesMax ||
        !std::ranges::all_of(out.host, is_host_letter)) {
        return wrong("needs the names or addresses of hosts");
    }
    if (has_port) {
        const auto value = number(port, 65'535);
        if (!value || *value == 0) {
            return wrong("has a port that is none: 1 to 65535");
        }
        out.port = static_cast<std::uint16_t>(*value);
    }
    return out;
}

Result<Endpoint> parse_url(std::string_view url) {
    Endpoint out;
    out.tls = url.starts_with("rediss://");
    if (!out.tls && !url.starts_with("redis://")) {
        return wrong("has to begin with redis:// or rediss://");
    }
    url.remove_prefix(out.tls ? 9 : 8);
    if (url.find_first_of("?#") != std::string_view::npos) {
        return wrong("takes no query and no fragment");
    }
    // A password may hold a slash that was not written as %2F; a database holds no at sign.
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        LAB_CHECK(read_login(url.substr(0, at), out));
        url.remove_prefix(at + 1);
    }
    const std::size_t slash = url.find('/');
    if (slash != std::string_view::npos && slash + 1 < url.size()) {
        const auto database = number(url.substr(slash + 1), kDatabaseMax);
        if (!database) {
            return wrong("has a database that is no number");
        }
        out.database = *database;
    }
    for (const std::string_view host : split(url.substr(0, slash), ',')) {
        LAB_TRY(Address address, parse_address(host));
        if (std::ranges::find(out.hosts, address) == out.hosts.end()) {
            out.hosts.push_back(std::move(address));
        }
    }
    if (out.hosts.size() > kHostsMax) {
        return wrong("names more than 64 hosts");
    }
    return out;
}

}  // namespace lab::redis
