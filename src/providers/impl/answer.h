#pragma once
#include "platform/http/client.h"
#include "providers/provider.h"

#include <optional>
#include <string>
#include <string_view>

namespace lab::providers {

class JsonPull;

/// Token counts as a provider wrote them. A count that is negative, not a number or beyond any
/// model makes the whole usage unusable: then it is estimated from the text.
struct RawUsage {
    std::optional<std::int64_t> input;
    std::optional<std::int64_t> cache_read;
    std::optional<std::int64_t> cache_write;
    std::optional<std::int64_t> output;
    std::optional<std::int64_t> reasoning;
    std::optional<std::int64_t> total;
    bool broken = false;
    /// Reads one count; null leaves it as it was.
    void read(JsonPull& in, std::optional<std::int64_t>& count);
};

/// An error object of a provider.
struct ApiError {
    std::string message;
    std::string type;  ///< or status
    std::string code;  ///< text or number
    std::optional<Duration> retry_after;
    std::optional<int> meant;  ///< the HTTP status that says what it is, whatever the response's
};

/// What a reader has gathered of an answer.
struct Answer {
    std::string output;
    std::string
        refusal;  ///< the model's words when it refused to answer; output when there is none
    std::string finish_reason;  ///< normalised; empty = none came
    std::string model;
    std::string logprobs;  ///< elements of the normalised array, with commas between
    RawUsage usage;
    bool begun = false;     ///< something of this protocol was read
    bool complete = false;  ///< the protocol's own end mark was read
    std::optional<ApiError> error;
};

/// Appends one element of the normalised logprobs: {"token":..,"logprob":..,"top":[[..],..]}.
/// `token` is text, `logprob` a JSON number (empty = unknown), `top` what append_top_logprob made
/// (left out when empty).
void append_logprob(
    std::string& out, std::string_view token, std::string_view logprob, std::string_view top
);
/// Appends [token, logprob] to the elements of `top`.
void append_top_logprob(std::string& top, std::string_view token, std::string_view logprob);

/// Reads {"message", "type", "code", "status", "details"} or a plain string.
ApiError read_api_error(JsonPull& in);

/// The disjoint buckets. `cached_inside`: input includes what was read from the cache;
/// `reasoning_inside`: output includes the reasoning. Estimated from the sizes of the texts when
/// the raw usage is absent or cannot be right.
domain::Usage normalise_usage(
    const RawUsage& raw,
    bool cached_inside,
    bool reasoning_inside,
    std::size_t input_bytes,
    std::size_t output_bytes
);

/// Fills in outcome, error and counts_for_breaker for a response that is an error: by its status
/// (0 = an error object inside a response that began well) and its error object.
void classify_error(
    CallResult& result, std::string_view provider, int status, const ApiError& error
);
/// For a transfer that ended without a usable response.
void classify_transfer(
    CallResult& result, std::string_view provider, const http::TransferEnd& end, bool begun
);
/// Answered, but not in this protocol. `body` is quoted, at most 500 bytes of it.
void classify_nonsense(
    CallResult& result, std::string_view provider, std::string_view why, std::string_view body
);

}  // namespace lab::providers
