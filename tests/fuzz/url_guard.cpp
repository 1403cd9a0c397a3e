#include "platform/http/url_guard.h"

#include "base/text.h"
#include "fuzz/fuzz.h"

#include <algorithm>

namespace {
using namespace lab;
using fuzz::require;

std::string write(const http::OutboundUrl& url) {
    return (url.tls ? "https://" : "http://") + url.host + ":" + std::to_string(url.port) + "/x?y";
}

bool is_plain(std::string_view host) {
    return std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view(".-_[]:").contains(c);
    });
}

void check_url(std::string_view text, const http::OutboundUrl& url) {
    require(is_plain(url.host) && !url.host.empty() && url.port != 0, "a host has one spelling");
    const auto again = http::parse_outbound_url(write(url));
    require(again.has_value(), "what is taken can be written");
    require(
        again->host == url.host && again->port == url.port && again->tls == url.tls &&
            again->address == url.address,
        "a URL has one reading"
    );
    static const http::UrlGuard kStrict({.services = {{.host = "api.example.org"}}});
    if (kStrict.check(text)) {
        require(url.tls, "only over TLS");
        require(url.host.contains('.') || !url.address.empty(), "no name of this machine");
        require(
            url.address.empty() || http::address_problem(url.address).empty(),
            "no address of this network"
        );
    }
    const auto rule = http::parse_host_rule(url.host + ":" + std::to_string(url.port));
    require(rule.has_value(), "its host can be allowed");
    const std::array rules{*rule};
    require(
        http::is_covered(rules, url) && http::is_covered_strictly(rules, url), "and then is allowed"
    );
}

void check_rule(std::string_view text, const http::HostRule& rule) {
    const std::string_view written = trim(text);
    require(
        std::ranges::all_of(written, [](char c) { return c > 0x20 && c < 0x7f; }),
        "a rule is plain text"
    );
    require(is_plain(rule.host) && !rule.host.empty(), "a rule has one spelling");
    const std::string port = rule.port == 0 ? "" : ":" + std::to_string(rule.port);
    const auto again = http::parse_host_rule((rule.below ? "*" : "") + rule.host + port);
    require(again.has_value(), "what is taken can be written");
    require(
        again->host == rule.host && again->below == rule.below && again->port == rule.port,
        "a rule has one reading"
    );
}
}  // namespace

// A URL that a user gave, and behind a line feed a host that the operator allows.
FUZZ_TARGET(url_guard) {
    std::string_view rest = input;
    const std::string_view text = fuzz::take_until(rest, '\n');
    const auto url = http::parse_outbound_url(text);
    if (url) {
        check_url(text, *url);
    } else {
        require(!http::UrlGuard({}).check(text), "what has no reading is not called");
    }
    const auto rule = http::parse_host_rule(rest);
    if (rule) {
        check_rule(rest, *rule);
    }
    if (url && rule) {
        const std::array rules{*rule};
        const bool named = rule->below ? url->host.ends_with(rule->host) && url->host != rule->host
                                       : url->host == rule->host;
        require(!http::is_covered(rules, *url) || named, "a rule allows what it names");
        require(
            !http::is_covered_strictly(rules, *url) || http::is_covered(rules, *url),
            "the strict reading allows less"
        );
    }
}
