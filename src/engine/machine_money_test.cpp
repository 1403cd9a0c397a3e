#include "engine/impl/test_machine.h"
#include "engine/machine.h"

#include <gtest/gtest.h>

/// Budgets hold, also where a server charges more than it may.
namespace lab::engine {
namespace {
using providers::CallResult;
using providers::Outcome;
using test::config_for;
using World = test::MachineWorld;

TEST(Machine, NeverSpendsMoreThanItsBudget) {
    for (const int concurrency : {1, 7, 64}) {
        MachineConfig config = config_for(concurrency, 1000);
        config.budget.max_cost = Money::parse("1").value();
        World world(std::move(config), 1000);
        world.prepare = [](std::int64_t) {
            return Prepared{.cost = Money::parse("0.03").value(), .tokens = 10};
        };
        world.price = Money::parse("0.007").value();  // cheaper than the worst case
        world.run();
        EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
        EXPECT_LE(world.billed, Money::parse("1").value());
        EXPECT_GT(world.billed, Money::parse("0.95").value())
            << "what calls turn out cheaper is used, concurrency " << concurrency;
        EXPECT_TRUE(world.intents.empty());
    }
}

TEST(Machine, AnAnswerThatCostsMoreThanItsWorstCaseHoldsTheOthersBack) {
    MachineConfig config = config_for(16, 300);
    config.budget.max_cost = Money::parse("0.05").value();
    World world(std::move(config), 300);
    world.prepare = [](std::int64_t) {
        return Prepared{.cost = Money::parse("0.0002").value(), .tokens = 100};
    };
    world.price = Money::parse("0.01").value();
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(world.sent, 16 + 5) << "those in flight when the budget was gone, and no other";
    EXPECT_EQ(world.stored.size(), static_cast<std::size_t>(world.sent));
    EXPECT_TRUE(world.intents.empty()) << "what was held back is withdrawn";
    const std::string& words = world.machine_.stop_words();
    EXPECT_NE(
        words.find("the calls cost $" + world.billed.exact() + ", more than the budget of $0.05"),
        std::string::npos
    ) << words;
    EXPECT_NE(words.find("charged more"), std::string::npos) << words;
}

TEST(Machine, WhatWasHeldBackIsSentWhenThereIsMoneyAgain) {
    MachineConfig config = config_for(8, 1000);
    config.budget.max_cost = Money::parse("1").value();
    World world(std::move(config), 1000);
    world.prepare = [](std::int64_t) {
        return Prepared{.cost = Money::parse("0.06").value(), .tokens = 10};
    };
    world.price_of = [](std::int64_t sample) {
        return Money::parse(sample == 3 ? "0.55" : "0.005").value();
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(world.billed, Money::parse("1").value());
    EXPECT_GT(world.billed, Money::parse("0.93").value()) << "it goes on with what is left";
    EXPECT_TRUE(world.intents.empty());
    EXPECT_EQ(world.machine_.stop_words().find("more than"), std::string::npos);
}

TEST(Machine, TokensBeyondTheWorstCaseHoldTheOthersBackToo) {
    MachineConfig config = config_for(16, 300);
    config.budget.max_tokens = 5000;
    World world(std::move(config), 300);
    world.prepare = [](std::int64_t) { return Prepared{.tokens = 10}; };
    world.tokens = 1000;
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(world.sent, 16 + 5);
    EXPECT_NE(
        world.machine_.stop_words().find(
            std::to_string(1000 * world.sent) + " tokens, more than the budget of 5000"
        ),
        std::string::npos
    ) << world.machine_.stop_words();
}

TEST(Machine, ARunThatCompletesSaysAllTheSameThatItCostTooMuch) {
    MachineConfig config = config_for(8, 8);
    config.budget.max_cost = Money::parse("0.01").value();
    World world(std::move(config), 8);
    world.prepare = [](std::int64_t) {
        return Prepared{.cost = Money::parse("0.001").value(), .tokens = 10};
    };
    world.price = Money::parse("0.002").value();
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
    EXPECT_NE(
        world.machine_.stop_words().find("cost $0.016, more than the budget of $0.01"),
        std::string::npos
    ) << world.machine_.stop_words();
}

TEST(Machine, ABudgetThatWasLoweredBlamesNobody) {
    MachineConfig config = config_for(8, 8);
    config.budget.max_cost = Money::parse("0.01").value();
    config.opening.cost = Money::parse("0.02").value();
    World world(std::move(config), 8);
    world.prepare = [](std::int64_t) {
        return Prepared{.cost = Money::parse("0.001").value(), .tokens = 10};
    };
    world.run();
    EXPECT_EQ(world.sent, 0);
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    const std::string& words = world.machine_.stop_words();
    EXPECT_NE(words.find("$0.02, more than the budget of $0.01"), std::string::npos) << words;
    EXPECT_EQ(words.find("charged"), std::string::npos) << words;
}

TEST(Machine, AttemptsThatMayHaveBeenBilledCountAgainstTheBudget) {
    MachineConfig config = config_for(8, 1000);
    config.budget.max_cost = Money::parse("1").value();
    config.retry.budget_share = 10;
    World world(std::move(config), 1000);
    world.prepare = [](std::int64_t) {
        return Prepared{.cost = Money::parse("0.02").value(), .tokens = 10};
    };
    world.price = Money::parse("0.02").value();
    world.answer = [](std::int64_t sample, int attempt) {
        return sample % 2 == 0 && attempt == 1 ? Outcome::network : Outcome::ok;
    };
    world.dress = [](CallResult& result) {
        result.maybe_billed = result.outcome == Outcome::network;
        result.counts_for_breaker = false;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(world.billed, Money::parse("1").value());
    EXPECT_GE(world.billed, Money::parse("0.96").value());
    EXPECT_GT(world.machine_.counters().doubtful, 0);
    EXPECT_TRUE(world.intents.empty());
}

TEST(Machine, CountsTheCallsAndTokensOfItsBudget) {
    MachineConfig config = config_for(8, 100);
    config.budget.max_calls = 30;
    World world(std::move(config), 100);
    world.answer = [](std::int64_t sample, int attempt) {
        return sample % 5 == 0 && attempt == 1 ? Outcome::overloaded : Outcome::ok;
    };
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(world.sent, 30);
    EXPECT_GE(world.sent, 28);

    MachineConfig by_tokens = config_for(8, 100);
    by_tokens.budget.max_tokens = 1000;
    by_tokens.opening.tokens = 400;
    World second(std::move(by_tokens), 100);
    second.prepare = [](std::int64_t) { return Prepared{.tokens = 50}; };
    second.tokens = 20;
    second.run();
    EXPECT_EQ(second.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_LE(second.sent * 20, 600);
    EXPECT_GE(second.sent * 20, 540);
}

}  // namespace
}  // namespace lab::engine
