#pragma once
#include "base/clock.h"

#include <optional>

namespace lab::providers {

/// A bucket of `per_minute` units that refills continuously and never holds more than `burst`
/// (default: one second's worth, at least one call's). Units may be borrowed once: a call larger
/// than the bucket passes when the bucket is full and leaves it negative. Pure: time is passed in.
class TokenBucket {
  public:
    TokenBucket(double per_minute, double burst);
    /// When `units` may be taken; `now` or earlier = at once. Does not take.
    TimePoint ready_at(double units, TimePoint now) const;
    void take(double units, TimePoint now);
    /// Gives back what was reserved and not used (actual tokens < estimated), or takes more.
    void correct(double units, TimePoint now);
    /// The server says that `remaining` units are left until `reset`: never hold more.
    void learn(double remaining, TimePoint now);

  private:
    double level_at(TimePoint now) const;
    double per_nanosecond_;
    double burst_;
    double level_;
    TimePoint updated_{};
};

/// How many calls may be in flight: additive increase (one more after a window's worth of
/// successes), multiplicative decrease (half, at most once per round trip) on 429 and overload.
/// Starts at the maximum: the user asked for it.
class AdaptiveConcurrency {
  public:
    explicit AdaptiveConcurrency(int maximum);
    int limit() const { return static_cast<int>(limit_); }
    void on_success();
    /// `sent_at` of the failing call: failures of calls sent before the last decrease are ignored.
    void on_overload(TimePoint sent_at, TimePoint now);

  private:
    double maximum_;
    double limit_;
    TimePoint last_decrease_{};
};

}  // namespace lab::providers
