#include "platform/otlp/impl/verdict.h"

#include "base/percent.h"
#include "platform/otlp/messages.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lab::otlp {
namespace {

constexpr std::size_t kFrameBytes = 5;
constexpr Duration kRetryAfterMax = std::chrono::minutes(5);

/// The last with this name: a trailer stands behind the head.
std::optional<std::string_view> find(const Reply& reply, std::string_view name) {
    const auto found =
        std::find_if(reply.headers.rbegin(), reply.headers.rend(), [&](const auto& one) {
            return one.first == name;
        });
    return found == reply.headers.rend() ? std::nullopt
                                         : std::optional<std::string_view>(found->second);
}

std::optional<int> number_of(std::string_view text) {
    int out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(out)
                                                                    : std::nullopt;
}

Answer unreachable(std::string problem) {
    return {
        .end = Answer::End::unreachable,
        .response = {},
        .retry_after = {},
        .problem = std::move(problem)
    };
}

/// Codes of gRPC after which the same may be sent again.
bool is_passing(int code) {
    constexpr std::array kPassing{
        1,   // CANCELLED
        4,   // DEADLINE_EXCEEDED
        8,   // RESOURCE_EXHAUSTED: the collector's memory, not the size of the message, as a rule
        10,  // ABORTED
        11,  // OUT_OF_RANGE
        14,  // UNAVAILABLE
        15,  // DATA_LOSS
    };
    return std::ranges::find(kPassing, code) != kPassing.end();
}

}  // namespace

Answer grpc_verdict(const Reply& reply) {
    const auto said = find(reply, "grpc-status");
    const auto code = said ? number_of(*said) : std::nullopt;
    if (!code) {
        if (!reply.broken.empty()) {
            return unreachable(told_words(reply.broken));
        }
        // Somebody who does not speak gRPC, such as a proxy whose server is away.
        return unreachable("no gRPC there: HTTP status " + std::to_string(reply.status));
    }
    const bool framed = reply.body.size() >= kFrameBytes && reply.body[0] == '\0';
    if (*code == 0 && (framed || reply.body.empty())) {
        return {
            .end = Answer::End::taken,
            .response = framed ? reply.body.substr(kFrameBytes) : "",
            .retry_after = {},
            .problem = {}
        };
    }
    const auto message = find(reply, "grpc-message");
    std::string problem = "gRPC status " + std::to_string(*code);
    if (message) {
        problem += ": " + told_words(percent_decode(*message).value_or(std::string(*message)));
    }
    return {
        .end = is_passing(*code) ? Answer::End::unreachable : Answer::End::refused,
        .response = {},
        .retry_after = {},
        .problem = std::move(problem)
    };
}

Answer http_verdict(const Reply& reply) {
    if (!reply.broken.empty()) {
        return unreachable(told_words(reply.broken));
    }
    if (reply.status >= 200 && reply.status < 300) {
        return {
            .end = Answer::End::taken, .response = reply.body, .retry_after = {}, .problem = {}
        };
    }
    std::string problem = "HTTP status " + std::to_string(reply.status);
    if (find(reply, "content-type") == "application/x-protobuf") {
        problem += ": " + decode_status_message(reply.body);
    }
    constexpr std::array kPassing{429, 502, 503, 504};
    const bool again = std::ranges::find(kPassing, reply.status) != kPassing.end();
    Answer out{
        .end = again ? Answer::End::unreachable : Answer::End::refused,
        .response = {},
        .retry_after = {},
        .problem = std::move(problem)
    };
    const auto wait = find(reply, "retry-after");
    const auto seconds = wait ? number_of(*wait) : std::nullopt;
    if (again && seconds && *seconds > 0) {
        out.retry_after = std::min<Duration>(std::chrono::seconds(*seconds), kRetryAfterMax);
    }
    return out;
}

}  // namespace lab::otlp
