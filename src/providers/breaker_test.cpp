#include "providers/breaker.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {
using namespace std::chrono_literals;

const TimePoint kStart{1h};

Breaker opened() {
    Breaker breaker;
    for (int i = 0; i < 5; ++i) {
        breaker.on_failure(kStart);
    }
    return breaker;
}

TEST(Breaker, OpensAfterConsecutiveFailuresOnly) {
    Breaker breaker;
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 4; ++i) {
            breaker.on_failure(kStart);
        }
        breaker.on_success(kStart);
    }
    EXPECT_EQ(breaker.state(kStart), Breaker::State::closed);
    EXPECT_EQ(opened().state(kStart), Breaker::State::open);
    EXPECT_EQ(opened().times_opened(), 1);
}

TEST(Breaker, LetsNothingThroughWhileOpenAndSaysUntilWhen) {
    Breaker breaker = opened();
    EXPECT_FALSE(breaker.try_acquire(kStart + 59s));
    EXPECT_EQ(breaker.ready_at(kStart + 1s), kStart + 60s);
    EXPECT_EQ(breaker.ready_at(kStart + 61s), kStart + 61s);
}

TEST(Breaker, ProbesThenCloses) {
    Breaker breaker = opened();
    const TimePoint later = kStart + 60s;
    EXPECT_TRUE(breaker.try_acquire(later));
    EXPECT_TRUE(breaker.try_acquire(later));
    EXPECT_TRUE(breaker.try_acquire(later));
    EXPECT_FALSE(breaker.try_acquire(later)) << "three probes are in flight";
    breaker.on_success(later);
    EXPECT_EQ(breaker.state(later), Breaker::State::half_open);
    breaker.on_success(later);
    EXPECT_EQ(breaker.state(later), Breaker::State::closed);
}

TEST(Breaker, AFailedProbeOpensAgain) {
    Breaker breaker = opened();
    const TimePoint later = kStart + 60s;
    EXPECT_TRUE(breaker.try_acquire(later));
    breaker.on_failure(later);
    EXPECT_EQ(breaker.state(later), Breaker::State::open);
    EXPECT_EQ(breaker.ready_at(later), later + 60s);
    EXPECT_EQ(breaker.times_opened(), 2);
}

TEST(Breaker, ANeutralEndReturnsTheProbe) {
    Breaker breaker = opened();
    const TimePoint later = kStart + 60s;
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(breaker.try_acquire(later));
        breaker.on_neutral();
    }
}

TEST(Breaker, LateFailuresOfAnOpenBreakerDoNotProlongIt) {
    Breaker breaker = opened();
    for (int i = 0; i < 20; ++i) {
        breaker.on_failure(kStart + 30s);
    }
    EXPECT_EQ(breaker.ready_at(kStart + 30s), kStart + 60s);
    EXPECT_EQ(breaker.times_opened(), 1);
}

}  // namespace
}  // namespace lab::providers
