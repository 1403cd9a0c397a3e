#include "providers/retry.h"

#include <algorithm>
#include <cmath>

namespace lab::providers {
namespace {
/// Below this many retries the share of the budget says nothing yet.
constexpr double kRetriesFree = 100;
constexpr double kRetryAfterFactor = 5;
}  // namespace

bool is_retryable(Outcome outcome) {
    switch (outcome) {
        case Outcome::rate_limited:
        case Outcome::overloaded:
        case Outcome::network:
        case Outcome::nonsense:
            return true;
        case Outcome::ok:
        case Outcome::refused:
        case Outcome::cancelled:
            break;
    }
    return false;
}

std::optional<Duration> RetryPolicy::next_delay(int attempts_made, const CallResult& failure) {
    if (!is_retryable(failure.outcome) || attempts_made >= spec_.max_attempts) {
        return std::nullopt;
    }
    // A refusal for the rate is the server's answer to our speed and costs nothing: it does not
    // draw on the budget that keeps a dead endpoint from doubling the bill.
    const bool counts = failure.outcome != Outcome::rate_limited;
    const double allowed = std::max(kRetriesFree, spec_.budget_share * static_cast<double>(calls_));
    if (counts && static_cast<double>(retries_) >= allowed) {
        return std::nullopt;
    }
    retries_ += counts ? 1 : 0;
    const double maximum = spec_.maximum.count();
    if (failure.hints.retry_after) {
        const double asked = std::chrono::duration<double>(*failure.hints.retry_after).count();
        const double wait = std::clamp(asked, 0.0, maximum * kRetryAfterFactor);
        return std::chrono::duration_cast<Duration>(
            domain::Seconds(wait * (1 + 0.1 * rng_.uniform()))
        );
    }
    const double ceiling =
        std::min(maximum, spec_.initial.count() * std::exp2(std::min(attempts_made - 1, 60)));
    return std::chrono::duration_cast<Duration>(domain::Seconds(ceiling * rng_.uniform()));
}

}  // namespace lab::providers
