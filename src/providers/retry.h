#pragma once
#include "base/clock.h"
#include "base/rng.h"
#include "domain/spec.h"
#include "providers/provider.h"

#include <cstdint>
#include <optional>

namespace lab::providers {

bool is_retryable(Outcome outcome);

/// Exponential backoff with full jitter (Brooker 2015), bounded attempts, and a retry budget for
/// the whole run so that a dead endpoint does not double the bill. Pure.
class RetryPolicy {
  public:
    RetryPolicy(domain::RetrySpec spec, std::uint64_t seed) : spec_(spec), rng_(seed) {}
    void on_call() { ++calls_; }
    /// How long to wait before attempt number `attempts_made + 1`; nullopt = give up. A Retry-After
    /// is honoured exactly (plus up to 10 % jitter) when it is at most spec.maximum * 5, else it is
    /// capped there.
    std::optional<Duration> next_delay(int attempts_made, const CallResult& failure);

  private:
    domain::RetrySpec spec_;
    Rng rng_;
    std::int64_t calls_ = 0;
    std::int64_t retries_ = 0;  ///< that drew on the budget
};

}  // namespace lab::providers
