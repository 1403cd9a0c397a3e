#include "providers/breaker.h"

#include <algorithm>

namespace lab::providers {

Breaker::State Breaker::state(TimePoint now) const {
    if (state_ == State::open && now >= opened_at_ + options_.open_for) {
        return State::half_open;
    }
    return state_;
}

TimePoint Breaker::ready_at(TimePoint now) const {
    return state(now) == State::open ? opened_at_ + options_.open_for : now;
}

bool Breaker::try_acquire(TimePoint now) {
    switch (state(now)) {
        case State::closed:
            return true;
        case State::open:
            return false;
        case State::half_open:
            break;
    }
    if (state_ == State::open) {
        state_ = State::half_open;
        successes_ = 0;
        probes_in_flight_ = 0;
    }
    if (probes_in_flight_ >= options_.probes) {
        return false;
    }
    ++probes_in_flight_;
    return true;
}

void Breaker::on_success(TimePoint now) {
    failures_ = 0;
    if (state(now) != State::half_open) {
        return;
    }
    state_ = State::half_open;
    probes_in_flight_ = std::max(0, probes_in_flight_ - 1);
    if (++successes_ >= options_.successes_to_close) {
        state_ = State::closed;
        probes_in_flight_ = 0;
    }
}

void Breaker::on_failure(TimePoint now) {
    const bool was_half_open = state_ == State::half_open;
    ++failures_;
    if (was_half_open || (state_ == State::closed && failures_ >= options_.failures_to_open)) {
        state_ = State::open;
        opened_at_ = now;
        failures_ = 0;
        probes_in_flight_ = 0;
        ++times_opened_;
    }
}

void Breaker::on_neutral() {
    if (state_ == State::half_open) {
        probes_in_flight_ = std::max(0, probes_in_flight_ - 1);
    }
}

}  // namespace lab::providers
