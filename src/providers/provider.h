#pragma once
#include "base/ctx.h"
#include "domain/sample.h"
#include "domain/spec.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lab::providers {

/// One question to a model, fully rendered.
struct CallRequest {
    std::string model;  ///< the provider's name of it
    std::vector<domain::Message> messages;
    const Json* parameters = nullptr;  ///< of the variant; outlives the call
    bool stream = true;
    std::string item_id;  ///< replay finds the recorded output by it
    Duration timeout = std::chrono::seconds(120);
};

/// What the response's headers said about the rate limits; absent = not said.
struct RateHints {
    std::optional<Duration> retry_after;
    std::optional<std::int64_t> requests_remaining;
    std::optional<Duration> requests_reset;
    std::optional<std::int64_t> tokens_remaining;
    std::optional<Duration> tokens_reset;
};

enum class Outcome : std::uint8_t {
    ok,
    rate_limited,  ///< 429: belongs to the rate control, never to the breaker
    overloaded,    ///< 5xx, 408, 409, 529: retry, counts for the breaker (408 and 409 do not)
    network,       ///< connection refused, reset, closed mid-stream, time-out: retry, breaker
    refused,   ///< other 4xx: not retryable (bad request, bad key, unknown model, content policy)
    nonsense,  ///< answered 200 with what is not a response of this protocol: retryable
    cancelled,
};

struct CallResult {
    Outcome outcome = Outcome::ok;
    // With Outcome::ok:
    std::string output;
    std::string finish_reason;  ///< stop, length, content_filter, tool_calls, other
    domain::Usage usage;
    std::string model_reported;
    std::string logprobs;  ///< JSON array [{token, logprob, top: [[token, logprob]...]}], or empty
    std::optional<Duration> time_to_first_token;
    // With any other:
    Error error;  ///< message safe to show: never a key, at most 500 bytes of a body
    bool counts_for_breaker = false;
    /// Nobody was there (refused, no such name, no TLS): the request was not sent.
    bool unreachable = false;
    /// The request was sent and no usable answer came back: whether it is billed nobody knows.
    bool maybe_billed = false;
    // Always:
    int http_status = 0;
    Duration latency{0};
    RateHints hints;
    std::string request_id;  ///< the provider's
    bool replayed = false;
};

using CallId = std::uint64_t;
using CallDone = std::move_only_function<void(CallResult)>;

/// A source of answers. Loop thread only. `done` runs exactly once, on the loop thread; it may run
/// before start() returns (replay).
class Provider {
  public:
    virtual ~Provider() = default;
    virtual CallId start(CallRequest request, CallDone done) = 0;
    virtual void cancel(CallId id) = 0;
    /// Answers come from records: no cost, no intent row, no limits.
    virtual bool is_replay() const { return false; }
    /// What identifies the destination in cache keys, metrics and breakers: no secret in it.
    virtual const std::string& endpoint() const = 0;
    /// Upper bound of the tokens a call may be billed: input estimated from the text (never less
    /// than bytes/2 rounded up plus overhead), output from max_tokens or the model's limit.
    virtual domain::Usage worst_case(const CallRequest& request) const = 0;
};

}  // namespace lab::providers
