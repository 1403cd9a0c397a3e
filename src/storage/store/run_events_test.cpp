#include "storage/store/run_events.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class RunEventLogTest : public test::StoreTest {
  protected:
    RunEventLogTest() {
        const auto made = Runs(*session_).create(ctx_, test::new_run("r1"));
        EXPECT_TRUE(made);
        run_ = made->key;
    }
    std::vector<std::int64_t> numbers_after(std::int64_t after) {
        std::vector<std::int64_t> out;
        const auto events = RunEventLog(*session_).read(ctx_, "r1", after);
        EXPECT_TRUE(events);
        for (const StoredRunEvent& event : *events) {
            out.push_back(event.number);
        }
        return out;
    }
    std::int64_t run_ = 0;
};

TEST_P(RunEventLogTest, TellsWhatCameBehindANumber) {
    RunEventLog log(*session_);
    EXPECT_EQ(log.last_number(ctx_, run_).value_or(-1), 0);
    ASSERT_TRUE(log.append(ctx_, run_, {}));
    ASSERT_TRUE(log.append(ctx_, run_, {{1, "state", R"({"a":1})"}, {2, "progress", "{}"}}));
    ASSERT_TRUE(log.append(ctx_, run_, {{2, "state", "late"}, {3, "done", "{}"}}));
    EXPECT_EQ(log.last_number(ctx_, run_).value_or(-1), 3);
    EXPECT_EQ(numbers_after(0), (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(numbers_after(2), std::vector<std::int64_t>{3});
    EXPECT_TRUE(numbers_after(3).empty());
    const auto events = log.read(ctx_, "r1", 0);
    ASSERT_TRUE(events);
    EXPECT_EQ((*events)[0].type, "state");
    EXPECT_EQ((*events)[0].data, R"({"a":1})");
    EXPECT_EQ((*events)[1].type, "progress");  // who came first is believed
    EXPECT_TRUE(log.read(ctx_, "r2", 0)->empty());
}

TEST_P(RunEventLogTest, KeepsTheLastFew) {
    RunEventLog log(*session_);
    for (std::int64_t number = 1; number <= 100; number += 10) {
        std::vector<StoredRunEvent> events;
        for (std::int64_t i = number; i < number + 10; ++i) {
            events.push_back({i, "progress", "{}"});
        }
        ASSERT_TRUE(log.append(ctx_, run_, events));
    }
    const auto kept = numbers_after(0);
    EXPECT_EQ(kept.size(), static_cast<std::size_t>(RunEventLog::kKept));
    EXPECT_EQ(kept.front(), 100 - RunEventLog::kKept + 1);
    EXPECT_EQ(kept.back(), 100);
}

TEST_P(RunEventLogTest, OfARunThatIsGoneNothingIsKept) {
    const Status refused = RunEventLog(*session_).append(ctx_, 4711, {{1, "state", "{}"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
}

LAB_ALL_BACKENDS(RunEventLogTest);

}  // namespace
}  // namespace lab::storage
