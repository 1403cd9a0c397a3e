#include "engine/impl/test_machine.h"
#include "engine/machine.h"

#include <gtest/gtest.h>

/// Several models, and what is told about one that waits.
namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::CallResult;
using providers::Outcome;
using test::config_for;
using test::config_of_two;
using test::kStart;
using World = test::MachineWorld;

// Several models.

TEST(Lanes, OneThatCannotBeReachedDoesNotStopTheOther) {
    World world(config_of_two(4, 200), 200);
    world.answer = [](std::int64_t sample, int) {
        return sample % 2 == 1 ? Outcome::network : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.unreachable = result.outcome == Outcome::network;
    };
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_EQ(world.machine_.stop_words(), "model bad does not answer: scripted");
    EXPECT_EQ(world.stored_of(0), 100);
    EXPECT_EQ(world.stored_of(1), 0);
    EXPECT_LE(world.sent, 100 + 8);
    EXPECT_TRUE(world.intents.empty());
    EXPECT_EQ(world.machine_.counters().failed, 0) << "to be tried again by a resume";
    EXPECT_EQ(world.status(1).state, LaneState::given_up);
}

TEST(Lanes, OneThatRefusesEverythingDoesNotStopTheOther) {
    World world(config_of_two(4, 2000), 2000);
    world.answer = [](std::int64_t sample, int) {
        return sample % 2 == 1 ? Outcome::refused : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_EQ(world.machine_.stop_words(), "model bad refuses every call: scripted");
    EXPECT_EQ(world.stored_of(0), 1000);
    EXPECT_LE(world.stored_of(1), 14);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Lanes, AnOutageOfOneIsSatOutWhileTheOtherWorks) {
    World world(config_of_two(4, 200), 200);
    world.answer = [](std::int64_t sample, int) {
        return sample % 2 == 1 ? Outcome::overloaded : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_EQ(world.stored_of(0), 100);
    EXPECT_GT(world.now - kStart, 2min);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Lanes, WhenAllAreGivenUpTheRunEndsAtOnceAndNamesThem) {
    World world(config_of_two(4, 1000), 1000);
    world.answer = [](std::int64_t, int) { return Outcome::refused; };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_EQ(
        world.machine_.stop_words(),
        "model good refuses every call: scripted; model bad refuses every call: scripted"
    );
    EXPECT_LE(world.sent, 2 * (10 + 4));
}

TEST(Lanes, WhatOneLeavesBehindIsMoneyForTheOther) {
    MachineConfig config = config_of_two(4, 400);
    config.budget.max_cost = Money::parse("1").value();
    World world(std::move(config), 400);
    world.prepare = [](std::int64_t sample) {
        return Prepared{.cost = Money::parse(sample % 2 == 1 ? "0.2" : "0.01").value()};
    };
    world.price = Money::parse("0.01").value();
    world.answer = [](std::int64_t sample, int) {
        return sample % 2 == 1 ? Outcome::network : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.unreachable = result.outcome == Outcome::network;
    };
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_EQ(world.stored_of(0), 100) << "a cent each";
    EXPECT_TRUE(world.intents.empty());
    EXPECT_EQ(
        world.machine_.stop_words(),
        "the next call could exceed the budget; model bad does not answer: scripted"
    );
}

TEST(Lanes, AnInterruptAfterOneWasGivenUpIsAnInterrupt) {
    World world(config_of_two(8, 100), 100);
    world.answer = [&](std::int64_t sample, int) {
        if (world.stored_of(0) == 20) {
            world.machine_.stop(StopReason::interrupted, "interrupted", world.now);
        }
        return sample % 2 == 1 ? Outcome::network : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.unreachable = result.outcome == Outcome::network;
    };
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.status(1).state, LaneState::given_up);
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::interrupted);
    EXPECT_TRUE(world.intents.empty());
}

// What is told about a lane while it waits.

TEST(Status, AnOpenBreakerSaysWhatTheServerAnswersAndUntilWhen) {
    World world(config_for(4, 100), 100);
    world.answer = [](std::int64_t, int) { return Outcome::overloaded; };
    world.dress = [](CallResult& result) { result.http_status = 500; };
    world.machine_.start(world.now);
    world.carry_out();
    EXPECT_EQ(world.status().state, LaneState::working);
    EXPECT_EQ(world.status().name, "m");
    for (int i = 0; i < 5; ++i) {
        world.end_call(*world.flight_.begin());
    }
    const TimePoint fifth = world.now;
    EXPECT_EQ(world.status().state, LaneState::broken);
    EXPECT_EQ(world.status().until, fifth + 60s);
    EXPECT_EQ(world.status().last_error, "answers 500");
    world.now = fifth + 60s;
    world.machine_.on_wake(world.now);
    world.carry_out();
    EXPECT_EQ(world.status().state, LaneState::working) << "it is being tried";
}

TEST(Status, ARetryAfterIsARateLimitOfTheServer) {
    World world(config_for(2, 10), 10);
    world.answer = [](std::int64_t, int attempt) {
        return attempt == 1 ? Outcome::rate_limited : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.http_status = result.outcome == Outcome::ok ? 200 : 429;
        result.hints.retry_after = 3s;
    };
    world.machine_.start(world.now);
    world.carry_out();
    for (int i = 0; i < 10; ++i) {
        world.end_call(*world.flight_.begin());
    }
    ASSERT_TRUE(world.flight_.empty());
    EXPECT_EQ(world.status().state, LaneState::rate_limited);
    EXPECT_GE(world.status().until, world.now + 2900ms);
    EXPECT_LE(world.status().until, world.now + 3300ms);
}

TEST(Status, APauseThatTheServerAsksForIsARateLimit) {
    World world(config_for(1, 10), 10);
    world.dress = [](CallResult& result) {
        result.hints.requests_remaining = 0;
        result.hints.requests_reset = 20s;
    };
    world.machine_.start(world.now);
    world.carry_out();
    world.end_call(0);
    EXPECT_EQ(world.status().state, LaneState::rate_limited);
    EXPECT_EQ(world.status().until, world.now + 20s);
}

TEST(Status, OwnLimitsAndRetriesAndTheBudgetAreToldApart) {
    MachineConfig slow = config_for(4, 10);
    slow.lanes[0].requests_per_minute = 6;
    World limited(std::move(slow), 10);
    limited.machine_.start(limited.now);
    limited.carry_out();
    limited.end_call(0);
    EXPECT_EQ(limited.status().state, LaneState::own_limit);
    EXPECT_GT(limited.status().until, limited.now + 9s);

    World retrying(config_for(1, 1), 1);
    retrying.answer = [](std::int64_t, int) { return Outcome::nonsense; };
    retrying.machine_.start(retrying.now);
    retrying.carry_out();
    retrying.end_call(0);
    EXPECT_EQ(retrying.status().state, LaneState::retrying);
    EXPECT_EQ(retrying.status().last_error, "scripted");
    EXPECT_EQ(retrying.status().until, *retrying.machine_.wake_at());

    MachineConfig two = config_of_two(1, 10);
    two.budget.max_tokens = 50;
    World poor(std::move(two), 10);
    poor.prepare = [](std::int64_t) { return Prepared{.tokens = 50}; };
    poor.machine_.start(poor.now);
    poor.carry_out();
    ASSERT_EQ(poor.sent, 1);
    EXPECT_EQ(poor.status(0).state, LaneState::working);
    EXPECT_EQ(poor.status(1).state, LaneState::no_budget) << "the other's call holds it";
}

TEST(Status, ALaneWithNothingLeftIsDone) {
    World world(config_for(4, 10), 10);
    world.run();
    EXPECT_EQ(world.status().state, LaneState::done);
}

}  // namespace
}  // namespace lab::engine
