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

LAB_ALL_BACKENDS(Pool);

}  // namespace
}  // namespace lab::storage
