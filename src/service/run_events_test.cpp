#include "service/run_events.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {

class RunEventsTest : public testing::Test {
  protected:
    /// Everything a listener of r1 hears, as "number type".
    std::uint64_t hear(std::int64_t after = 0) {
        return events_.subscribe("r1", after, [this](const RunEvent& event) {
            heard_.push_back(std::to_string(event.number) + " " + event.type);
        });
    }
    RunEvents events_;
    std::vector<std::string> heard_;
};

TEST_F(RunEventsTest, WhoComesLateHearsWhatWasKept) {
    events_.publish("r1", "state", "{}");
    events_.publish("r1", "progress", "{}");
    events_.publish("r2", "state", "{}");
    hear(1);
    events_.publish("r1", "done", "{}");
    EXPECT_EQ(heard_, (std::vector<std::string>{"2 progress", "3 done"}));
    EXPECT_EQ(events_.since("r1", 2).size(), 1U);
    EXPECT_TRUE(events_.since("r3", 0).empty());
}

TEST_F(RunEventsTest, WhatAnotherProcessTellsComesOnceAndUnderItsNumber) {
    EXPECT_TRUE(events_.listened(10).empty());
    events_.relay("r1", {.number = 1, .type = "state", .data = "{}"});  // nobody listens
    const std::uint64_t listener = hear();
    ASSERT_EQ(events_.listened(10).size(), 1U);
    EXPECT_EQ(events_.listened(10)[0], (std::pair<std::string, std::int64_t>("r1", 0)));
    events_.relay("r1", {.number = 5, .type = "state", .data = "{}"});
    events_.relay("r1", {.number = 5, .type = "state", .data = "{}"});
    events_.relay("r1", {.number = 4, .type = "late", .data = "{}"});
    EXPECT_EQ(events_.listened(10)[0].second, 5);
    EXPECT_EQ(heard_, std::vector<std::string>{"5 state"});
    EXPECT_TRUE(events_.listened(0).empty());
    events_.unsubscribe("r1", listener);
    EXPECT_TRUE(events_.listened(10).empty());
}

TEST_F(RunEventsTest, AProcessThatGoesSaysBehindWhichEventAnotherGoesOn) {
    events_.publish("r1", "state", "{}");
    hear();
    events_.end();
    hear(1);
    EXPECT_EQ(heard_, (std::vector<std::string>{"1 state", "1 going", "1 going"}));
    EXPECT_EQ(events_.since("r1", 0).size(), 1U);
}

TEST_F(RunEventsTest, WhoeverTakesARunOverGoesOnBehindTheLastNumber) {
    events_.go_on_behind("r1", 41);
    events_.go_on_behind("r1", 7);
    hear();
    events_.publish("r1", "state", "{}");
    EXPECT_EQ(heard_, std::vector<std::string>{"42 state"});
}

}  // namespace
}  // namespace lab::service
