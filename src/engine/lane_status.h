#pragma once
#include "base/clock.h"
#include "providers/breaker.h"

#include <cstdint>
#include <string>

namespace lab::engine {

/// What one model of a run is doing, or why it does nothing.
enum class LaneState : std::uint8_t {
    working,
    done,          ///< has no samples left
    own_limit,     ///< waits for limits.requests_per_minute or tokens_per_minute
    retrying,      ///< all that is left to do waits for its next attempt
    no_budget,     ///< waits for calls in flight to turn out cheaper than they may be
    rate_limited,  ///< the server asked for a pause
    broken,        ///< its circuit breaker is open: nothing is sent until then
    given_up,      ///< takes no more samples in this run
};

struct LaneStatus {
    std::string name;
    LaneState state = LaneState::working;
    /// When it may go on: own_limit, retrying, rate_limited and broken.
    TimePoint until{};
    /// How its last failed call ended, for people: "answers 500", "openai cannot be reached". With
    /// given_up: why, with its name. Empty = none failed.
    std::string last_error;
    /// Of the breaker before its server, whatever the lane does.
    providers::Breaker::State breaker = providers::Breaker::State::closed;
};

}  // namespace lab::engine
