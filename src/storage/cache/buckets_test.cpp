#include "base/rng.h"
#include "storage/cache/memory_buckets.h"
#include "storage/cache/redis_buckets.h"
#include "support/fake_redis.h"
#include "support/manual_clock.h"
#include "support/redis_servers.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using namespace std::chrono_literals;

/// One suite for every kind of buckets.
class AnyBuckets : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string kind = GetParam();
        if (kind == "memory") {
            buckets_ = std::make_unique<MemoryBuckets>(clock_, 1000);
            return;
        }
        const bool is_cluster = kind == "cluster";
        const std::string& url =
            is_cluster ? lab::test::redis_cluster_url() : lab::test::redis_url();
        if (url.empty()) {
            GTEST_SKIP() << lab::test::kNoRedis;
        }
        client_ = redis::test::connected(clock_, url, is_cluster);
        ASSERT_TRUE(redis::test::wait_until([&] { return client_->state().whole; }));
        // Nobody else's, and never seen before.
        const std::string prefix = "test:limit:" + std::to_string(entropy()) + ":";
        buckets_ = std::make_unique<RedisBuckets>(*client_, prefix, 10s);
    }

    BucketState take(const BucketAsk& ask) {
        const auto out = buckets_->take(ask);
        EXPECT_TRUE(out) << out.error().message << out.error().cause;
        return out.value_or(BucketState());
    }
    int count_allowed(int tries, const BucketAsk& ask) {
        int out = 0;
        for (int i = 0; i < tries; ++i) {
            out += take(ask).allowed ? 1 : 0;
        }
        return out;
    }

    SystemClock clock_;
    std::unique_ptr<redis::BlockingClient> client_;
    std::unique_ptr<Buckets> buckets_;
};

/// So slow that a test sees nothing of it.
constexpr double kHardly = 1e-4;

TEST_P(AnyBuckets, HoldWhatTheyHold) {
    const BucketAsk ask{.principal = "a", .rate = kHardly, .capacity = 20};
    EXPECT_EQ(count_allowed(30, ask), 20);
    const BucketState empty = take(ask);
    EXPECT_FALSE(empty.allowed);
    EXPECT_LT(empty.tokens, 1);
    EXPECT_EQ(empty.hour_used, 20) << "a refusal counts in neither window";
    EXPECT_EQ(count_allowed(30, {.principal = "b", .rate = kHardly, .capacity = 3}), 3);
}

TEST_P(AnyBuckets, SayHowTheyStand) {
    const BucketAsk ask{.principal = "a", .rate = kHardly, .capacity = 5, .per_hour = 100};
    const BucketState first = take(ask);
    EXPECT_TRUE(first.allowed);
    EXPECT_NEAR(first.tokens, 4, 0.01);
    EXPECT_EQ(first.hour_used, 1);
    EXPECT_GE(first.hour_age, Duration::zero());
    EXPECT_LT(first.hour_age, 10min);
}

TEST_P(AnyBuckets, AnHourThatIsSpentRefusesAndTakesNoToken) {
    const BucketAsk ask{.principal = "a", .rate = kHardly, .capacity = 50, .per_hour = 7};
    EXPECT_EQ(count_allowed(20, ask), 7);
    EXPECT_NEAR(take(ask).tokens, 43, 0.01);
}

TEST_P(AnyBuckets, FillAgain) {
    const BucketAsk ask{.principal = "a", .rate = 1000, .capacity = 2};
    take(ask);
    take(ask);
    // Two milliseconds at the most, whatever the machine does meanwhile.
    EXPECT_TRUE(redis::test::wait_until([&] { return take(ask).allowed; }));
    EXPECT_TRUE(redis::test::wait_until([&] { return take(ask).tokens > 0.5; }));
    EXPECT_LE(take(ask).tokens, 2);
}

TEST_P(AnyBuckets, WhatIsOwedIsTakenFirst) {
    BucketAsk ask{.principal = "a", .rate = kHardly, .capacity = 10, .per_hour = 100};
    ask.owed = 4;
    const BucketState state = take(ask);
    EXPECT_TRUE(state.allowed);
    EXPECT_NEAR(state.tokens, 5, 0.01);
    EXPECT_EQ(state.hour_used, 5);
    ask.owed = 1000;
    const BucketState deep = take(ask);
    EXPECT_FALSE(deep.allowed);
    EXPECT_NEAR(deep.tokens, -10, 0.01) << "a debt has a bound";
}

TEST_P(AnyBuckets, AreTheSameForEverybodyWhoAsksAtOnce) {
    const BucketAsk ask{.principal = "a", .rate = kHardly, .capacity = 100};
    std::atomic<int> allowed = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 60; ++i) {
                const auto state = buckets_->take(ask);
                allowed += state && state->allowed ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(allowed, 100);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    AnyBuckets,
    testing::Values("memory", "redis", "cluster"),
    [](const auto& info) { return std::string(info.param); }
);

class RealBuckets : public testing::Test {
  protected:
    void SetUp() override {
        if (lab::test::redis_url().empty()) {
            GTEST_SKIP() << lab::test::kNoRedis;
        }
        client_ = redis::test::connected(clock_, lab::test::redis_url());
    }
    std::int64_t number(std::vector<std::string> words) {
        return redis::test::ask(*client_, std::move(words)).value_or(redis::Value()).integer;
    }
    SystemClock clock_;
    std::unique_ptr<redis::BlockingClient> client_;
};

TEST_F(RealBuckets, AServerThatForgotTheScriptIsTaughtIt) {
    RedisBuckets buckets(*client_, "test:script:", 10s);
    ASSERT_TRUE(buckets.take({.principal = "a"}));
    ASSERT_EQ(redis::test::text_of(redis::test::ask(*client_, {"SCRIPT", "FLUSH"})), "OK");
    EXPECT_TRUE(buckets.take({.principal = "a"}));
}

TEST_F(RealBuckets, AFullBucketIsForgotten) {
    const std::string prefix = "test:life:" + std::to_string(entropy()) + ":";
    RedisBuckets buckets(*client_, prefix, 10s);
    ASSERT_TRUE(buckets.take({.principal = "a", .rate = 1, .capacity = 10}));
    const std::int64_t soon = number({"PTTL", prefix + "a"});
    EXPECT_GT(soon, 0);
    EXPECT_LE(soon, 2000) << "a second for the token, and one more";
    ASSERT_TRUE(buckets.take({.principal = "b", .rate = 1, .capacity = 10, .per_hour = 5}));
    const std::int64_t hour = number({"PTTL", prefix + "b"});
    EXPECT_GT(hour, 3'000'000);
    EXPECT_LE(hour, 3'601'000);
}

TEST_F(RealBuckets, WhatSomebodyElsePutThereIsAnError) {
    RedisBuckets buckets(*client_, "test:foreign:", 10s);
    ASSERT_TRUE(redis::test::ask(*client_, {"SET", "test:foreign:a", "x"}));
    const auto state = buckets.take({.principal = "a"});
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::upstream_error);
}

TEST(MemoryBuckets, GoOnWhereTheSharedOnesWere) {
    lab::test::ManualClock clock;
    MemoryBuckets buckets(clock, 100);
    const BucketAsk ask{.principal = "a", .rate = 10, .capacity = 20, .per_hour = 100};
    buckets.follow(ask, {.allowed = true, .tokens = 2, .hour_used = 97, .hour_age = 59min});
    auto state = buckets.take(ask);
    ASSERT_TRUE(state);
    EXPECT_TRUE(state->allowed);
    EXPECT_NEAR(state->tokens, 1, 1e-9);
    EXPECT_EQ(state->hour_used, 98);
    EXPECT_EQ(state->hour_age, 59min);
    clock.advance(1min);
    state = buckets.take(ask);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->hour_used, 1) << "another hour";
}

TEST(MemoryBuckets, WhatTheyLetThroughIsOwedForASecond) {
    lab::test::ManualClock clock;
    MemoryBuckets buckets(clock, 100);
    const BucketAsk ask{.principal = "a", .rate = 10, .capacity = 20};
    EXPECT_EQ(buckets.take_owed("a"), 0);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(buckets.take(ask));
    }
    clock.advance(900ms);
    EXPECT_EQ(buckets.take_owed("a"), 3);
    EXPECT_EQ(buckets.take_owed("a"), 0) << "once";
    ASSERT_TRUE(buckets.take(ask));
    clock.advance(1100ms);
    EXPECT_EQ(buckets.take_owed("a"), 0) << "they were on their own";
}

}  // namespace
}  // namespace lab::storage
