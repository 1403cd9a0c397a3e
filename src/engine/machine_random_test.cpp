#include "engine/impl/test_machine.h"
#include "engine/machine.h"

#include <gtest/gtest.h>

#include <array>

namespace lab::engine {
namespace {
using providers::CallResult;
using providers::Outcome;
using test::config_for;
using World = test::MachineWorld;

/// Chance decides everything; the promises hold all the same.
struct Chance {
    explicit Chance(std::uint64_t seed) : rng(seed), samples(200) {
        config = config_for(1 + static_cast<int>(rng.below(20)), samples);
        config.seed = seed;
        while (config.lanes.size() < 3 && rng.below(2) == 0) {
            config.lanes.push_back({.name = "n", .concurrency = 1 + static_cast<int>(rng.below(9))}
            );
        }
        if (rng.below(2) == 0) {
            config.budget.max_cost = Money::from_pico(static_cast<std::int64_t>(rng.below(3000)));
        }
        if (rng.below(3) == 0) {
            config.lanes[0].requests_per_minute = 1000.0 + static_cast<double>(rng.below(100'000));
        }
        if (rng.below(3) == 0) {
            config.budget.max_calls = static_cast<std::int64_t>(rng.below(300));
        }
        overbilling = rng.below(2) == 0 ? rng.below(30) : 0;
        badness = rng.below(60);
        // Some lanes die at some call and stay so.
        for (std::size_t lane = 0; lane < config.lanes.size(); ++lane) {
            dies_at.push_back(rng.below(3) == 0 ? rng.below(60) : 1'000'000);
            dies_of.push_back(rng.below(3));
        }
    }
    Outcome outcome(std::int64_t sample) {
        const auto lane = static_cast<std::size_t>(sample) % dies_at.size();
        dead = dies_at[lane] == 0;
        dies_at[lane] -= dead ? 0 : 1;
        if (dead) {
            constexpr std::array kDead{Outcome::network, Outcome::refused, Outcome::overloaded};
            return kDead[dies_of[lane]];
        }
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
    }

    Rng rng;
    std::int64_t samples;
    MachineConfig config;
    std::uint64_t overbilling = 0;  ///< calls in a hundred that cost more than their worst case
    std::uint64_t badness = 0;
    std::vector<std::uint64_t> dies_at;  ///< by lane: calls until then
    std::vector<std::uint64_t> dies_of;
    bool dead = false;  ///< the last call's lane
};

struct Seen {
    int given_up = 0;
    int others_went_on = 0;
    int overspent = 0;
};

void live_and_check(std::uint64_t seed, Seen& seen) {
    Chance chance(seed);
    Rng& rng = chance.rng;
    const domain::Budget budget = chance.config.budget;
    World world(chance.config, chance.samples);
    world.prepare = [&rng](std::int64_t) {
        return Prepared{
            .kind = rng.below(20) == 0 ? PreparedKind::answered : PreparedKind::call,
            .cost = Money::from_pico(20),
            .tokens = 7
        };
    };
    world.price_of = [&](std::int64_t) {
        return Money::from_pico(rng.below(100) < chance.overbilling ? 300 : 11);
    };
    world.dress = [&](CallResult& result) {
        const bool network = result.outcome == Outcome::network;
        result.unreachable = network && (chance.dead || rng.below(4) == 0);
        result.maybe_billed = result.outcome == Outcome::nonsense ||
                              (network && !result.unreachable && rng.below(2) == 0);
    };
    world.answer = [&](std::int64_t sample, int) { return chance.outcome(sample); };
    world.pick = [&] {
        return *std::next(
            world.flight_.begin(), static_cast<std::ptrdiff_t>(rng.below(world.flight_.size()))
        );
    };
    world.run();
    const Machine& machine = world.machine_;
    ASSERT_TRUE(machine.finished());
    EXPECT_TRUE(world.intents.empty());
    EXPECT_TRUE(!budget.max_cost || world.billed <= *budget.max_cost + world.overbilled);
    EXPECT_TRUE(!budget.max_calls || world.sent <= *budget.max_calls);
    const Machine::Counters& c = machine.counters();
    EXPECT_EQ(static_cast<std::int64_t>(world.stored.size()), c.done + c.failed);
    EXPECT_EQ(world.sent, c.calls);
    EXPECT_EQ(c.in_flight, 0);
    EXPECT_EQ(c.waiting, 0);
    const bool overspent = budget.max_cost && world.booked > *budget.max_cost;
    EXPECT_EQ(machine.stop_words().find("more than the budget of") != std::string::npos, overspent)
        << machine.stop_words();
    std::size_t given_up = 0;
    bool others_left_out = false;
    for (std::size_t lane = 0; lane < machine.lanes(); ++lane) {
        const auto l = static_cast<std::int64_t>(lane);
        const auto lanes = static_cast<std::int64_t>(machine.lanes());
        const bool gone = machine.lane_status(lane, world.now).state == LaneState::given_up;
        given_up += gone ? 1 : 0;
        others_left_out = others_left_out ||
                          (!gone && world.stored_of(l) < (chance.samples - l + lanes - 1) / lanes);
    }
    if (machine.stop_reason() == StopReason::completed) {
        EXPECT_EQ(world.stored.size(), 200U);
        EXPECT_EQ(given_up, 0U);
    }
    if (machine.stop_reason() == StopReason::endpoint_down) {
        EXPECT_GT(given_up, 0U);
        EXPECT_FALSE(others_left_out) << "a model that is gone does not stop the others";
    }
    seen.given_up += given_up > 0 ? 1 : 0;
    seen.others_went_on += given_up > 0 && given_up < machine.lanes() ? 1 : 0;
    seen.overspent += overspent ? 1 : 0;
}

TEST(Machine, KeepsItsPromisesUnderRandomFailures) {
    Seen seen;
    for (std::uint64_t seed = 1; seed <= 600; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        live_and_check(seed, seen);
    }
    EXPECT_GT(seen.given_up, 50) << "the seeds reach what they are to try";
    EXPECT_GT(seen.others_went_on, 20);
    EXPECT_GT(seen.overspent, 20);
}

}  // namespace
}  // namespace lab::engine
