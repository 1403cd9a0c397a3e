#include "service/lane_progress.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {
using namespace std::chrono_literals;

std::string words(LaneState state, Duration wait, const std::string& error = "answers 500") {
    const TimePoint now{1h};
    return lane_words(
        lane_progress({.name = "m", .state = state, .until = now + wait, .last_error = error}, now)
    );
}

TEST(LaneProgress, SaysWhyNothingIsSentAndWhenItGoesOn) {
    EXPECT_EQ(words(LaneState::broken, 56200ms), "m answers 500; next try in 57 s");
    EXPECT_EQ(
        words(LaneState::broken, 60s, "openai closed the connection without an answer"),
        "m: openai closed the connection without an answer; next try in 60 s"
    );
    EXPECT_EQ(words(LaneState::retrying, 2s), "m answers 500; next try in 2 s");
    EXPECT_EQ(
        words(LaneState::rate_limited, 3s), "m: rate limited by the server, next call in 3 s"
    );
    EXPECT_EQ(
        words(LaneState::own_limit, 10ms), "m: held to its limits per minute, next call in 1 s"
    );
    EXPECT_EQ(words(LaneState::no_budget, 0s), "m: waits for the budget");
    EXPECT_EQ(
        words(LaneState::given_up, 0s, "model m does not answer: no"),
        "given up: model m does not answer: no"
    );
    EXPECT_EQ(words(LaneState::working, 9s), "");
    EXPECT_EQ(words(LaneState::done, 0s), "");
}

TEST(LaneProgress, LongWaitsAreToldInLargerUnits) {
    const auto end = [](Duration wait) {
        const std::string text = words(LaneState::rate_limited, wait);
        return text.substr(text.find(" in ") + 4);
    };
    EXPECT_EQ(end(119s), "119 s");
    EXPECT_EQ(end(120s), "2 min");
    EXPECT_EQ(end(121s), "3 min");
    EXPECT_EQ(end(3h), "3 h");
}

TEST(LaneProgress, AnErrorIsNotQuotedWithoutEnd) {
    EXPECT_LE(words(LaneState::broken, 60s, std::string(5000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace lab::service
