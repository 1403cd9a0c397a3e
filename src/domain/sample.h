#pragma once
#include "base/clock.h"
#include "base/money.h"
#include "domain/spec.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab::domain {

/// Tokens in disjoint buckets: every token is in exactly one, whatever the provider's way of
/// counting. Reasoning tokens are billed as output.
struct Usage {
    std::int64_t input = 0;  ///< uncached input
    std::int64_t cache_read = 0;
    std::int64_t cache_write = 0;
    std::int64_t output = 0;  ///< visible output
    std::int64_t reasoning = 0;
    bool estimated = false;  ///< the provider sent none; counted from the text
    std::int64_t total() const { return input + cache_read + cache_write + output + reasoning; }
    bool operator==(const Usage&) const = default;
};

/// Actual cost; nullopt when a price that is needed is unknown.
std::optional<Money> cost_of(const Usage& usage, const Pricing& pricing);

enum class SampleState : std::uint8_t {
    done = 1,    ///< has an output
    failed = 2,  ///< no output: missing, not wrong
};

/// A finished sample as it is stored. (run, index) identifies it; index is
/// (variant * items + item) * repetitions + repetition.
struct SampleResult {
    std::int64_t index = 0;
    int variant = 0;
    std::int64_t item = 0;  ///< position in the planned item list
    int repetition = 0;
    std::string item_id;
    SampleState state = SampleState::done;
    std::string output;
    std::string finish_reason;  ///< stop, length, content_filter, tool_calls, other
    std::string error_code;     ///< of Code, for failed samples
    std::string error_message;
    int http_status = 0;
    Usage usage;
    std::optional<Money> cost;  ///< nullopt = n/a
    bool cached = false;        ///< from the response cache: cost 0
    bool replayed = false;
    int attempts = 0;     ///< requests sent for it by the process that finished it
    Duration latency{0};  ///< of the successful attempt
    std::optional<Duration> time_to_first_token;
    std::string cache_key;  ///< 32 bytes, or empty when it must not be reused
    std::string scores;     ///< encoded by engine/score.h
    std::string logprobs;   ///< JSON as the provider sent it, normalised; empty without
};

}  // namespace lab::domain
