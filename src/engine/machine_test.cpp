#include "engine/machine.h"

#include "engine/impl/test_machine.h"

#include <gtest/gtest.h>

namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::CallResult;
using providers::Outcome;
using test::config_for;
using test::kStart;
using World = test::MachineWorld;

TEST(Machine, FinishesEverySampleOnceWithinItsConcurrency) {
    World world(config_for(8, 500), 500);
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
    EXPECT_EQ(world.stored.size(), 500U);
    EXPECT_EQ(world.sent, 500);
    EXPECT_EQ(world.max_in_flight, 8);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Machine, AnAnswerHoldsItsSlotUntilItIsStored) {
    World world(config_for(8, 100), 100);
    world.hold_stores = true;
    world.machine_.start(world.now);
    world.carry_out();
    ASSERT_EQ(world.sent, 8);
    for (int i = 0; i < 3; ++i) {
        world.end_call(*world.flight_.begin());
    }
    EXPECT_EQ(world.sent, 8) << "a crash now would have eight calls sent again, not eleven";
    world.machine_.on_stored({world.held_[0], world.held_[1]}, world.now);
    world.carry_out();
    EXPECT_EQ(world.sent, 10);
}

TEST(Machine, AnEmptyPlanIsComplete) {
    World world(config_for(8, 0), 0);
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
}

TEST(Machine, RetriesAreCountedAndTheWaitingSampleGivesUpItsSlot) {
    World world(config_for(4, 100), 100);
    world.answer = [](std::int64_t sample, int attempt) {
        return sample % 10 == 0 && attempt == 1 ? Outcome::rate_limited : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        if (result.outcome == Outcome::rate_limited) {
            result.hints.retry_after = 1s;
        }
    };
    world.run();
    EXPECT_EQ(world.stored.size(), 100U);
    EXPECT_EQ(world.machine_.counters().retries, 10);
    EXPECT_EQ(world.machine_.counters().calls, 110);
    EXPECT_EQ(world.machine_.counters().failed, 0);
    EXPECT_LT(world.now - kStart, 2s) << "ten waits of a second run side by side";
}

TEST(Machine, WhatIsNotRetryableFailsAtOnce) {
    World world(config_for(4, 20), 20);
    world.answer = [](std::int64_t sample, int) {
        return sample % 2 == 0 ? Outcome::refused : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.counters().failed, 10);
    EXPECT_EQ(world.machine_.counters().done, 10);
    EXPECT_EQ(world.sent, 20);
}

TEST(Machine, AnEndpointThatRefusesEverythingIsGivenUpEarly) {
    World world(config_for(4, 10'000), 10'000);
    world.answer = [](std::int64_t, int) { return Outcome::refused; };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_LE(world.sent, 20);
    EXPECT_NE(world.machine_.stop_words().find("scripted"), std::string::npos);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Machine, ADeadEndpointOpensTheBreakerAndEndsTheRun) {
    World world(config_for(4, 10'000), 10'000);
    world.answer = [](std::int64_t, int) { return Outcome::network; };
    world.dress = [](CallResult& result) { result.unreachable = true; };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_LE(world.sent, 10) << "an open breaker lets nothing through";
    EXPECT_LT(world.now - kStart, 1min) << "a wrong address is not waited for";
    EXPECT_TRUE(world.stored.empty());
    EXPECT_TRUE(world.intents.empty());
}

TEST(Machine, AnswersThatBreakOffAtTheStartAreAskedForAgain) {
    World world(config_for(4, 20), 20);
    world.answer = [](std::int64_t, int attempt) {
        return attempt == 1 ? Outcome::network : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.maybe_billed = result.outcome == Outcome::network;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
    EXPECT_EQ(world.stored.size(), 20U);
    EXPECT_EQ(world.machine_.counters().failed, 0);
    EXPECT_LT(world.now - kStart, 5min);
}

TEST(Machine, WhoOnceAnsweredAnythingIsNoWrongAddress) {
    World world(config_for(4, 100), 100);
    int calls = 0;
    world.answer = [&calls](std::int64_t, int) {
        return ++calls > 10 ? Outcome::ok : calls == 1 ? Outcome::overloaded : Outcome::network;
    };
    world.dress = [](CallResult& result) {
        result.unreachable = result.outcome == Outcome::network;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
    EXPECT_EQ(world.stored.size(), 100U);
}

TEST(Machine, AnOutageIsSatOutForAWhile) {
    World world(config_for(4, 10'000), 10'000);
    int calls = 0;
    world.answer = [&calls](std::int64_t, int) {
        return ++calls > 100 ? Outcome::network : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_GT(world.now - kStart, 1min);
    EXPECT_LT(world.now - kStart, 10min);
    EXPECT_EQ(world.stored.size(), 100U);
}

TEST(Machine, RateLimitsNeverOpenTheBreaker) {
    MachineConfig config = config_for(4, 50);
    config.retry.max_attempts = 50;
    World world(std::move(config), 50);
    world.answer = [](std::int64_t, int attempt) {
        return attempt < 10 ? Outcome::rate_limited : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
    EXPECT_EQ(world.stored.size(), 50U);
}

TEST(Machine, TooManyErrorsEndTheRunAndKeepItsResults) {
    MachineConfig config = config_for(4, 100);
    config.max_error_share = 0.05;
    World world(std::move(config), 100);
    world.answer = [](std::int64_t sample, int) {
        return sample % 3 == 0 ? Outcome::refused : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::too_many_errors);
    EXPECT_NE(world.machine_.stop_words().find("the last: scripted"), std::string::npos);
    EXPECT_GE(world.machine_.counters().failed, 6);
    EXPECT_LE(world.machine_.counters().failed, 6 + 3) << "what was in flight may fail too";
    EXPECT_GT(world.machine_.counters().done, 0);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Machine, RequestsPerMinuteAreKept) {
    MachineConfig config = config_for(64, 100);
    config.lanes[0].requests_per_minute = 600;  // ten a second, a burst of ten
    World world(std::move(config), 100);
    world.run();
    EXPECT_EQ(world.stored.size(), 100U);
    EXPECT_GE(world.now - kStart, 8900ms);
    EXPECT_LE(world.now - kStart, 10s);
}

TEST(Machine, TokensPerMinuteAreKeptByWhatWasReallyUsed) {
    MachineConfig config = config_for(64, 100);
    config.lanes[0].tokens_per_minute = 60'000;  // a thousand a second
    World world(std::move(config), 100);
    world.prepare = [](std::int64_t) { return Prepared{.tokens = 500}; };
    world.tokens = 100;
    world.run();
    EXPECT_EQ(world.stored.size(), 100U);
    EXPECT_LE(world.now - kStart, 12s) << "the unused reservation goes back";
    EXPECT_GE(world.now - kStart, 8s);
}

TEST(Machine, PausesWhenTheServerSaysThatNothingIsLeft) {
    World world(config_for(1, 10), 10);
    int calls = 0;
    world.dress = [&calls](CallResult& result) {
        if (++calls == 3) {
            result.hints.requests_remaining = 0;
            result.hints.requests_reset = 20s;
        }
    };
    world.run();
    EXPECT_EQ(world.stored.size(), 10U);
    EXPECT_GE(world.now - kStart, 20s);
}

TEST(Machine, AnInterruptLetsFlyingCallsFinish) {
    World world(config_for(8, 1000), 1000);
    world.machine_.start(world.now);
    world.carry_out();
    EXPECT_EQ(world.flight_.size(), 8U);
    world.machine_.stop(StopReason::interrupted, "interrupted", world.now);
    world.carry_out();
    EXPECT_FALSE(world.machine_.finished());
    while (!world.flight_.empty()) {
        world.end_call(*world.flight_.begin());
    }
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.stored.size(), 8U);
    EXPECT_EQ(world.sent, 8);
    EXPECT_TRUE(world.intents.empty()) << "what was not sent is withdrawn";
}

TEST(Machine, ASecondInterruptLeavesTheIntentsOfFlyingCalls) {
    World world(config_for(8, 1000), 1000);
    world.machine_.start(world.now);
    world.carry_out();
    world.machine_.stop_now(StopReason::interrupted, "interrupted", world.now);
    world.carry_out();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.intents.size(), 8U) << "nobody knows whether they were billed";
    EXPECT_TRUE(world.stored.empty());
}

TEST(Machine, AnswersFromTheCacheNeedNoCall) {
    World world(config_for(8, 100), 100);
    world.prepare = [](std::int64_t sample) {
        return Prepared{.kind = sample % 2 == 0 ? PreparedKind::answered : PreparedKind::call};
    };
    world.run();
    EXPECT_EQ(world.sent, 50);
    EXPECT_EQ(world.stored.size(), 100U);
    EXPECT_EQ(world.machine_.counters().answered, 50);
}

TEST(Machine, SamplesThatCannotBeSentFail) {
    World world(config_for(8, 10), 10);
    world.prepare = [](std::int64_t) { return Prepared{.kind = PreparedKind::broken}; };
    world.run();
    EXPECT_EQ(world.machine_.counters().failed, 10);
    EXPECT_EQ(world.sent, 0);
}

TEST(Machine, ReplayNeedsNoIntentAndIsHeldBackByTheDiskAlone) {
    MachineConfig config = config_for(1, 5000);
    config.lanes[0].replay = true;
    config.unstored_max = 100;
    World world(std::move(config), 5000);
    world.replay = true;
    world.run();
    EXPECT_EQ(world.stored.size(), 5000U);
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
}

}  // namespace
}  // namespace lab::engine
