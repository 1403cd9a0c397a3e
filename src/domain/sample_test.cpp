#include "domain/sample.h"

#include "domain/run.h"

#include <gtest/gtest.h>

namespace lab::domain {
namespace {

std::optional<Money> usd(const char* decimal) { return Money::parse(decimal).value(); }

TEST(Cost, AddsTheBucketsAtTheirOwnPrices) {
    const Usage usage{
        .input = 1'000'000,
        .cache_read = 500'000,
        .cache_write = 250'000,
        .output = 3,
        .reasoning = 4
    };
    const Pricing pricing{
        .input = usd("0.15"),
        .output = usd("0.60"),
        .cache_read = usd("0.075"),
        .cache_write = usd("0.20"),
    };
    // 0.15 + 0.0375 + 0.05 + 7 * 0.0000006
    EXPECT_EQ(cost_of(usage, pricing)->exact(), "0.2375042");
}

TEST(Cost, CachedTokensCostAsInputWithoutAPriceOfTheirOwn) {
    const Usage usage{.input = 1, .cache_read = 1, .cache_write = 1};
    EXPECT_EQ(cost_of(usage, {.input = usd("2")})->exact(), "0.000006");
}

TEST(Cost, IsUnknownWhenAPriceThatIsNeededIs) {
    EXPECT_EQ(cost_of({.input = 5, .output = 1}, {.input = usd("1")}), std::nullopt);
    EXPECT_EQ(cost_of({.cache_read = 1}, {.output = usd("1")}), std::nullopt);
    EXPECT_EQ(cost_of({.input = 5}, {.input = usd("1")})->exact(), "0.000005")
        << "no output, no price";
    EXPECT_EQ(cost_of({}, {})->pico(), 0);
}

TEST(Run, StatesHaveNamesThatReadBack) {
    int states = 0;
    for (int i = 0; i < 7; ++i, ++states) {
        const auto state = static_cast<RunState>(i);
        EXPECT_EQ(run_state_from(to_string(state)), state) << to_string(state);
    }
    EXPECT_EQ(to_string(RunState::budget_exhausted), "budget_exhausted");
    EXPECT_EQ(to_string(RunState::cancelled), "cancelled");
    EXPECT_EQ(run_state_from("paused"), std::nullopt);
}

}  // namespace
}  // namespace lab::domain
