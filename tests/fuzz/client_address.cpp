#include "api/impl/encode.h"
#include "fuzz/fuzz.h"

#include <algorithm>

// X-Forwarded-For: without a proxy that is trusted it changes nothing.
FUZZ_TARGET(client_address) {
    using namespace lab;
    static const std::vector<std::string> kProxies{"10.0.0.1", "10.0.0.2"};
    http::RequestHead head;
    head.headers.emplace_back("X-Forwarded-For", input);
    head.peer.address = "192.0.2.7";
    fuzz::require(api::client_address(head, kProxies) == "192.0.2.7", "nobody is believed");
    head.peer.address = "10.0.0.1";
    const std::string address = api::client_address(head, kProxies);
    fuzz::require(address.size() <= 192 && !address.empty(), "an address is short");
    const bool is_proxy = std::ranges::find(kProxies, address) != kProxies.end();
    fuzz::require(!is_proxy || address == head.peer.address, "a proxy is not the client");
    // What the client says stands in front of what the last proxy added.
    head.headers.front().second += ", 203.0.113.9, 10.0.0.2";
    fuzz::require(api::client_address(head, kProxies) == "203.0.113.9", "no client forges itself");
}
