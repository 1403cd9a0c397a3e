#include "service/impl/login_guard.h"

#include "service/impl/credential_cache.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lab::service {
namespace {

using namespace std::chrono_literals;

class Throttle : public testing::Test {
  protected:
    test::ManualClock clock_;
    LoginThrottle throttle_{clock_, 3, 15min, 4};
};

TEST_F(Throttle, CountsAnAttemptFromItsBeginning) {
    EXPECT_FALSE(throttle_.begin("a"));
    EXPECT_FALSE(throttle_.begin("a"));
    EXPECT_FALSE(throttle_.begin("a"));
    EXPECT_EQ(throttle_.begin("a"), 15min);
    throttle_.undecided("a");
    EXPECT_FALSE(throttle_.begin("a")) << "one of them was none";
    EXPECT_TRUE(throttle_.failed("a"));
    throttle_.succeeded("a");
    EXPECT_FALSE(throttle_.begin("a"));
    EXPECT_FALSE(throttle_.failed("a"));
}

TEST_F(Throttle, TheWindowSlides) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(throttle_.begin("a"));
        clock_.advance(5min);
    }
    EXPECT_FALSE(throttle_.begin("a")) << "the first is 15 minutes old";
    EXPECT_EQ(throttle_.begin("a"), 5min);
    clock_.advance(4min);
    EXPECT_EQ(throttle_.begin("a"), 1min) << "asking costs nothing";
}

TEST_F(Throttle, RemembersNotMoreThanItMay) {
    for (int i = 0; i < 100; ++i) {
        throttle_.begin(std::to_string(i));
        EXPECT_LE(throttle_.size(), 4U);
    }
    throttle_.succeeded("gone");
    throttle_.undecided("gone");
    EXPECT_FALSE(throttle_.failed("gone"));
}

TEST(Gate, LetsFewInAndFewWait) {
    const SystemClock clock;
    const Ctx ctx(clock);
    HashGate gate(1, 1);
    std::atomic<bool> got_in = false;
    std::thread second;
    {
        const auto first = gate.enter(ctx);
        ASSERT_TRUE(first);
        second = std::thread([&] {
            while (!got_in) {
                got_in = gate.enter(ctx).has_value();
            }
        });
        // The one place to wait is ours or the thread's; the thread keeps it.
        Code code = Code::internal;
        while (code != Code::unavailable) {
            const auto third = gate.enter(ctx.within(1ms));
            ASSERT_FALSE(third) << "while one is inside";
            code = third.error().code;
        }
        EXPECT_FALSE(got_in);
    }
    second.join();
    EXPECT_TRUE(got_in);
    EXPECT_TRUE(gate.enter(ctx));
}

TEST(Gate, ManyThreadsAreNeverMoreThanFew) {
    const SystemClock clock;
    const Ctx ctx(clock);
    HashGate gate(2, 100);
    std::atomic<int> inside = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                const auto pass = gate.enter(ctx);
                ASSERT_TRUE(pass);
                EXPECT_LE(++inside, 2);
                --inside;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

class VerifiedOnes : public testing::Test {
  protected:
    static Caller user(const std::string& id) {
        Caller out;
        out.user_id = id;
        out.key_id = "key of " + id;
        return out;
    }
    void put(const std::string& digest, const std::string& id, Duration life = 1h) {
        cache_.put(digest, user(id), "login of " + id, life, cache_.generation());
    }
    test::ManualClock clock_;
    CredentialCache cache_{clock_, 2s, 4};
};

TEST_F(VerifiedOnes, ForgetsInTime) {
    put("a", "ann");
    put("b", "bob", 1s);
    put("c", "cy", 0s);
    EXPECT_EQ(cache_.find("a")->user_id, "ann");
    EXPECT_TRUE(cache_.find("b"));
    EXPECT_FALSE(cache_.find("c")) << "not even once";
    clock_.advance(1s);
    EXPECT_FALSE(cache_.find("b"));
    clock_.advance(1s);
    EXPECT_FALSE(cache_.find("a"));
}

TEST_F(VerifiedOnes, ForgetsWhomItIsTold) {
    const auto fill = [&] {
        put("a", "ann");
        put("b", "bob");
    };
    fill();
    cache_.forget_user("ann");
    EXPECT_FALSE(cache_.find("a"));
    EXPECT_TRUE(cache_.find("b"));
    fill();
    cache_.forget_key("key of ann");
    EXPECT_FALSE(cache_.find("a"));
    fill();
    cache_.forget_login("login of bob");
    EXPECT_FALSE(cache_.find("b"));
    EXPECT_TRUE(cache_.find("a"));
}

// Found good, then revoked, then put: the answer is older than the revocation.
TEST_F(VerifiedOnes, DoesNotTakeWhatIsOutdated) {
    const std::uint64_t generation = cache_.generation();
    cache_.forget_user("ann");
    cache_.put("a", user("ann"), "", 1h, generation);
    EXPECT_FALSE(cache_.find("a"));
}

TEST_F(VerifiedOnes, CountsWhatItDoes) {
    put("a", "ann");
    EXPECT_TRUE(cache_.find("a"));
    EXPECT_TRUE(cache_.find("a"));
    EXPECT_FALSE(cache_.find("b"));
    for (int i = 0; i < 5; ++i) {
        put(std::to_string(i), "u");
    }
    const CacheStats stats = cache_.stats();
    EXPECT_EQ(stats.hits, 2U);
    EXPECT_EQ(stats.misses, 1U);
    EXPECT_EQ(stats.evictions, 2U);
    EXPECT_EQ(stats.size, 4U);
}

TEST_F(VerifiedOnes, HoldsNotMoreThanItMay) {
    for (int i = 0; i < 100; ++i) {
        put(std::to_string(i), "u");
        put(std::to_string(i), "again");
        EXPECT_LE(cache_.size(), 4U);
    }
    EXPECT_TRUE(cache_.find("99"));
    EXPECT_EQ(cache_.find("99")->user_id, "again");
    EXPECT_FALSE(cache_.find("95"));
}

}  // namespace
}  // namespace lab::service
