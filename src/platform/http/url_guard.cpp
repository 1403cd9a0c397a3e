#include "platform/http/url_guard.h"

#include "base/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace lab::http {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

struct Network {
    std::array<std::uint8_t, 16> bytes;
    unsigned prefix;
    std::string_view what;
    bool never = false;  ///< is_never_a_server
};

constexpr std::string_view kPrivate = "a private address";
constexpr std::string_view kLoopback = "a loopback address";
constexpr std::string_view kLinkLocal = "a link-local address";
constexpr std::string_view kReserved = "a reserved address";
constexpr std::string_view kMulticast = "a multicast address";

/// https://www.iana.org/assignments/iana-ipv4-special-registry
constexpr std::array kNetworks4{
    Network{{0}, 8, kReserved, true},
    Network{{10}, 8, kPrivate},
    Network{{100, 64}, 10, kPrivate},  // of carriers' NAT
    Network{{127}, 8, kLoopback},
    Network{{169, 254}, 16, kLinkLocal, true},
    Network{{172, 16}, 12, kPrivate},
    Network{{192, 0, 0}, 24, kReserved, true},
    Network{{192, 0, 2}, 24, kReserved, true},
    Network{{192, 88, 99}, 24, kReserved, true},
    Network{{192, 168}, 16, kPrivate},
    Network{{198, 18}, 15, kPrivate},
    Network{{198, 51, 100}, 24, kReserved, true},
    Network{{203, 0, 113}, 24, kReserved, true},
    Network{{224}, 4, kMulticast, true},
    Network{{240}, 4, kReserved, true},
};

/// https://www.iana.org/assignments/iana-ipv6-special-registry. What holds an IPv4 address is
/// unwrapped before.
constexpr std::array kNetworks6{
    Network{{}, 128, kReserved, true},
    Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, kLoopback},
    Network{{0, 0x64, 0xff, 0x9b, 0, 1}, 48, kPrivate},  // NAT64 of one's own
    Network{{0x01, 0}, 64, kReserved, true},
    Network{{0x20, 0x01, 0x0d, 0xb8}, 32, kReserved, true},
    Network{{0x20, 0x01}, 23, kReserved, true},  // with Teredo and ORCHID
    Network{{0x3f, 0xff}, 20, kReserved, true},
    Network{{0x5f}, 16, kReserved, true},
    Network{{0xfc}, 7, kPrivate},
    Network{{0xfe, 0x80}, 10, kLinkLocal, true},
    Network{{0xfe, 0xc0}, 10, kPrivate},
    Network{{0xff}, 8, kMulticast, true},
};

bool is_in(AddressBytes address, const Network& network) {
    for (unsigned bit = 0; bit < network.prefix; bit += 8) {
        const unsigned left = std::min(8U, network.prefix - bit);
        const auto mask = static_cast<std::uint8_t>(0xffU << (8U - left));
        if (((address[bit / 8] ^ network.bytes[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

bool begins_with(AddressBytes address, std::initializer_list<std::uint8_t> bytes) {
    return std::ranges::equal(address.first(bytes.size()), bytes);
}

/// The IPv4 address that an IPv6 one stands for; empty when it stands for itself.
AddressBytes embedded(AddressBytes address) {
    constexpr std::array<std::uint8_t, 10> kZeros{};
    const bool low = std::ranges::equal(address.first(10), kZeros);
    const bool mapped = low && address[10] == 0xff && address[11] == 0xff;
    const bool compatible = low && address[10] == 0 && address[11] == 0 &&
                            (address[12] != 0 || address[13] != 0 || address[14] != 0);
    const bool translated = begins_with(address, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0});
    // SIIT, RFC 2765: ::ffff:0:a.b.c.d
    const bool siit = std::ranges::equal(address.first(8), std::span(kZeros).first(8)) &&
                      address[8] == 0xff && address[9] == 0xff && address[10] == 0 &&
                      address[11] == 0;
    if (mapped || compatible || translated || siit) {
        return address.subspan(12, 4);
    }
    if (begins_with(address, {0x20, 0x02})) {
        return address.subspan(2, 4);
    }
    return {};
}

const Network* special_network(AddressBytes address) {
    if (address.size() == 16) {
        if (const AddressBytes four = embedded(address); !four.empty()) {
            return special_network(four);
        }
        const auto found =
            std::ranges::find_if(kNetworks6, [&](const Network& n) { return is_in(address, n); });
        return found == kNetworks6.end() ? nullptr : &*found;
    }
    LAB_ASSERT(address.size() == 4, "an address has 4 or 16 bytes");
    const auto found =
        std::ranges::find_if(kNetworks4, [&](const Network& n) { return is_in(address, n); });
    return found == kNetworks4.end() ? nullptr : &*found;
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<std::vector<std::uint8_t>> read_address(int family, const std::string& text) {
    std::vector<std::uint8_t> bytes(family == AF_INET ? 4 : 16);
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1 ? std::optional(bytes)
                                                                : std::nullopt;
}

/// Whether other programs would take the name for a number: URL Standard, "ends in a number".
bool looks_numeric(std::string_view host) {
    const std::string_view last = host.substr(host.rfind('.') + 1);
    const bool hex = last.starts_with("0x") &&
                     last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
    return is_digits(last) || hex;
}

bool is_name(std::string_view host) {
    if (host.empty() || host.size() > kNameBytesMax) {
        return false;
    }
    for (std::size_t begin = 0; begin <= host.size();) {
        const std::size_t end = std::min(host.find('.', begin), host.size());
        const std::string_view label = host.substr(begin, end - begin);
        const bool plain = std::ranges::all_of(label, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        });
        if (label.empty() || label.size() > kLabelBytesMax || !plain || label.front() == '-' ||
            label.back() == '-') {
            return false;
        }
        begin = end + 1;
    }
    return true;
}

/// Names that mean something on the machine or in the cluster the service runs in.
bool is_local_name(std::string_view host) {
    constexpr std::array<std::string_view, 16> kSuffixes{
        ".localhost",
        ".localdomain",
        ".local",
        ".internal",
        ".svc",
        ".cluster",
        ".lan",
        ".intranet",
        ".corp",
        ".private",
        ".home",
        ".home.arpa",
        ".consul",
        ".docker",
        ".pod",
        ".onion",
    };
    return host.find('.') == std::string_view::npos ||
           std::ranges::any_of(kSuffixes, [&](std::string_view s) { return host.ends_with(s); });
}

Error bad(std::string why) { return {Code::validation, std::move(why)}; }

/// Fills host and address from what stands before the port.
Status read_host(std::string_view text, OutboundUrl& out) {
    if (text.starts_with('[')) {
        auto bytes = text.ends_with(']') && text.size() > 2
                         ? read_address(AF_INET6, std::string(text.substr(1, text.size() - 2)))
                         : std::nullopt;
        if (!bytes) {
            return bad("must name a host, or an IPv6 address in brackets and without a zone");
        }
        std::array<char, INET6_ADDRSTRLEN> shortest{};
        ::inet_ntop(AF_INET6, bytes->data(), shortest.data(), shortest.size());
        out.host = "[" + std::string(shortest.data()) + "]";
        out.address = *std::move(bytes);
        return ok();
    }
    out.host = to_lower(text);
    if (looks_numeric(out.host)) {
        auto bytes = read_address(AF_INET, out.host);
        if (!bytes) {
            return bad("must write an address as four decimal numbers, such as 192.0.2.1");
        }
        out.address = *std::move(bytes);
        return ok();
    }
    if (!is_name(out.host)) {
        return bad(
            "must name a host of letters, digits, '-' and '.', without a user and without escapes"
        );
    }
    return ok();
}

struct Authority {
    std::string_view host;
    std::optional<std::string_view> port;
};
Authority split_authority(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    const std::size_t bracket = text.rfind(']');
    if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
        return {text, std::nullopt};
    }
    return {text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::uint16_t> read_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = is_digits(text) && code == std::errc() && end == text.data() + text.size();
    return whole && port != 0 && text.front() != '0' ? std::optional(port) : std::nullopt;
}

bool names_host(const HostRule& rule, const OutboundUrl& url) {
    if (rule.below) {
        return url.address.empty() && url.host.size() > rule.host.size() &&
               url.host.ends_with(rule.host);
    }
    return url.host == rule.host;
}

}  // namespace

std::string_view address_problem(AddressBytes address) {
    const Network* network = special_network(address);
    return network == nullptr ? std::string_view() : network->what;
}

bool is_never_a_server(AddressBytes address) {
    const Network* network = special_network(address);
    return network != nullptr && network->never;
}

Result<OutboundUrl> parse_outbound_url(std::string_view url) {
    if (url.size() > kUrlBytesMax) {
        return bad("must be a URL of at most 2048 bytes");
    }
    if (!is_visible_ascii(url)) {
        return bad("must be a URL of plain ASCII characters, without blanks");
    }
    const std::size_t mark = url.find("://");
    const std::string scheme = to_lower(url.substr(0, mark));
    if (mark == std::string_view::npos || (scheme != "http" && scheme != "https")) {
        return bad("must be a URL that begins with https:// or http://");
    }
    if (url.find_first_of("\\#<>\"`{}|^") != std::string_view::npos) {
        return bad("must be a URL without \\ and without a fragment (#)");
    }
    OutboundUrl out;
    out.tls = scheme == "https";
    const std::string_view rest = url.substr(mark + 3);
    const auto [host, port_text] = split_authority(rest.substr(0, rest.find_first_of("/?")));
    LAB_CHECK(read_host(host, out));
    out.port = out.tls ? 443 : 80;
    if (port_text) {
        const auto port = read_port(*port_text);
        if (!port) {
            return bad("must have a port of 1 to 65535, or none");
        }
        out.port = *port;
    }
    return out;
}

Result<HostRule> parse_host_rule(std::string_view text) {
    HostRule out;
    OutboundUrl parsed;
    const std::string trimmed(trim(text));
    const Error refused = bad(
        "must be a host such as api.example.org, *.example.org or 10.0.0.7:8000, with or without a "
        "port"
    );
    // A zero byte would end it for inet_pton, and U+212A is a k in lower case.
    if (!is_visible_ascii(trimmed)) {
        return refused;
    }
    // An IPv6 address may stand without brackets, when there is no port.
    if (const auto bare = read_address(AF_INET6, trimmed)) {
        LAB_CHECK(read_host("[" + trimmed + "]", parsed));
        out.host = parsed.host;
        return out;
    }
    const auto [host, port_text] = split_authority(trimmed);
    out.below = host.starts_with("*.");
    const bool fits =
        static_cast<bool>(read_host(out.below ? host.substr(2) : host, parsed)) &&
        !(out.below && (!parsed.address.empty() || parsed.host.find('.') == parsed.host.npos));
    const auto port = port_text ? read_port(*port_text) : std::nullopt;
    if (!fits || (port_text && !port)) {
        return refused;
    }
    out.host = (out.below ? "." : "") + parsed.host;
    out.port = port.value_or(0);
    return out;
}

bool is_covered(std::span<const HostRule> rules, const OutboundUrl& url) {
    return std::ranges::any_of(rules, [&](const HostRule& rule) {
        return names_host(rule, url) && (rule.port == 0 || rule.port == url.port);
    });
}

bool is_covered_strictly(std::span<const HostRule> rules, const OutboundUrl& url) {
    return std::ranges::any_of(rules, [&](const HostRule& rule) {
        return names_host(rule, url) &&
               (rule.port == 0 ? url.tls && url.port == 443 : rule.port == url.port);
    });
}

bool UrlGuard::is_trusted(const OutboundUrl& url) const {
    const bool here = url.host == "127.0.0.1" || url.host == "[::1]" || url.host == "localhost";
    return (policy_.loopback && here) || is_covered(policy_.trusted, url);
}

Status UrlGuard::check(std::string_view url, std::span<const HostRule> further) const {
    LAB_TRY(const OutboundUrl parsed, parse_outbound_url(url));
    if (is_trusted(parsed)) {
        return ok();
    }
    constexpr std::string_view kWayOut =
        ": the operator can allow it by name (PROVIDER_ALLOWED_HOSTS)";
    if (!parsed.address.empty()) {
        if (const auto problem = address_problem(parsed.address); !problem.empty()) {
            return bad("leads to " + std::string(problem) + std::string(kWayOut));
        }
    } else if (is_local_name(parsed.host)) {
        return bad("leads to a name of the local network" + std::string(kWayOut));
    }
    if (!is_covered(policy_.services, parsed) && !is_covered(further, parsed)) {
        return bad(
            "the host of this URL is not one the operator allows (PROVIDER_ALLOWED_HOSTS, or a "
            "credential)"
        );
    }
    const bool exact =
        is_covered_strictly(policy_.services, parsed) || is_covered_strictly(further, parsed);
    return exact && parsed.tls ? ok()
                               : Status(bad("must begin with https:// and name no other port"));
}

std::string_view UrlGuard::refuse_address(const OutboundUrl& url, AddressBytes address) const {
    if (!is_trusted(url)) {
        return address_problem(address);
    }
    // Named by hand: private addresses are meant. Those of no server are not, unless written out.
    const bool meant = !url.address.empty() || !is_never_a_server(address);
    return meant ? std::string_view() : address_problem(address);
}

}  // namespace lab::http
