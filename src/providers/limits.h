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
    /// From now on so many, and so much at most; what is in it stays when it fits.
    void set_rate(double per_minute, double burst, TimePoint now);

  private:
    double level_at(TimePoint now) const;
    double per_nanosecond_;
    double burst_;
    double level_;
    TimePoint updated_{};
};

/// How many calls may be in flight. Starts at the maximum: the user asked for it. Judged by windows
/// of as many answers as the limit: when more than a seventh of a window says "too much" (429,
/// 5xx), the limit shrinks by that share, at most by half; a clean window lets it grow by one.
/// Single refusals are the retry's business: halving on each of them would let a few failures in a
/// hundred bring the throughput down to nothing. Pure.
class AdaptiveConcurrency {
  public:
    explicit AdaptiveConcurrency(int maximum);
    int limit() const { return limit_; }
    void on_success();
    void on_overload();

  private:
    void close_window();
    int maximum_;
    int limit_;
    int answers_ = 0;
    int overloads_ = 0;
};

}  // namespace lab::providers
