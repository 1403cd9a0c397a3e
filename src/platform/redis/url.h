#pragma once
#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab::redis {

struct Address {
    std::string host;
    std::uint16_t port = 6379;
    auto operator<=>(const Address&) const = default;
};

/// Where a server, or some nodes of a cluster, are, and who we are to them.
struct Endpoint {
    bool tls = false;
    std::vector<Address> hosts;  ///< at least one
    std::string user;            ///< empty: the default user
    std::string password;        ///< empty: none is asked for
    int database = 0;
};

/// redis://[[user]:password@]host[:port][,host[:port]...][/database], rediss:// with TLS. User and
/// password may hold percent signs and two digits; an IPv6 address stands in brackets.
/// Errors: validation, which holds nothing of the URL.
Result<Endpoint> parse_url(std::string_view url);

/// "host:port", of IPv6 "[host]:port"; also how a cluster names its nodes. Errors: validation.
Result<Address> parse_address(std::string_view text);

}  // namespace lab::redis
