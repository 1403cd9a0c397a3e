#include "platform/telemetry/tracer.h"

#include "support/kept_spans.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lab {
namespace {

using End = SpanDelivery::End;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Answers as it is told, and accepts when nothing is left to say.
class Collector final : public SpanExporter {
  public:
    SpanDelivery send(std::span<const std::unique_ptr<SpanRecord>> spans) override {
        std::unique_lock lock(*mutex);
        ++*attempts;
        changed->notify_all();
        changed->wait(lock, [&] { return !*held || *interrupted; });
        SpanDelivery out;
        if (*interrupted) {
            out.end = End::unreachable;
            out.problem = "interrupted";
            return out;
        }
        if (!answers->empty()) {
            out = answers->front();
            answers->pop_front();
        }
        if (out.end == End::accepted) {
            for (const auto& span : spans) {
                names->push_back(span->name);
            }
            batches->push_back(spans.size());
        }
        changed->notify_all();
        return out;
    }
    void interrupt() override {
        const std::lock_guard lock(*mutex);
        *interrupted = true;
        changed->notify_all();
    }

    // Shared with the test, because the tracer owns this.
    std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();
    std::shared_ptr<std::condition_variable> changed = std::make_shared<std::condition_variable>();
    std::shared_ptr<bool> held = std::make_shared<bool>(false);
    std::shared_ptr<bool> interrupted = std::make_shared<bool>(false);
    std::shared_ptr<int> attempts = std::make_shared<int>(0);
    std::shared_ptr<std::deque<SpanDelivery>> answers =
        std::make_shared<std::deque<SpanDelivery>>();
    std::shared_ptr<std::vector<std::string>> names = std::make_shared<std::vector<std::string>>();
    std::shared_ptr<std::vector<std::size_t>> batches =
        std::make_shared<std::vector<std::size_t>>();
};

class TracerTest : public testing::Test {
  protected:
    TracerOptions quick() {
        TracerOptions out;
        out.delay = milliseconds(1);
        out.pause_min = milliseconds(1);
        out.pause_max = milliseconds(5);
        return out;
    }
    void open(TracerOptions options) {
        tracer_ = std::make_unique<Tracer>(
            clock_,
            ids_,
            std::make_unique<Collector>(to_),
            options,
            [this](std::string_view what) {
                const std::lock_guard lock(*to_.mutex);
                told_.emplace_back(what);
                to_.changed->notify_all();
            }
        );
    }
    template <class Condition>
    bool wait(const Condition& condition) {
        std::unique_lock lock(*to_.mutex);
        return to_.changed->wait_for(lock, seconds(20), condition);
    }
    /// Also of what the tracer counts after an answer.
    template <class Condition>
    bool wait_for_counts(const Condition& condition) {
        const auto end = std::chrono::steady_clock::now() + seconds(20);
        while (!condition(tracer_->counts())) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            std::this_thread::yield();
        }
        return true;
    }
    void hold(bool held) {
        const std::lock_guard lock(*to_.mutex);
        *to_.held = held;
        to_.changed->notify_all();
    }
    void answer(End end, std::optional<Duration> retry_after = {}) {
        const std::lock_guard lock(*to_.mutex);
        to_.answers->push_back(
            {.end = end, .rejected = 0, .retry_after = retry_after, .problem = "no"}
        );
    }
    void span(std::string_view name) {
        Span::at(tracer_->new_place(std::nullopt), "", name, SpanKind::internal).end();
    }

    test::ManualClock clock_;
    RandomTraceIds ids_{1, 2};
    Collector to_;
    std::vector<std::string> told_;
    std::unique_ptr<Tracer> tracer_;  // last: its thread uses the others
};

TEST_F(TracerTest, ExportsWhatEnded) {
    open(quick());
    span("one");
    EXPECT_TRUE(wait([&] { return *to_.names == std::vector<std::string>{"one"}; }));
    EXPECT_TRUE(wait_for_counts([](const TracerCounts& c) { return c.exported == 1; }));
    EXPECT_TRUE(told_.empty());
}

TEST_F(TracerTest, AFullBatchDoesNotWait) {
    TracerOptions options = quick();
    options.delay = std::chrono::hours(1);
    options.batch_max = 3;
    open(options);
    for (const char* name : {"a", "b", "c"}) {
        span(name);
    }
    EXPECT_TRUE(wait([&] { return to_.names->size() == 3; }));
}

TEST_F(TracerTest, ABatchHasALimitInBytes) {
    TracerOptions options = quick();
    options.batch_bytes_max = 1000;
    hold(true);
    open(options);
    span("first");
    ASSERT_TRUE(wait([&] { return *to_.attempts == 1; }));
    for (int i = 0; i < 4; ++i) {
        Span large = Span::at(tracer_->new_place(std::nullopt), "", "large", SpanKind::internal);
        large.set("text", std::string(400, 'x'));
    }
    hold(false);
    ASSERT_TRUE(wait([&] { return to_.names->size() == 5; }));
    EXPECT_EQ(*to_.batches, (std::vector<std::size_t>{1, 1, 1, 1, 1}));
}

TEST_F(TracerTest, DropsAndCountsWhatDoesNotFit) {
    TracerOptions options = quick();
    options.queue_max = 10;
    hold(true);
    open(options);
    span("on its way");
    ASSERT_TRUE(wait([&] { return *to_.attempts == 1; }));
    for (int i = 0; i < 15; ++i) {
        span("waits");
    }
    EXPECT_EQ(tracer_->counts().queue_full, 5U);
    EXPECT_EQ(tracer_->counts().waiting, 11U);
    hold(false);
    EXPECT_TRUE(wait([&] { return to_.names->size() == 11; }));
    EXPECT_TRUE(wait_for_counts([](const TracerCounts& c) {
        return c.exported == 11 && c.waiting == 0 && c.queue_full == 5;
    }));
}

TEST_F(TracerTest, TriesAgainAndTellsOnce) {
    for (int i = 0; i < 3; ++i) {
        answer(End::unreachable);
    }
    open(quick());
    span("late");
    EXPECT_TRUE(wait([&] { return to_.names->size() == 1; }));
    EXPECT_TRUE(wait([&] { return told_.size() == 2; }));
    EXPECT_EQ(told_, (std::vector<std::string>{"no", ""}));
    EXPECT_EQ(*to_.attempts, 4);
    EXPECT_EQ(tracer_->counts().failures, 3U);
    EXPECT_EQ(tracer_->counts().exported, 1U);
}

TEST_F(TracerTest, GivesABatchUpThatNobodyTakes) {
    TracerOptions options = quick();
    options.keep_max = Duration::zero();
    answer(End::unreachable);
    open(options);
    span("lost");
    ASSERT_TRUE(wait_for_counts([](const TracerCounts& c) { return c.unreachable == 1; }));
    span("found");
    EXPECT_TRUE(wait([&] { return *to_.names == std::vector<std::string>{"found"}; }));
}

TEST_F(TracerTest, WhatIsRefusedIsNotSentAgain) {
    answer(End::refused);
    open(quick());
    span("unwanted");
    ASSERT_TRUE(wait_for_counts([](const TracerCounts& c) { return c.refused == 1; }));
    span("wanted");
    EXPECT_TRUE(wait([&] { return *to_.names == std::vector<std::string>{"wanted"}; }));
    EXPECT_EQ(*to_.attempts, 2);
}

TEST_F(TracerTest, CountsWhatWasAcceptedInPart) {
    {
        const std::lock_guard lock(*to_.mutex);
        to_.answers->push_back(
            {.end = End::accepted, .rejected = 1, .retry_after = {}, .problem = "one"}
        );
    }
    TracerOptions options = quick();
    options.batch_max = 2;
    options.delay = std::chrono::hours(1);
    open(options);
    span("a");
    span("b");
    EXPECT_TRUE(wait_for_counts([](const TracerCounts& c) {
        return c.exported == 1 && c.refused == 1;
    }));
}

TEST_F(TracerTest, CloseSendsWhatWaits) {
    TracerOptions options = quick();
    options.delay = std::chrono::hours(1);
    open(options);
    span("last");
    tracer_->close_soon();
    ASSERT_TRUE(wait([&] { return to_.names->size() == 1; }));
    span("very last");
    tracer_->close(seconds(20));
    EXPECT_EQ(tracer_->counts().exported, 2U);
    span("too late");
    EXPECT_EQ(tracer_->counts().queue_full, 1U);
}

TEST_F(TracerTest, CloseDoesNotWaitForWhoeverHangs) {
    hold(true);
    open(quick());
    span("hangs");
    ASSERT_TRUE(wait([&] { return *to_.attempts == 1; }));
    tracer_->close(milliseconds(1));
    EXPECT_TRUE(wait_for_counts([](const TracerCounts& c) { return c.unreachable == 1; }));
}

TEST_F(TracerTest, CloseDoesNotWaitOutThePause) {
    TracerOptions options = quick();
    options.pause_min = options.pause_max = std::chrono::hours(1);
    answer(End::unreachable);
    open(options);
    span("kept");
    ASSERT_TRUE(wait_for_counts([](const TracerCounts& c) { return c.failures == 1; }));
    tracer_->close(seconds(20));
    EXPECT_EQ(tracer_->counts().exported, 1U);
}

TEST_F(TracerTest, SamplesAPartOfTheTracesThatBeginHere) {
    TracerOptions options = quick();
    options.sample_ratio = 0.25;
    open(options);
    // The lower 56 bits at and below three quarters.
    EXPECT_TRUE(tracer_->samples("ffffffffffffffffffc0000000000000"));
    EXPECT_TRUE(tracer_->samples("000000000000000000ffffffffffffff"));
    EXPECT_FALSE(tracer_->samples("ffffffffffffffffffbfffffffffffff"));
    EXPECT_FALSE(tracer_->samples("ffffffffffffffffff00000000000000"));
    int sampled = 0;
    for (int i = 0; i < 4000; ++i) {
        sampled += tracer_->new_place(std::nullopt).sampled ? 1 : 0;
    }
    EXPECT_NEAR(sampled, 1000, 120);  // more than four standard deviations
}

TEST_F(TracerTest, WhatComesFromOutsideIsSampledAsItSays) {
    for (const double ratio : {0.0, 1.0}) {
        TracerOptions options = quick();
        options.sample_ratio = ratio;
        open(options);
        for (const bool sampled : {false, true}) {
            const TraceContext parent{
                .trace_id = std::string(32, 'c'),
                .span_id = std::string(16, 'd'),
                .sampled = sampled,
                .trace_state = "a=b",
            };
            const SpanPlace place = tracer_->new_place(parent);
            EXPECT_EQ(place.sampled, sampled);
            EXPECT_EQ(context_of(place).trace_id, parent.trace_id);
            EXPECT_NE(context_of(place).span_id, parent.span_id);
            EXPECT_EQ(context_of(place).trace_state, "a=b");
        }
        EXPECT_EQ(tracer_->new_place(std::nullopt).sampled, ratio == 1);
    }
}

TEST_F(TracerTest, ManyThreadsEndSpans) {
    open(quick());
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([this] {
                for (int k = 0; k < 250; ++k) {
                    span("one of many");
                }
            });
        }
    }
    tracer_->close(seconds(20));
    const TracerCounts counts = tracer_->counts();
    EXPECT_EQ(counts.exported, 1000U);
    EXPECT_EQ(counts.queue_full, 0U);
}

}  // namespace
}  // namespace lab
