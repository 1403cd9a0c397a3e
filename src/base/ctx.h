#pragma once
#include "base/clock.h"
#include "base/result.h"

#include <atomic>
#include <memory>
#include <string>

namespace lab {

/// Why work was given up.
enum class CancelReason : std::uint8_t { none, user, deadline, budget, shutdown };

/// One flag shared by everybody who works on the same thing. Copies share the flag.
/// Setting it is async-signal-safe and thread-safe; the first reason wins.
class CancelToken {
  public:
    CancelToken() : reason_(std::make_shared<std::atomic<CancelReason>>(CancelReason::none)) {}
    void cancel(CancelReason reason) const {
        CancelReason expected = CancelReason::none;
        reason_->compare_exchange_strong(expected, reason);
    }
    CancelReason reason() const { return reason_->load(std::memory_order_relaxed); }
    bool cancelled() const { return reason() != CancelReason::none; }

  private:
    std::shared_ptr<std::atomic<CancelReason>> reason_;
};

/// First parameter of everything that can wait: until when, and whether anybody still wants it.
/// A child made by within() never outlives its parent.
class Ctx {
  public:
    explicit Ctx(const Clock& clock) : clock_(&clock) {}
    Ctx(const Clock& clock, CancelToken token) : clock_(&clock), token_(std::move(token)) {}

    Ctx within(Duration limit) const {
        Ctx child = *this;
        const TimePoint then = clock_->now() + limit;
        child.deadline_ = then < deadline_ ? then : deadline_;
        return child;
    }

    const Clock& clock() const { return *clock_; }
    const CancelToken& token() const { return token_; }
    TimePoint deadline() const { return deadline_; }
    bool has_deadline() const { return deadline_ != TimePoint::max(); }
    /// Never negative; Duration::max() without a deadline.
    Duration remaining() const;
    /// An error (cancelled, timed_out) when the work should stop.
    Status check() const;

  private:
    const Clock* clock_;
    CancelToken token_;
    TimePoint deadline_ = TimePoint::max();
};

}  // namespace lab
