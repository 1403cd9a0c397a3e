#include "fuzz/fuzz.h"
#include "platform/http/impl/server_head.h"

#include <algorithm>

namespace {
using namespace lab;
using State = http::HeadReader::State;

constexpr http::HeadLimits kLimits{
    .header_bytes_max = 2048, .header_count_max = 16, .uri_bytes_max = 1024
};

void require_same(const http::Head& a, const http::Head& b) {
    fuzz::require(
        a.request.method == b.request.method && a.request.target == b.request.target &&
            a.request.path == b.request.path && a.request.query == b.request.query &&
            a.request.version_minor == b.request.version_minor,
        "request lines have one reading"
    );
    fuzz::require(a.request.headers == b.request.headers, "fields have one reading");
    fuzz::require(
        a.content_length == b.content_length && a.framing == b.framing &&
            a.keep_alive == b.keep_alive && a.expects_continue == b.expects_continue,
        "requests have one end"
    );
}

/// What a proxy that read it as we did would send on.
std::string write(const http::RequestHead& head) {
    std::string out =
        head.method + " " + head.target + " HTTP/1." + std::to_string(head.version_minor) + "\r\n";
    for (const auto& [name, value] : head.headers) {
        out += name + ": " + value + "\r\n";
    }
    return out + "\r\n";
}

void check_complete(const http::Head& head) {
    int hosts = 0;
    int lengths = 0;
    int codings = 0;
    fuzz::require(http::is_token(head.request.method), "a method is a token");
    fuzz::require(head.request.headers.size() <= kLimits.header_count_max + 1, "fields are few");
    for (const auto& [name, value] : head.request.headers) {
        fuzz::require(http::is_token(name) && http::is_field_value(value), "fields can be sent on");
        hosts += http::same_ignoring_case(name, "host") ? 1 : 0;
        lengths += http::same_ignoring_case(name, "content-length") ? 1 : 0;
        codings += http::same_ignoring_case(name, "transfer-encoding") ? 1 : 0;
    }
    fuzz::require(hosts <= 1 && hosts >= (head.request.version_minor > 0 ? 1 : 0), "one host");
    fuzz::require(lengths + codings <= 1, "a body has one end");
    fuzz::require((codings == 1) == (head.framing == http::Framing::chunked), "chunked is said");
    fuzz::require(head.framing != http::Framing::length || lengths == 1, "a length is said");
    const std::string text = write(head.request);
    http::HeadReader again({.header_bytes_max = 8192, .header_count_max = 32, .uri_bytes_max = 1024}
    );
    fuzz::require(again.read(text) == State::complete, "what was taken can be sent on");
    fuzz::require(again.size() == text.size(), "what is sent on is one head");
    require_same(head, again.head());
}
}  // namespace

// A request head means the same whole, in pieces, and when it is written out again.
FUZZ_TARGET(http_head) {
    std::string_view text = input;
    const std::size_t step = 1 + fuzz::take_choice(text) % 16;
    http::HeadReader whole(kLimits);
    const State expected = whole.read(text);
    http::HeadReader pieces(kLimits);
    State got = State::more;
    for (std::size_t end = 0; got == State::more && end < text.size();) {
        end = std::min(text.size(), end + step);
        got = pieces.read(text.substr(0, end));
    }
    if (expected == State::complete) {
        fuzz::require(got == expected, "what is taken whole is taken in pieces");
        fuzz::require(whole.size() == pieces.size(), "heads have one size");
        fuzz::require(
            whole.size() <= std::min(text.size(), http::head_bytes_max(kLimits)), "heads are short"
        );
        require_same(whole.head(), pieces.head());
        check_complete(whole.head());
    } else if (expected == State::refused) {
        fuzz::require(got == expected, "what is refused whole is refused in pieces");
        const int status = whole.refusal().status;
        fuzz::require(status >= 400 && status < 600, "a refusal has a status");
        fuzz::require(!whole.refusal().why.empty(), "a refusal says why");
    } else {
        fuzz::require(text.size() <= http::head_bytes_max(kLimits), "nobody fills our memory");
    }
}
