#include "service/rate_limit.h"

#include "base/rng.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

namespace lab::service {
namespace {

using namespace std::chrono_literals;
using domain::Tier;

class Limits : public testing::Test {
  protected:
    bool allowed(const std::string& who, Tier tier = Tier::enterprise, bool anonymous = false) {
        return limiter_.decide(who, tier, anonymous).allowed;
    }
    int count_allowed(int tries, const std::string& who, Tier tier, bool anonymous = false) {
        int out = 0;
        for (int i = 0; i < tries; ++i) {
            out += allowed(who, tier, anonymous) ? 1 : 0;
        }
        return out;
    }
    test::ManualClock clock_;
    RateLimiter limiter_{{}, clock_};
};

TEST_F(Limits, ABurstIsWhatTheBucketHoldsOrTheTierAllows) {
    EXPECT_EQ(count_allowed(300, "enterprise", Tier::enterprise), 200);
    EXPECT_EQ(count_allowed(300, "professional", Tier::professional), 200);
    EXPECT_EQ(count_allowed(300, "standard", Tier::standard), 50);
    EXPECT_EQ(count_allowed(300, "free", Tier::free), 10);
    EXPECT_EQ(count_allowed(300, "anonymous", Tier::free, true), 20) << "a tenth";
    EXPECT_EQ(count_allowed(3000, "unlimited", Tier::unlimited), 3000);
    EXPECT_EQ(count_allowed(300, "nobody", Tier::unlimited, true), 20);
}

TEST_F(Limits, HoldFromTheNextDecisionOnWhenTheyChange) {
    ASSERT_EQ(count_allowed(300, "a", Tier::enterprise), 200);
    limiter_.set_rate(10, 5);
    clock_.advance(100ms);
    EXPECT_EQ(count_allowed(300, "a", Tier::enterprise), 1);
    EXPECT_EQ(count_allowed(300, "b", Tier::enterprise), 5);
    limiter_.set_rate(100, 200);
    EXPECT_EQ(count_allowed(300, "c", Tier::enterprise), 200);
}

TEST_F(Limits, TheBucketFillsWithTime) {
    ASSERT_EQ(count_allowed(201, "a", Tier::enterprise), 200);
    clock_.advance(9ms);
    EXPECT_FALSE(allowed("a"));
    clock_.advance(1ms);
    EXPECT_TRUE(allowed("a"));
    EXPECT_FALSE(allowed("a"));
    clock_.advance(1s);
    EXPECT_EQ(count_allowed(300, "a", Tier::enterprise), 100);
    clock_.advance(1h);
    EXPECT_EQ(count_allowed(300, "a", Tier::enterprise), 200) << "it does not overflow";
}

TEST_F(Limits, AnHourHoldsWhatTheTierSays) {
    int got = 0;
    for (int second = 0; second < 3000; ++second) {
        got += allowed("a", Tier::free) ? 1 : 0;
        clock_.advance(1s);
    }
    EXPECT_EQ(got, 100);
    const RateDecision refused = limiter_.decide("a", Tier::free, false);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.limit, 100);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.retry_after_s, 600);
    EXPECT_EQ(
        refused.reset_unix_s,
        std::chrono::floor<std::chrono::seconds>(clock_.wall().time_since_epoch()).count() + 600
    );
    clock_.advance(599s);
    EXPECT_FALSE(allowed("a", Tier::free));
    clock_.advance(1s);
    EXPECT_TRUE(allowed("a", Tier::free));
}

TEST_F(Limits, TheTightestWindowIsTold) {
    RateDecision told = limiter_.decide("a", Tier::free, false);
    EXPECT_EQ(told.limit, 10);
    EXPECT_EQ(told.remaining, 9);
    EXPECT_EQ(told.retry_after_s, 0);
    for (int i = 0; i < 92; ++i) {
        clock_.advance(1s);
        told = limiter_.decide("a", Tier::free, false);
    }
    EXPECT_TRUE(told.allowed);
    EXPECT_EQ(told.limit, 100) << "of the hour less is left now";
    EXPECT_EQ(told.remaining, 7);
    told = limiter_.decide("b", Tier::unlimited, false);
    EXPECT_TRUE(told.allowed);
    EXPECT_FALSE(told.limited);
}

TEST_F(Limits, WhatIsRefusedCountsNowhere) {
    ASSERT_EQ(count_allowed(1000, "a", Tier::free), 10);
    int got = 10;
    for (int i = 0; i < 2000; ++i) {
        clock_.advance(1s);
        got += count_allowed(3, "a", Tier::free);
    }
    EXPECT_EQ(got, 100);
}

TEST_F(Limits, PrincipalsDoNotShare) {
    ASSERT_EQ(count_allowed(300, "a", Tier::standard), 50);
    EXPECT_EQ(count_allowed(300, "b", Tier::standard), 50);
}

// In every stretch of time at most a burst and what flows in meanwhile; whoever waits as long as
// told gets through.
TEST_F(Limits, HoldForEverySequence) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Rng rng(seed);
        const std::string who = "p" + std::to_string(seed);
        const Tier tier = static_cast<Tier>(rng.below(4));
        const bool anonymous = rng.below(5) == 0;
        const domain::TierLimits limits = domain::limits_of(tier);
        const double rate = anonymous ? 10 : 100;
        double burst = anonymous ? 20 : 200;
        if (!anonymous && limits.burst > 0) {
            burst = std::min(burst, static_cast<double>(limits.burst));
        }
        std::deque<TimePoint> through;
        TimePoint hour_began = clock_.now();
        std::int64_t in_hour = 0;
        for (int i = 0; i < 3000; ++i) {
            clock_.advance(Duration(static_cast<std::int64_t>(rng.below(20'000'000))));
            if (rng.below(400) == 0) {
                clock_.advance(std::chrono::seconds(rng.below(1800)));
            }
            if (i == 0 || clock_.now() - hour_began >= 1h) {
                hour_began = clock_.now();
                in_hour = 0;
            }
            const RateDecision got = limiter_.decide(who, tier, anonymous);
            ASSERT_GE(got.remaining, 0);
            ASSERT_LE(got.remaining, got.limit);
            if (got.allowed) {
                ASSERT_EQ(got.retry_after_s, 0);
                through.push_back(clock_.now());
                ++in_hour;
            } else {
                ASSERT_GE(got.retry_after_s, 1);
                ASSERT_EQ(got.remaining, 0);
                if (rng.below(4) == 0) {
                    clock_.advance(std::chrono::seconds(got.retry_after_s));
                    if (clock_.now() - hour_began >= 1h) {
                        hour_began = clock_.now();
                        in_hour = 0;
                    }
                    ASSERT_TRUE(limiter_.decide(who, tier, anonymous).allowed) << seed;
                    through.push_back(clock_.now());
                    ++in_hour;
                }
            }
            if (!anonymous) {
                ASSERT_LE(in_hour, limits.requests_per_hour);
            }
        }
        for (std::size_t a = 0; a < through.size(); a += 7) {
            for (std::size_t b = a; b < through.size(); b += 11) {
                const double span = std::chrono::duration<double>(through[b] - through[a]).count();
                ASSERT_LE(static_cast<double>(b - a + 1), burst + span * rate + 1e-6) << seed;
            }
        }
    }
}

TEST_F(Limits, TheStalestIsForgottenFirst) {
    RateLimiter small({.principals_max = 64}, clock_);
    const auto spend = [&](const std::string& who) {
        return small.decide(who, Tier::free, false).allowed;
    };
    while (spend("busy")) {
    }
    for (int i = 0; i < 5000; ++i) {
        clock_.advance(1us);
        EXPECT_TRUE(spend("other" + std::to_string(i)));
        EXPECT_FALSE(spend("busy")) << "whoever comes often is remembered";
        ASSERT_LE(small.size(), 64U);
    }
    EXPECT_GE(small.size(), 32U);
}

TEST_F(Limits, ManyThreadsGetNoMoreThanOne) {
    std::atomic<int> got = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; ++i) {
                got += allowed("shared", Tier::professional) ? 1 : 0;
                allowed("own" + std::to_string(t * 1000 + i));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(got.load(), 200);
}

TEST_F(Limits, ErrorsSayWhenToComeBack) {
    while (allowed("a", Tier::free)) {
    }
    const Error error = rate_limit_error(limiter_.decide("a", Tier::free, false));
    EXPECT_EQ(error.code, Code::rate_limited);
    ASSERT_EQ(error.details.size(), 4U);
    EXPECT_EQ(error.details[0], (Detail{"retry_after", "1"}));
    EXPECT_EQ(error.details[1], (Detail{"limit", "10"}));
    EXPECT_EQ(error.details[2], (Detail{"remaining", "0"}));
    EXPECT_EQ(error.details[3].field, "reset_at");
}

TEST(Principals, AreUsersKeysAndNetworks) {
    Caller caller;
    caller.ip = "10.1.2.3";
    EXPECT_EQ(principal_of(caller), "ip:10.1.2.3");
    caller.user_id = "u";
    caller.key_id = "k";
    caller.kind = Caller::Kind::user;
    EXPECT_EQ(principal_of(caller), "user:u");
    caller.kind = Caller::Kind::api_key;
    EXPECT_EQ(principal_of(caller), "key:k");
}

TEST(Networks, AreWhatOneCustomerHas) {
    EXPECT_EQ(network_of("10.1.2.3"), "10.1.2.3");
    EXPECT_EQ(network_of("::ffff:10.1.2.3"), "10.1.2.3");
    EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    EXPECT_EQ(network_of("2001:db8:1:2::1"), network_of("2001:0DB8:1:2:ffff::"));
    EXPECT_NE(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
    EXPECT_EQ(network_of("::1"), "::/64");
    EXPECT_EQ(network_of("not an address"), "not an address");
    EXPECT_EQ(network_of(""), "");
}

/// Buckets of others, which the test may take away.
class SharedBuckets final : public storage::Buckets {
  public:
    explicit SharedBuckets(const Clock& clock) : buckets(clock, 1000) {}
    Result<storage::BucketState> take(const storage::BucketAsk& ask) override {
        asked.emplace_back(ask.principal);
        owed += ask.owed;
        return away ? Result<storage::BucketState>(Error(Code::unavailable, "away"))
                    : buckets.take(ask);
    }
    storage::MemoryBuckets buckets;
    bool away = false;
    std::vector<std::string> asked;
    std::int64_t owed = 0;
};

TEST_F(Limits, TwoProcessesShareWhatTheyShare) {
    SharedBuckets shared(clock_);
    RateLimiter other({}, clock_);
    limiter_.share(shared);
    other.share(shared);
    EXPECT_EQ(count_allowed(150, "a", Tier::enterprise), 150);
    int allowed_there = 0;
    for (int i = 0; i < 100; ++i) {
        allowed_there += other.decide("a", Tier::enterprise, false).allowed ? 1 : 0;
    }
    EXPECT_EQ(allowed_there, 50);
    EXPECT_FALSE(allowed("a"));
    EXPECT_EQ(shared.asked.front(), "api:a");
    EXPECT_EQ(limiter_.alone(), 0U);
}

TEST_F(Limits, WithoutTheSharedOnesAProcessGoesOnWhereTheyWere) {
    SharedBuckets shared(clock_);
    limiter_.share(shared);
    ASSERT_EQ(count_allowed(190, "a", Tier::enterprise), 190);
    shared.away = true;
    EXPECT_EQ(count_allowed(50, "a", Tier::enterprise), 10) << "neither closed nor open";
    clock_.advance(100ms);
    EXPECT_EQ(count_allowed(50, "a", Tier::enterprise), 10);
    EXPECT_EQ(count_allowed(300, "b", Tier::enterprise), 200) << "who was never seen";
    EXPECT_EQ(limiter_.alone(), 400U);
}

TEST_F(Limits, WhatWasLetThroughInAHiccupIsSettledAfterIt) {
    SharedBuckets shared(clock_);
    limiter_.share(shared);
    ASSERT_EQ(count_allowed(100, "a", Tier::enterprise), 100);
    shared.away = true;
    ASSERT_EQ(count_allowed(30, "a", Tier::enterprise), 30);
    shared.away = false;
    EXPECT_EQ(count_allowed(100, "a", Tier::enterprise), 70);
}

TEST_F(Limits, AfterALongTimeAloneNothingIsSettled) {
    SharedBuckets shared(clock_);
    limiter_.share(shared);
    ASSERT_TRUE(allowed("a"));
    shared.away = true;
    ASSERT_EQ(count_allowed(30, "a", Tier::enterprise), 30);
    clock_.advance(10s);
    shared.away = false;
    shared.owed = 0;
    EXPECT_TRUE(allowed("a"));
    EXPECT_EQ(shared.owed, 0);
}

}  // namespace
}  // namespace lab::service
