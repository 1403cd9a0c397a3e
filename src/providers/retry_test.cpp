#include "providers/retry.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {
using namespace std::chrono_literals;

CallResult failure(Outcome outcome) {
    CallResult result;
    result.outcome = outcome;
    return result;
}

TEST(RetryPolicy, RetriesOnlyWhatMayPass) {
    EXPECT_TRUE(is_retryable(Outcome::rate_limited));
    EXPECT_TRUE(is_retryable(Outcome::overloaded));
    EXPECT_TRUE(is_retryable(Outcome::network));
    EXPECT_FALSE(is_retryable(Outcome::refused));
    EXPECT_FALSE(is_retryable(Outcome::cancelled));
    RetryPolicy policy({}, 1);
    EXPECT_FALSE(policy.next_delay(1, failure(Outcome::refused)));
}

TEST(RetryPolicy, BacksOffExponentiallyWithFullJitter) {
    domain::RetrySpec spec;
    spec.max_attempts = 100;
    spec.budget_share = 1e9;
    RetryPolicy policy(spec, 1);
    policy.on_call();
    double largest_first = 0;
    for (int i = 0; i < 1000; ++i) {
        const Duration delay = *policy.next_delay(1, failure(Outcome::network));
        EXPECT_GE(delay, 0ns);
        EXPECT_LE(delay, 500ms);
        largest_first = std::max(largest_first, std::chrono::duration<double>(delay).count());
        EXPECT_LE(*policy.next_delay(4, failure(Outcome::network)), 4s);
        EXPECT_LE(*policy.next_delay(99, failure(Outcome::network)), 60s);
    }
    EXPECT_GT(largest_first, 0.45);
}

TEST(RetryPolicy, HonoursRetryAfterUpToALimit) {
    RetryPolicy policy({}, 1);
    CallResult result = failure(Outcome::rate_limited);
    result.hints.retry_after = 7s;
    const Duration delay = *policy.next_delay(1, result);
    EXPECT_GE(delay, 7s);
    EXPECT_LE(delay, 7700ms);
    result.hints.retry_after = 24h;
    EXPECT_LE(*policy.next_delay(1, result), 331s);
}

TEST(RetryPolicy, StopsAfterItsAttempts) {
    RetryPolicy policy({}, 1);
    EXPECT_TRUE(policy.next_delay(4, failure(Outcome::network)));
    EXPECT_FALSE(policy.next_delay(5, failure(Outcome::network)));
}

TEST(RetryPolicy, ABudgetKeepsADeadEndpointFromDoublingTheBill) {
    RetryPolicy policy({}, 1);
    for (int i = 0; i < 1000; ++i) {
        policy.on_call();
    }
    int allowed = 0;
    for (int i = 0; i < 1000; ++i) {
        allowed += policy.next_delay(1, failure(Outcome::overloaded)) ? 1 : 0;
    }
    EXPECT_EQ(allowed, 200);
    EXPECT_TRUE(policy.next_delay(1, failure(Outcome::rate_limited))) << "costs nothing";
}

}  // namespace
}  // namespace lab::providers
