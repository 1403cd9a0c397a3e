#include "engine/machine.h"

#include <gtest/gtest.h>

#include <set>

namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::CallResult;
using providers::Outcome;

const TimePoint kStart{1h};

/// Plays the driver: carries out commands at once, answers calls as a script says, and keeps the
/// books that the machine's promises are checked against.
class World {
  public:
    explicit World(MachineConfig config, std::int64_t samples)
        : machine_(std::move(config), [this, samples](int lane) -> std::optional<std::int64_t> {
              return lane == 0 && next_ < samples ? std::optional(next_++) : std::nullopt;
          }) {}

    std::function<Prepared(std::int64_t)> prepare = [](std::int64_t) { return Prepared{}; };
    /// Outcome of attempt `n` (1..) of a sample.
    std::function<Outcome(std::int64_t, int)> answer = [](std::int64_t, int) {
        return Outcome::ok;
    };
    std::optional<Money> price;
    std::int64_t tokens = 0;
    bool hold_calls = false;
    bool hold_stores = false;  ///< what is finished stays on its way to the store
    std::function<void(CallResult&)> dress = [](CallResult&) {};

    /// Runs until nothing can happen any more, letting time jump to the next wake-up.
    void run() {
        machine_.start(now);
        for (int round = 0; round < 1'000'000 && !machine_.finished(); ++round) {
            carry_out();
            if (flight_.empty() || hold_calls) {
                if (machine_.finished() || !machine_.wake_at()) {
                    return;
                }
                now = std::max(now, *machine_.wake_at());
                machine_.on_wake(now);
                continue;
            }
            end_call(*flight_.begin());
        }
    }

    void carry_out() {
        while (machine_.has_commands()) {
            for (const Command& command : machine_.take_commands()) {
                step(command);
            }
        }
    }

    void end_call(std::int64_t sample) {
        flight_.erase(sample);
        now += 1ms;
        CallResult result;
        result.outcome = answer(sample, attempts_[sample]);
        result.error.message = "scripted";
        result.counts_for_breaker =
            result.outcome == Outcome::network || result.outcome == Outcome::overloaded;
        dress(result);
        const bool ok = result.outcome == Outcome::ok;
        // The world bills what it may: answers, and what broke off on the way.
        billed = billed + (ok || result.maybe_billed ? price.value_or(Money()) : Money());
        machine_.on_call_done(
            sample, {.result = &result, .cost = price, .tokens = ok ? tokens : 0}, now
        );
        carry_out();
    }

    void step(const Command& command) {
        const std::int64_t s = command.sample;
        switch (command.kind) {
            case CommandKind::prepare:
                machine_.on_prepared(s, prepare(s), now);
                break;
            case CommandKind::commit:
                EXPECT_TRUE(intents.insert(s).second) << "an intent is written once";
                machine_.on_intents_committed({s}, now);
                break;
            case CommandKind::send:
                EXPECT_TRUE(replay || intents.contains(s)) << "no call without its intent";
                EXPECT_FALSE(stored.contains(s)) << "no call for a stored sample";
                EXPECT_TRUE(flight_.insert(s).second);
                ++attempts_[s];
                ++sent;
                max_in_flight = std::max(max_in_flight, static_cast<std::int64_t>(flight_.size()));
                break;
            case CommandKind::store:
                EXPECT_TRUE(stored.insert(s).second) << "nothing is stored twice";
                intents.erase(s);
                if (hold_stores) {
                    held_.push_back({.lane = command.lane, .was_sent = attempts_.contains(s)});
                    break;
                }
                machine_.on_stored(
                    {{.lane = command.lane, .was_sent = attempts_.contains(s)}}, now
                );
                break;
            case CommandKind::book:
                EXPECT_TRUE(intents.contains(s)) << "only what was sent can end without an answer";
                machine_.on_booked({s}, now);
                break;
            case CommandKind::withdraw:
                EXPECT_FALSE(flight_.contains(s)) << "a call in flight is not withdrawn";
                intents.erase(s);
                break;
            case CommandKind::cancel: {
                flight_.erase(s);
                CallResult result;
                result.outcome = Outcome::cancelled;
                machine_.on_call_done(s, {.result = &result}, now);
                break;
            }
        }
    }

    TimePoint now = kStart;
    bool replay = false;
    std::set<std::int64_t> intents;
    std::set<std::int64_t> stored;
    std::int64_t sent = 0;
    std::int64_t max_in_flight = 0;
    Money billed;
    std::int64_t next_ = 0;
    std::set<std::int64_t> flight_;
    std::vector<Stored> held_;
    std::map<std::int64_t, int> attempts_;
    Machine machine_;
};

MachineConfig config_for(int concurrency, std::int64_t planned) {
    MachineConfig config;
    config.lanes.push_back({.name = "m", .concurrency = concurrency});
    config.planned = planned;
    config.max_error_share = 1;
    return config;
}

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
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::endpoint_down);
    EXPECT_LE(world.sent, 10) << "an open breaker lets nothing through";
    EXPECT_LT(world.now - kStart, 1min) << "a wrong address is not waited for";
    EXPECT_TRUE(world.stored.empty());
    EXPECT_TRUE(world.intents.empty());
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

/// Chance decides everything; the promises hold all the same.
TEST(Machine, KeepsItsPromisesUnderRandomFailures) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Rng rng(seed);
        MachineConfig config = config_for(1 + static_cast<int>(rng.below(20)), 200);
        config.seed = seed;
        if (rng.below(2) == 0) {
            config.budget.max_cost = Money::from_pico(static_cast<std::int64_t>(rng.below(3000)));
        }
        if (rng.below(3) == 0) {
            config.lanes[0].requests_per_minute = 1000.0 + static_cast<double>(rng.below(100'000));
        }
        if (rng.below(3) == 0) {
            config.budget.max_calls = static_cast<std::int64_t>(rng.below(300));
        }
        const domain::Budget budget = config.budget;
        World world(std::move(config), 200);
        const std::uint64_t badness = rng.below(60);
        world.prepare = [&rng](std::int64_t) {
            return Prepared{
                .kind = rng.below(20) == 0 ? PreparedKind::answered : PreparedKind::call,
                .cost = Money::from_pico(20),
                .tokens = 7
            };
        };
        world.price = Money::from_pico(11);
        world.dress = [&rng](CallResult& result) {
            result.maybe_billed = result.outcome == Outcome::nonsense ||
                                  (result.outcome == Outcome::network && rng.below(2) == 0);
        };
        world.answer = [&](std::int64_t, int) {
            if (rng.below(100) >= badness) {
                return Outcome::ok;
            }
            constexpr std::array kBad{
                Outcome::rate_limited,
                Outcome::overloaded,
                Outcome::network,
                Outcome::refused,
                Outcome::nonsense
            };
            return kBad[rng.below(kBad.size())];
        };
        world.run();
        ASSERT_TRUE(world.machine_.finished()) << "seed " << seed;
        EXPECT_TRUE(world.intents.empty()) << "seed " << seed;
        EXPECT_TRUE(!budget.max_cost || world.billed <= *budget.max_cost) << "seed " << seed;
        EXPECT_TRUE(!budget.max_calls || world.sent <= *budget.max_calls) << "seed " << seed;
        const Machine::Counters& c = world.machine_.counters();
        EXPECT_EQ(static_cast<std::int64_t>(world.stored.size()), c.done + c.failed);
        EXPECT_EQ(world.sent, c.calls);
        if (world.machine_.stop_reason() == StopReason::completed) {
            EXPECT_EQ(world.stored.size(), 200U) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace lab::engine
