#pragma once
#include "base/clock.h"

#include <cstdint>

namespace lab::providers {

struct BreakerOptions {
    int failures_to_open = 5;  ///< consecutive
    Duration open_for = std::chrono::seconds(60);
    int probes = 3;  ///< calls let through when half open
    int successes_to_close = 2;
};

/// Circuit breaker of one endpoint. Opened by consecutive connection errors, time-outs and 5xx;
/// never by 429. Pure: time is passed in.
class Breaker {
  public:
    enum class State : std::uint8_t { closed, half_open, open };
    explicit Breaker(BreakerOptions options = {}) : options_(options) {}
    /// Whether a call may be sent now; counts a probe when half open.
    bool try_acquire(TimePoint now);
    /// When try_acquire may next succeed; `now` when it would now.
    TimePoint ready_at(TimePoint now) const;
    void on_success(TimePoint now);
    void on_failure(TimePoint now);
    /// The call ended without saying anything about the endpoint (429, cancelled): a probe returns.
    void on_neutral();
    State state(TimePoint now) const;
    std::int64_t times_opened() const { return times_opened_; }

  private:
    BreakerOptions options_;
    State state_ = State::closed;
    int failures_ = 0;
    int successes_ = 0;
    int probes_in_flight_ = 0;
    TimePoint opened_at_{};
    std::int64_t times_opened_ = 0;
};

}  // namespace lab::providers
