#include "storage/store/session_pool.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lab::storage {
namespace {

using namespace std::chrono_literals;

class Pool : public test::StoreTest {};

TEST_P(Pool, ASessionIsUsedAgain) {
    SessionPool pool(*database_, 2, 1s);
    const Session* first = nullptr;
    {
        const auto lease = pool.acquire(ctx_).value();
        first = &*lease;
        EXPECT_EQ(pool.stats().active, 1U);
    }
    EXPECT_EQ(pool.stats().idle, 1U);
    const auto again = pool.acquire(ctx_).value();
    EXPECT_EQ(&*again, first);
}

TEST_P(Pool, WhoFindsNoneIsToldInTime) {
    SessionPool pool(*database_, 1, 5ms);
    const auto lease = pool.acquire(ctx_).value();
    const auto refused = pool.acquire(ctx_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    const auto stats = pool.stats();
    EXPECT_EQ(stats.active, 1U);
    EXPECT_EQ(stats.max, 1U);
    EXPECT_EQ(stats.waiters, 0U);
}

TEST_P(Pool, ManyThreadsShareFewSessions) {
    SessionPool pool(*database_, 2, 30s);
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                const auto lease = pool.acquire(ctx_);
                ASSERT_TRUE(lease);
                const int now = ++inside;
                int seen = most.load();
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                --inside;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_LE(most.load(), 2);
    EXPECT_EQ(pool.stats().active, 0U);
    EXPECT_LE(pool.stats().idle, 2U);
}

TEST_P(Pool, TendingKeepsSomeOpenAndLetsTheRestGo) {
    SessionPool pool(*database_, {.max = 4, .min = 2, .wait_max = 1s, .idle_max = 0ms});
    ASSERT_TRUE(pool.tend(ctx_));
    EXPECT_EQ(pool.stats().idle, 2U);
    {
        std::vector<SessionPool::Lease> leases;
        for (int i = 0; i < 4; ++i) {
            leases.push_back(pool.acquire(ctx_).value());
        }
        EXPECT_EQ(pool.stats().active, 4U);
    }
    EXPECT_EQ(pool.stats().idle, 4U);
    const auto end = clock_.now() + 10s;
    while (pool.stats().idle != 2 && clock_.now() < end) {
        ASSERT_TRUE(pool.tend(ctx_));
    }
    EXPECT_EQ(pool.stats().idle, 2U);
}

TEST_P(Pool, GrowsForThoseWhoWait) {
    SessionPool pool(*database_, 1, 30s);
    const auto first = pool.acquire(ctx_).value();
    std::thread waiting([&] { EXPECT_TRUE(pool.acquire(ctx_)); });
    while (pool.stats().waiters == 0) {
        std::this_thread::yield();
    }
    pool.resize(2);
    waiting.join();
    EXPECT_EQ(pool.stats().max, 2U);
}

TEST_P(Pool, ShrinksByWhatIsIdleAndByWhatComesBack) {
    SessionPool pool(*database_, {.max = 4, .min = 3, .wait_max = 5ms});
    ASSERT_TRUE(pool.tend(ctx_));
    {
        const auto one = pool.acquire(ctx_).value();
        const auto two = pool.acquire(ctx_).value();
        EXPECT_EQ(pool.stats().idle, 1U);
        pool.resize(0);  // at least one
        EXPECT_EQ(pool.stats().idle, 0U);
        EXPECT_EQ(pool.stats().active, 2U);
        EXPECT_FALSE(pool.acquire(ctx_));
    }
    EXPECT_EQ(pool.stats().idle, 1U);
    EXPECT_EQ(pool.stats().max, 1U);
    ASSERT_TRUE(pool.tend(ctx_));
    EXPECT_EQ(pool.stats().idle, 1U);
    pool.resize(4);
    ASSERT_TRUE(pool.tend(ctx_));
    EXPECT_EQ(pool.stats().idle, 3U);
}

TEST_P(Pool, ASessionWithAnOpenTransactionIsNotLentAgain) {
    SessionPool pool(*database_, 1, 1s);
    ASSERT_TRUE((*pool.acquire(ctx_))->begin(ctx_));
    const auto lease = pool.acquire(ctx_);
    ASSERT_TRUE(lease);
    EXPECT_TRUE((*lease)->begin(ctx_));
    (*lease)->rollback();
}

LAB_ALL_BACKENDS(Pool);

/// A database that is away until it is told otherwise.
class AwayDatabase final : public Database {
  public:
    explicit AwayDatabase(std::unique_ptr<Database> real) : real_(std::move(real)) {}
    Result<std::unique_ptr<Session>> open_session(const Ctx& ctx, Durability durability) override {
        const int now = ++opening_;
        int seen = most_.load();
        while (now > seen && !most_.compare_exchange_weak(seen, now)) {
        }
        ++attempts_;
        auto out = away_ ? Result<std::unique_ptr<Session>>(Error(Code::unavailable, "away"))
                         : real_->open_session(ctx, durability);
        --opening_;
        return out;
    }
    Status migrate(const Ctx& ctx) override { return real_->migrate(ctx); }
    void come_back() { away_ = false; }
    int attempts() const { return attempts_; }
    int most() const { return most_; }

  private:
    std::unique_ptr<Database> real_;
    std::atomic<bool> away_ = true;
    std::atomic<int> opening_ = 0;
    std::atomic<int> most_ = 0;
    std::atomic<int> attempts_ = 0;
};

TEST(PoolOfAnAbsentDatabase, IsNotStormedAndGoesOnWhenItIsBack) {
    const SystemClock clock;
    const Ctx ctx(clock);
    AwayDatabase database(open_sqlite(ctx, {.path = ":memory:"}).value());
    SessionPool pool(database, {.max = 8, .wait_max = 400ms, .opening_max = 2});
    std::atomic<int> refused = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 3; ++i) {
                const auto lease = pool.acquire(ctx);
                ASSERT_FALSE(lease);
                EXPECT_EQ(lease.error().code, Code::unavailable);
                EXPECT_EQ(lease.error().message, "away");
                ++refused;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(refused.load(), 24);
    EXPECT_LE(database.most(), 2);
    EXPECT_LT(database.attempts(), 24);  // most were told what the last attempt had found
    database.come_back();
    const auto end = clock.now() + 20s;
    for (bool lent = false; !lent;) {
        ASSERT_LT(clock.now(), end);
        lent = pool.acquire(ctx).has_value();
    }
    EXPECT_EQ(pool.stats().waiters, 0U);
}

}  // namespace
}  // namespace lab::storage
