#include "api/admission.h"

#include <gtest/gtest.h>

namespace lab::api {
namespace {

/// Which of critical, normal and background are let in, as three letters or dots.
std::string let_in(const Admission& admission) {
    std::string out;
    for (const Priority one : {Priority::critical, Priority::normal, Priority::background}) {
        out += admission.admits(one) ? to_string(one).front() : '.';
    }
    return out;
}

TEST(Admission, LetsEverybodyInUntilItKnowsBetter) { EXPECT_EQ(let_in(Admission({})), "cnb"); }

TEST(Admission, RefusesBackgroundFirstAndCriticalNever) {
    Admission admission({});
    const auto at = [&](Load load) {
        admission.observe({});
        admission.observe(load);
        return let_in(admission);
    };
    EXPECT_EQ(at({.cpu = 0.84, .memory = 0.89, .waiting = 999}), "cnb");
    EXPECT_EQ(at({.cpu = 0.85}), "cn.");
    EXPECT_EQ(at({.cpu = 1}), "cn.");
    EXPECT_EQ(at({.memory = 0.90}), "cn.");
    EXPECT_EQ(at({.memory = 0.95}), "c..");
    EXPECT_EQ(at({.waiting = 1000}), "c..");
}

TEST(Admission, TakesWorkAgainOnlyWhenItIsClearlyBelow) {
    Admission admission({});
    admission.observe({.cpu = 0.9, .waiting = 1200});
    EXPECT_EQ(let_in(admission), "c..");
    admission.observe({.cpu = 0.84, .waiting = 960});
    EXPECT_EQ(let_in(admission), "c..");
    admission.observe({.cpu = 0.84, .waiting = 900});
    EXPECT_EQ(let_in(admission), "cn.");
    admission.observe({.cpu = 0.80, .waiting = 0});
    EXPECT_EQ(let_in(admission), "cnb");
}

TEST(Admission, DoesNotBeginWhatHasWaitedTooLong) {
    const Admission admission({.wait_max = std::chrono::seconds(5)});
    EXPECT_TRUE(admission.is_fresh(Priority::normal, std::chrono::seconds(5)));
    EXPECT_FALSE(admission.is_fresh(Priority::normal, std::chrono::seconds(6)));
    EXPECT_FALSE(admission.is_fresh(Priority::background, std::chrono::seconds(6)));
    EXPECT_TRUE(admission.is_fresh(Priority::critical, std::chrono::hours(1)));
}

}  // namespace
}  // namespace lab::api
