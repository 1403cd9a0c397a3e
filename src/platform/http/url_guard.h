#pragma once
#include "base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Which URLs that somebody gave may be called. Pure: no resolver, no sockets. What a name resolves
/// to is judged when a connection is made (ClientOptions::guard).
namespace lab::http {

/// An IPv4 (4 bytes) or IPv6 (16 bytes) address in network order.
using AddressBytes = std::span<const std::uint8_t>;

/// What keeps an address from being one of the public internet ("a loopback address"); empty =
/// nothing. An IPv4 address within an IPv6 one (mapped, 6to4, NAT64, Teredo) is judged as itself.
/// Source: IANA's special-purpose address registries (RFC 6890).
std::string_view address_problem(AddressBytes address);
/// Whether it is one of those that nobody names on purpose: link-local (the clouds' metadata
/// services), multicast, "this host" and what is reserved.
bool is_never_a_server(AddressBytes address);

/// The parts of a URL that matter here, in the one spelling that is taken.
struct OutboundUrl {
    bool tls = false;
    std::string host;  ///< lower case; an IPv6 address in brackets, in its shortest form
    std::uint16_t port = 0;
    std::vector<std::uint8_t> address = {};  ///< of a host that is one, else empty
};
/// Takes http and https with a host that has one reading only: no user, no fragment, no escapes,
/// no address in another form than four decimal numbers or RFC 5952. Errors: validation, with what
/// would be right.
Result<OutboundUrl> parse_outbound_url(std::string_view url);

/// A host that is allowed: "host", "host:port", "*.suffix", "[v6]:port".
struct HostRule {
    std::string host;        ///< as OutboundUrl::host; of "*.suffix" the ".suffix"
    bool below = false;      ///< "*.suffix": any name below it, not itself
    std::uint16_t port = 0;  ///< 0 = not said
};
/// Errors: validation.
Result<HostRule> parse_host_rule(std::string_view text);
/// A rule without a port: every port.
bool is_covered(std::span<const HostRule> rules, const OutboundUrl& url);
/// A rule without a port: 443 over TLS and nothing else. For what a secret is sent to.
bool is_covered_strictly(std::span<const HostRule> rules, const OutboundUrl& url);

/// What the operator allows.
struct UrlPolicy {
    /// Named by the operator: these may be private, at any port and without TLS.
    std::vector<HostRule> trusted = {};
    /// Public services, over TLS only; their names may not lead to private addresses.
    std::vector<HostRule> services = {};
    /// 127.0.0.1, [::1] and localhost as well: for trying out on one machine.
    bool loopback = false;
};

/// Any thread.
class UrlGuard {
  public:
    explicit UrlGuard(UrlPolicy policy) : policy_(std::move(policy)) {}

    /// `further`: services of this one use, such as the hosts of a credential. Errors: validation.
    Status check(std::string_view url, std::span<const HostRule> further = {}) const;
    /// Whether a connection to `address`, for that URL, may be made; why not, else empty.
    std::string_view refuse_address(const OutboundUrl& url, AddressBytes address) const;

  private:
    bool is_trusted(const OutboundUrl& url) const;
    UrlPolicy policy_;
};

}  // namespace lab::http
