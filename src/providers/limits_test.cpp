#include "providers/limits.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {
using namespace std::chrono_literals;

const TimePoint kStart{1h};

TEST(TokenBucket, RefillsContinuously) {
    TokenBucket bucket(60, 1);  // one a second
    EXPECT_EQ(bucket.ready_at(1, kStart), kStart);
    bucket.take(1, kStart);
    EXPECT_EQ(bucket.ready_at(1, kStart), kStart + 1s);
    EXPECT_EQ(bucket.ready_at(1, kStart + 400ms), kStart + 1s);
    EXPECT_EQ(bucket.ready_at(1, kStart + 1s), kStart + 1s);
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
    TokenBucket bucket(600, 10);
    bucket.take(10, kStart + 1h);
    EXPECT_EQ(bucket.ready_at(1, kStart + 1h), kStart + 1h + 100ms);
}

TEST(TokenBucket, ACallLargerThanTheBucketPassesWhenItIsFullAndIsPaidBack) {
    TokenBucket bucket(60, 1);
    EXPECT_EQ(bucket.ready_at(5, kStart), kStart);
    bucket.take(5, kStart);
    EXPECT_EQ(bucket.ready_at(1, kStart), kStart + 5s);
}

TEST(TokenBucket, CorrectionsGiveBackWhatWasNotUsed) {
    TokenBucket bucket(60, 10);
    bucket.take(10, kStart);
    bucket.correct(9, kStart);
    EXPECT_EQ(bucket.ready_at(9, kStart), kStart);
    bucket.learn(0, kStart);
    EXPECT_EQ(bucket.ready_at(1, kStart), kStart + 1s);
}

TEST(TokenBucket, AClockThatStandsStillOrGoesBackGivesNothing) {
    TokenBucket bucket(60, 1);
    bucket.take(1, kStart);
    EXPECT_GT(bucket.ready_at(1, kStart - 10s), kStart - 10s);
}

TEST(AdaptiveConcurrency, AFewFailuresInAHundredDoNotShrinkIt) {
    AdaptiveConcurrency limit(64);
    for (int i = 0; i < 2000; ++i) {
        i % 10 == 0 ? limit.on_overload() : limit.on_success();
    }
    EXPECT_EQ(limit.limit(), 64);
}

TEST(AdaptiveConcurrency, ShrinksUnderOverloadAndRecoversByOne) {
    AdaptiveConcurrency limit(64);
    for (int i = 0; i < 64; ++i) {
        limit.on_overload();
    }
    EXPECT_EQ(limit.limit(), 32);
    for (int i = 0; i < 32; ++i) {
        limit.on_success();
    }
    EXPECT_EQ(limit.limit(), 33);
    for (int i = 0; i < 10'000; ++i) {
        limit.on_overload();
    }
    EXPECT_EQ(limit.limit(), 1);
    for (int i = 0; i < 100'000; ++i) {
        limit.on_success();
    }
    EXPECT_EQ(limit.limit(), 64);
}

}  // namespace
}  // namespace lab::providers
