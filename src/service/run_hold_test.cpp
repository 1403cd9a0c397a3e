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
        const std::string id = "r" + std::to_string(++count_);
        domain::Run run = storage::test::new_run(id, "experiment of " + id);
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
    void set_status(const domain::Run& run, std::string_view status) {
        constexpr storage::Query kSet{"set", "UPDATE experiments SET status = $2 WHERE id = $1"};
        const storage::Value values[] = {std::string_view(run.experiment_id), status};
        ASSERT_TRUE(session_->exec(ctx_, kSet, values));
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

// Between the engine's last word and what becomes of the run lies a moment in which a worker can
// die.
TEST_F(RunHoldTest, WhatTheDeadLeftInterruptedIsSettled) {
    deps_.lock_folder.clear();
    const auto interrupted = [&](const char* status, Duration lasts) {
        const domain::Run run = add_run(RunState::running);
        set_status(run, status);
        EXPECT_TRUE(take(run, lasts));
        EXPECT_TRUE(storage::Runs(*session_).set_state(
            ctx_, run.key, RunState::interrupted, "interrupted", "2026-01-01T00:00:00Z"
        ));
        return run;
    };
    const domain::Run handed_on = interrupted("running", 0s);
    const domain::Run paused = interrupted("paused", 0s);
    const domain::Run cancelled = interrupted("cancelled", 0s);
    const domain::Run about_to_say = interrupted("running", 60s);
    EXPECT_EQ(queue_again(handed_on.id), 0) << "who lives settles it himself";
    EXPECT_EQ(queue_again(), 1);
    EXPECT_EQ(state_of(handed_on), RunState::queued);
    EXPECT_EQ(state_of(paused), RunState::interrupted);
    EXPECT_EQ(state_of(cancelled), RunState::cancelled);
    EXPECT_EQ(state_of(about_to_say), RunState::interrupted);
    EXPECT_TRUE(take(handed_on, 60s, RunState::queued));
    // Nothing is left to say of the one that is paused, however it goes on with its experiment.
    set_status(paused, "running");
    EXPECT_EQ(queue_again(), 0);
    EXPECT_EQ(state_of(paused), RunState::interrupted);
}

}  // namespace
}  // namespace lab::service
