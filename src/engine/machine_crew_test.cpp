#include "engine/impl/test_machine.h"
#include "engine/machine.h"

#include <gtest/gtest.h>

/// One of several machines on a run: what the others do reaches it by on_companions().
namespace lab::engine {
namespace {
using test::config_for;
using test::kStart;
using World = test::MachineWorld;
using namespace std::chrono_literals;

MachineConfig crew_config(int concurrency, std::int64_t samples) {
    MachineConfig config = config_for(concurrency, samples);
    config.in_a_crew = true;
    return config;
}

TEST(CrewMachine, WaitsForMoreUntilNothingIsLeft) {
    World world(crew_config(4, 10), 10);
    world.run();
    EXPECT_EQ(world.stored.size(), 10U);
    EXPECT_FALSE(world.machine_.finished()) << "more may come";
    world.machine_.on_nothing_left({0}, world.now);
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::completed);
}

TEST(CrewMachine, SharesTheRateOfAModelWithTheOthers) {
    for (const int members : {1, 2, 4}) {
        MachineConfig config = crew_config(1000, 60);
        config.lanes[0].requests_per_minute = 600;
        World world(std::move(config), 60);
        world.machine_.on_companions({.members = members}, world.now);
        world.run();
        EXPECT_EQ(world.stored.size(), 60U);
        const double seconds = std::chrono::duration<double>(world.now - kStart).count();
        // Ten a second; the bucket is full for the first one and empty for whoever joins.
        const double expected = members == 1 ? 5.0 : 6.0 * members;
        EXPECT_NEAR(seconds, expected, 0.5) << members << " members";
    }
}

TEST(CrewMachine, AsksForMoneyBeforeItGivesUp) {
    MachineConfig config = crew_config(4, 100);
    config.budget.max_calls = 20;
    World world(std::move(config), 100);
    const auto grant = [&](std::int64_t mine, bool is_all) {
        world.machine_.on_companions(
            {.members = 2, .budget = {.calls = 20 - mine}, .is_all_of_it = is_all}, world.now
        );
    };
    grant(5, false);
    EXPECT_EQ(world.machine_.wants_budget(), std::nullopt);
    world.run();
    EXPECT_EQ(world.sent, 5);
    EXPECT_FALSE(world.machine_.finished());
    const auto need = world.machine_.wants_budget();
    ASSERT_TRUE(need.has_value());
    EXPECT_EQ(need->calls, 1);
    grant(8, false);
    world.run();
    EXPECT_EQ(world.sent, 8);
    grant(8, true);
    world.run();
    EXPECT_TRUE(world.machine_.finished());
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::budget_exhausted);
    EXPECT_EQ(world.sent, 8);
    EXPECT_EQ(world.machine_.exposure().spent.calls, 8);
    EXPECT_EQ(world.machine_.exposure().done, 8);
}

TEST(CrewMachine, CountsTheFailuresOfTheOthers) {
    MachineConfig config = crew_config(1, 100);
    config.max_error_share = 0.1;
    World world(std::move(config), 100);
    world.answer = [](std::int64_t sample, int) {
        return sample == 20 ? providers::Outcome::refused : providers::Outcome::ok;
    };
    world.machine_.on_companions({.members = 2, .failed = 10}, world.now);
    world.run();
    EXPECT_EQ(world.machine_.stop_reason(), StopReason::too_many_errors);
    EXPECT_NE(world.machine_.stop_words().find("11 of 100 samples failed"), std::string::npos)
        << world.machine_.stop_words();
}

TEST(CrewMachine, APauseOfTheOthersIsItsOwnButNotToldAgain) {
    World world(crew_config(4, 8), 8);
    world.machine_.on_companions({.members = 1, .pauses = {30s}}, world.now);
    EXPECT_EQ(world.machine_.pauses(world.now), std::vector<Duration>{0s});
    world.run();
    EXPECT_EQ(world.stored.size(), 8U);
    EXPECT_GE(world.now - kStart, 30s);
}

TEST(CrewMachine, TellsWhatAServerHasToldIt) {
    World world(crew_config(1, 2), 2);
    world.dress = [](providers::CallResult& result) {
        result.hints.requests_remaining = 0;
        result.hints.requests_reset = 20s;
    };
    world.run();
    const auto pauses = world.machine_.pauses(world.now);
    ASSERT_EQ(pauses.size(), 1U);
    EXPECT_GT(pauses[0], 0s);
    EXPECT_LE(pauses[0], 20s);
}

}  // namespace
}  // namespace lab::engine
