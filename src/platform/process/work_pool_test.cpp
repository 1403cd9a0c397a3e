#include "platform/process/work_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace lab {
namespace {

using Priority = WorkPool::Priority;

TEST(WorkPool, RunsWhatItAcceptedAlsoWhenItStops) {
    std::atomic<int> done = 0;
    {
        WorkPool pool({.threads = 2, .queue_max = 1000});
        for (int i = 0; i < 500; ++i) {
            EXPECT_TRUE(pool.submit(Priority::normal, [&] { ++done; }));
        }
        pool.stop();
        EXPECT_FALSE(pool.submit(Priority::critical, [&] { ++done; }));
    }
    EXPECT_EQ(done.load(), 500);
}

TEST(WorkPool, RefusesWhatCannotBeginSoonAndLetsTheUrgentGoFirst) {
    WorkPool pool({.threads = 1, .queue_max = 4});
    std::promise<void> entered;
    std::promise<void> gate;
    ASSERT_TRUE(pool.submit(Priority::normal, [&] {
        entered.set_value();
        gate.get_future().wait();
    }));
    entered.get_future().wait();
    std::vector<char> order;
    const auto note = [&](char c) { return [&order, c] { order.push_back(c); }; };
    for (const char c : {'a', 'b'}) {
        EXPECT_TRUE(pool.submit(Priority::background, note(c)));
    }
    EXPECT_FALSE(pool.submit(Priority::background, note('x'))) << "half as many of these";
    for (const char c : {'1', '2', '3', '4'}) {
        EXPECT_TRUE(pool.submit(Priority::normal, note(c)));
    }
    EXPECT_FALSE(pool.submit(Priority::normal, note('x')));
    EXPECT_TRUE(pool.submit(Priority::critical, note('!')));
    EXPECT_EQ(pool.waiting(), 7U);
    gate.set_value();
    pool.stop();
    EXPECT_EQ(std::string(order.begin(), order.end()), "!1234ab");
}

}  // namespace
}  // namespace lab
