#include "service/run_hold.h"

#include "service/impl/test_lab.h"
#include "storage/store/impl/test_store.h"
#include "storage/store/runs.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {
using namespace std::chrono_literals;
using domain::RunState;

class RunHoldTest : public test::Lab {
  protected:
    RunHoldTest() { session_ = deps_.database(ctx_).value()->open_session(ctx_).value(); }
    domain::Run add_run(RunState state, const std::string& created_by = "u1") {
        domain::Run run = storage::test::new_run("r" + std::to_string(++count_));
        run.state = state;
        run.created_by = created_by;
        return storage::Runs(*session_).create(ctx_, std::move(run)).value();
    }
    RunState state_of(const domain::Run& run) {
        return storage::Runs(*session_).get(ctx_, run.id).value().state;
    }
    Result<RunHold> take(
        const domain::Run& run, Duration lasts = 60s, std::optional<RunState> from = {}
    ) {
        return RunHold::take(ctx_, deps_, *session_, run, lasts, from);
    }
    int queue_again(const std::string& own = "") {
        const auto count = queue_abandoned_runs(ctx_, deps_, *session_, [&](const std::string& id) {
            return id == own;
        });
        EXPECT_TRUE(count) << (count ? "" : count.error().message);
        return count.value_or(-1);
    }
    std::unique_ptr<storage::Session> session_;
    int count_ = 0;
};

TEST_F(RunHoldTest, AQueuedRunRunsWithTheOneWhoTakesIt) {
    const domain::Run run = add_run(RunState::queued);
    const auto first = take(run, 60s, RunState::queued);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->lease(), (storage::RunLease{.run = run.key, .fence = 1}));
    EXPECT_EQ(state_of(run), RunState::running);
    const auto second = take(run, 60s, RunState::queued);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::conflict);
}

TEST_F(RunHoldTest, WhoComesTooLateLeavesNoTrace) {
    const domain::Run run = add_run(RunState::cancelled);
    const auto hold = take(run, 60s, RunState::queued);
    ASSERT_FALSE(hold);
    EXPECT_EQ(hold.error().code, Code::conflict);
    EXPECT_EQ(state_of(run), RunState::cancelled);
    const auto fence = storage::RunLeases(*session_).take(
        ctx_, run.key, "a", 60s, storage::RunLeases::Held::respect
    );
    ASSERT_TRUE(fence);
    EXPECT_EQ(*fence, 1);  // nobody has had it
}

TEST_F(RunHoldTest, WithLockFilesADeadHolderIsKnownAtOnce) {
    const domain::Run run = add_run(RunState::running);
    std::optional<RunHold> hold(take(run).value());
    EXPECT_FALSE(take(run));
    EXPECT_EQ(queue_again(), 0);
    hold.reset();  // as the system does for who dies; his lease goes on
    EXPECT_EQ(queue_again(run.id), 0);
    EXPECT_EQ(queue_again(), 1);
    EXPECT_EQ(state_of(run), RunState::queued);
    const auto next = take(run);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->lease().fence, 2);
}

TEST_F(RunHoldTest, InASharedStoreTheLeaseHasToRunOut) {
    deps_.lock_folder.clear();
    const domain::Run run = add_run(RunState::running);
    const domain::Run other = add_run(RunState::running);
    const domain::Run of_the_command_line = add_run(RunState::running, "");
    {
        ASSERT_TRUE(take(run));
        ASSERT_TRUE(take(other, 0s));
    }
    EXPECT_FALSE(take(run));
    EXPECT_EQ(queue_again(), 1);
    EXPECT_EQ(state_of(run), RunState::running);
    EXPECT_EQ(state_of(other), RunState::queued);
    EXPECT_EQ(state_of(of_the_command_line), RunState::running);
    EXPECT_TRUE(take(other, 60s, RunState::queued));
}

}  // namespace
}  // namespace lab::service
