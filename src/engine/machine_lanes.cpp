#include "base/text.h"
#include "engine/machine.h"

#include <algorithm>

/// What the machine learns about a model's server, and when it has waited long enough for it.
namespace lab::engine {
namespace {

using providers::CallResult;
using providers::Outcome;

/// A lane whose breaker opened this often without one success in between is given up: with the
/// default breaker that is after about two minutes of silence.
constexpr std::int64_t kOpeningsToGiveUp = 3;
/// So many refusals in a row before the first success mean a wrong key or model name, not bad luck.
constexpr std::int64_t kRefusalsToGiveUp = 10;
constexpr std::size_t kErrorBytesMax = 200;

std::string error_words(const CallResult& result) {
    return result.http_status >= 400 ? "answers " + std::to_string(result.http_status)
                                     : shorten(result.error.message, kErrorBytesMax);
}

}  // namespace

void Machine::learn(Lane& lane, const Active& active, const CallResult& result, TimePoint now) {
    const bool overload =
        result.outcome == Outcome::rate_limited || result.outcome == Outcome::overloaded;
    counters_.rate_limited += result.outcome == Outcome::rate_limited ? 1 : 0;
    if (overload) {
        lane.concurrency.on_overload();
    } else if (result.outcome == Outcome::ok) {
        lane.concurrency.on_success();
    }
    if (result.counts_for_breaker) {
        lane.breaker.on_failure(now);
    } else if (result.outcome == Outcome::ok || result.outcome == Outcome::refused) {
        lane.breaker.on_success(now);  // it answers, whatever it says
    } else {
        lane.breaker.on_neutral();
    }
    const providers::RateHints& hints = result.hints;
    const auto pause = [&](Duration lasts) {
        lane.told_to_pause_until = std::max(lane.told_to_pause_until, now + lasts);
        lane.paused_until = std::max(lane.paused_until, now + lasts);
    };
    if (hints.requests_remaining == 0 && hints.requests_reset) {
        pause(*hints.requests_reset);
    }
    if (hints.tokens_remaining && hints.tokens_reset &&
        *hints.tokens_remaining < active.reserved_tokens / 2) {
        pause(*hints.tokens_reset);
    }
    if (result.outcome != Outcome::ok && result.outcome != Outcome::cancelled) {
        lane.last_failure = result.outcome;
        lane.last_error = error_words(result);
    }
    lane.ever_reached =
        lane.ever_reached || (!result.unreachable && result.outcome != Outcome::cancelled);
}

void Machine::check_lane_health(int lane_index, const CallResult& result, TimePoint now) {
    Lane& lane = lanes_[static_cast<std::size_t>(lane_index)];
    if (result.outcome == Outcome::ok) {
        lane.opened_without_success = 0;
        lane.refused_in_a_row = 0;
        lane.ever_succeeded = true;
    }
    lane.refused_in_a_row += result.outcome == Outcome::refused ? 1 : 0;
    if (lane.breaker.times_opened() > lane.times_opened_seen) {
        lane.times_opened_seen = lane.breaker.times_opened();
        ++lane.opened_without_success;
    }
    // Nobody there from the first call on is a wrong address, not an outage to sit out. Whoever
    // takes a request and breaks off is there.
    const bool nobody = !lane.ever_reached && result.unreachable;
    if (lane.opened_without_success >= (nobody ? 1 : kOpeningsToGiveUp)) {
        give_up(
            lane_index,
            "model " + lane.config.name + " does not answer: " + result.error.message,
            now
        );
    } else if (!lane.ever_succeeded && lane.refused_in_a_row >= kRefusalsToGiveUp) {
        give_up(
            lane_index,
            "model " + lane.config.name + " refuses every call: " + result.error.message,
            now
        );
    }
}

/// The others go on; when there are none, the run ends.
void Machine::give_up(int lane_index, std::string why, TimePoint now) {
    Lane& lane = lanes_[static_cast<std::size_t>(lane_index)];
    if (stopping_ || !lane.given_up.empty()) {
        return;
    }
    lane.given_up = std::move(why);
    withdraw_what_is_not_in_flight(lane_index);
    const bool others = std::ranges::any_of(lanes_, [](const Lane& one) {
        return one.given_up.empty() && !one.exhausted;
    });
    const bool others_at_work = std::ranges::any_of(active_, [this](const auto& one) {
        return lane_of(one.second).given_up.empty();
    });
    if (!others && !others_at_work) {
        stop(StopReason::endpoint_down, given_up_words(), now);
    }
}

std::string Machine::given_up_words() const {
    std::string words;
    for (const Lane& lane : lanes_) {
        if (!lane.given_up.empty()) {
            words += (words.empty() ? "" : "; ") + lane.given_up;
        }
    }
    return words;
}

bool Machine::waits_for_budget(std::size_t lane_index) const {
    const Lane& lane = lanes_[lane_index];
    return !blocked_.empty() && (!lane.exhausted || lane.before_flight > 0);
}

LaneStatus Machine::lane_status(std::size_t lane_index, TimePoint now) const {
    const Lane& lane = lanes_[lane_index];
    LaneStatus out{
        .name = lane.config.name,
        .last_error = lane.last_error,
        .breaker = lane.breaker.state(now),
    };
    const auto is = [&out](LaneState state, TimePoint until = {}) {
        out.state = state;
        out.until = until;
        return out;
    };
    if (!lane.given_up.empty()) {
        out.last_error = lane.given_up;
        return is(LaneState::given_up);
    }
    const bool idle = lane.in_flight == 0 && lane.ready.empty();
    const bool to_be_sent = lane.before_flight > 0 || !lane.waiting.empty() || !lane.exhausted;
    if (!to_be_sent && lane.in_flight == 0) {
        return is(LaneState::done);
    }
    if (lane.config.replay || stopping_ || !to_be_sent) {
        return is(LaneState::working);
    }
    if (lane.breaker.state(now) == providers::Breaker::State::open) {
        return is(LaneState::broken, lane.breaker.ready_at(now));
    }
    if (lane.paused_until > now) {
        return is(LaneState::rate_limited, lane.paused_until);
    }
    if (idle && lane.before_flight == 0 && !lane.waiting.empty()) {
        const bool asked = lane.last_failure == Outcome::rate_limited;
        return is(asked ? LaneState::rate_limited : LaneState::retrying, lane.waiting.top().due);
    }
    if (idle && waits_for_budget(lane_index)) {
        return is(LaneState::no_budget);
    }
    if (lane.in_flight == 0 && !lane.ready.empty()) {
        TimePoint when = now;
        const Active& head = active_.at(lane.ready.front());
        if (lane.requests) {
            when = std::max(when, lane.requests->ready_at(1, now));
        }
        if (lane.tokens) {
            when = std::max(
                when, lane.tokens->ready_at(static_cast<double>(head.reserved_tokens), now)
            );
        }
        if (when > now) {
            return is(LaneState::own_limit, when);
        }
    }
    return is(LaneState::working);
}

}  // namespace lab::engine
