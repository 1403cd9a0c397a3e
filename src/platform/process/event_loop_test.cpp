#include "platform/process/event_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lab {
namespace {

using namespace std::chrono_literals;

struct EventLoopTest : testing::Test {
    SystemClock clock;
    EventLoop loop{clock};
    std::string seen;

    auto note(char c) {
        return [this, c] { seen += c; };
    }
    TimePoint in(Duration wait) const { return clock.now() + wait; }
};

TEST_F(EventLoopTest, RunsPostedWorkInOrder) {
    loop.post(note('a'));
    loop.post(note('b'));
    loop.post([this] {
        seen += 'c';
        loop.post(note('d'));
        loop.post([this] { loop.stop(); });
        seen += 'e';
    });
    loop.post(note('f'));
    loop.run();
    EXPECT_EQ(seen, "abcefd");
}

TEST_F(EventLoopTest, RunsTimersByTimeAndThenByOrder) {
    const TimePoint soon = in(2ms);
    loop.call_at(in(6ms), [this] { loop.stop(); });
    loop.call_at(in(4ms), note('3'));
    loop.call_at(soon, note('1'));
    loop.call_at(soon, note('2'));
    loop.call_at(in(-1s), note('0'));
    loop.run();
    EXPECT_EQ(seen, "0123");
}

TEST_F(EventLoopTest, NeverRunsATimerEarly) {
    const TimePoint when = in(5ms);
    TimePoint ran{};
    loop.call_at(when, [&] {
        ran = clock.now();
        loop.stop();
    });
    loop.run();
    EXPECT_GE(ran, when);
}

TEST_F(EventLoopTest, CancelledTimersDoNotRun) {
    const auto id = loop.call_at(in(1ms), note('x'));
    loop.call_at(in(1ms), note('a'));
    loop.call_at(in(2ms), [this] { loop.stop(); });
    loop.cancel_timer(id);
    loop.cancel_timer(id);
    loop.cancel_timer(12345);
    loop.run();
    EXPECT_EQ(seen, "a");
}

TEST_F(EventLoopTest, ATimerMayCancelAnotherOfTheSameMoment) {
    const TimePoint soon = in(1ms);
    Executor::TimerId second = 0;
    loop.call_at(soon, [&] { loop.cancel_timer(second); });
    second = loop.call_at(soon, note('x'));
    loop.call_at(in(2ms), [this] { loop.stop(); });
    loop.run();
    EXPECT_EQ(seen, "");
}

TEST_F(EventLoopTest, ATimerThatSetsItselfAgainDoesNotStarveThePosts) {
    std::function<void()> again = [&] { loop.call_at(in(0s), [&] { again(); }); };
    again();
    loop.post([&] { loop.post([&] { loop.post([&] { loop.stop(); }); }); });
    loop.run();
    SUCCEED();
}

TEST_F(EventLoopTest, ThousandsOfTimersSetAndCancelledLeaveTheOthersAlone) {
    int ran = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto id = loop.call_at(in(1h), [&] { ran += 1'000'000; });
        loop.cancel_timer(id);
        if (i % 100 == 0) {
            loop.call_at(in(1ms), [&] { ++ran; });
        }
    }
    loop.call_at(in(3ms), [this] { loop.stop(); });
    loop.run();
    EXPECT_EQ(ran, 200);
}

TEST_F(EventLoopTest, TakesPostsFromManyThreadsAndLosesNone) {
    constexpr int kThreads = 4;
    constexpr int kPosts = 5'000;
    int ran = 0;
    std::array<int, kThreads> next{};
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kPosts; ++i) {
                loop.post([&, t, i] {
                    EXPECT_EQ(next[t]++, i) << "each thread's work runs in its order";
                    if (++ran == kThreads * kPosts) {
                        loop.stop();
                    }
                });
            }
        });
    }
    loop.run();
    EXPECT_EQ(ran, kThreads * kPosts);
}

TEST_F(EventLoopTest, WaitsForOtherThreadsUntilItIsStopped) {
    std::jthread other([this] {
        loop.post([this] {
            seen += 'p';
            loop.call_at(in(1ms), [this] { loop.stop(); });
        });
    });
    loop.run();
    EXPECT_EQ(seen, "p");
}

TEST_F(EventLoopTest, RunsAgainAfterAStop) {
    loop.stop();
    loop.post(note('a'));
    loop.run();
    EXPECT_EQ(seen, "") << "stopped before it ran";
    loop.post([this] { loop.stop(); });
    loop.run();
    EXPECT_EQ(seen, "a");
}

TEST_F(EventLoopTest, WorkLeftOverIsDestroyedWithTheLoop) {
    auto held = std::make_shared<int>(1);
    {
        EventLoop other(clock);
        other.post([held] {});
        other.call_at(in(1h), [held] {});
        EXPECT_EQ(held.use_count(), 3);
    }
    EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace lab
