#include "storage/store/runs.h"

#include "storage/store/impl/test_store.h"
#include "storage/store/orgs.h"
#include "storage/store/resources.h"
#include "storage/store/run_counts.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using domain::RunState;
using test::new_run;

class RunsContract : public test::StoreTest {
  protected:
    Runs runs_{*session_};
};

TEST_P(RunsContract, GivesARunBackAsItWas) {
    domain::Run run = new_run("aaaaaaaa-0001");
    run.stop_reason = "because";
    const domain::Run made = runs_.create(ctx_, run).value();
    EXPECT_GT(made.key, 0);
    EXPECT_EQ(made.number, 1);
    const domain::Run found = runs_.get(ctx_, run.id).value();
    EXPECT_EQ(found.key, made.key);
    EXPECT_EQ(found.id, run.id);
    EXPECT_EQ(found.experiment_id, run.experiment_id);
    EXPECT_EQ(found.experiment_name, "qa");
    EXPECT_EQ(found.number, 1);
    EXPECT_EQ(found.state, RunState::running);
    EXPECT_EQ(found.stop_reason, "because");
    EXPECT_EQ(found.spec, run.spec);
    EXPECT_EQ(found.manifest, run.manifest);
    EXPECT_EQ(found.dataset_hash, "abc");
    EXPECT_EQ(found.created_at, run.created_at);
    EXPECT_EQ(found.started_at, "");
    EXPECT_EQ(found.completed_at, "");
    EXPECT_EQ(found.planned, 100);
}

TEST_P(RunsContract, TheQueueOfOneHidesNobodys) {
    const auto add = [&](const std::string& id, const char* creator, RunState state) {
        domain::Run run = new_run(id);
        run.state = state;
        run.created_by = creator;
        return runs_.create(ctx_, std::move(run)).value().key;
    };
    for (const char* id : {"a1", "a2", "a3"}) {
        add(id, "ann", RunState::queued);
    }
    add("a4", "ann", RunState::running);
    add("b1", "bob", RunState::queued);
    // Those of another organization come last and are not behind all others.
    constexpr const char* kAt = "2026-01-02T03:04:05.000000Z";
    Resource theirs;
    theirs.id = "e-other";
    theirs.org = Orgs(*session_).ensure(ctx_, "other", "o-2", kAt).value().key;
    theirs.name = "theirs";
    theirs.created_at = theirs.updated_at = kAt;
    ASSERT_TRUE(Resources(*session_, ResourceKind::experiment).create(ctx_, theirs));
    domain::Run run = new_run("c1");
    run.state = RunState::queued;
    run.created_by = "cyd";
    ASSERT_TRUE(runs_.create_in(ctx_, theirs.key, std::move(run)));

    const auto waiting = runs_.list_waiting(ctx_, 10).value();
    std::string order;
    for (const WaitingRun& one : waiting) {
        order += one.run.id + " " + std::to_string(one.running_of_org) + " " +
                 std::to_string(one.running_of_creator) + ", ";
    }
    EXPECT_EQ(order, "a1 1 1, c1 0 0, a2 1 1, a3 1 1, b1 1 0, ");
    EXPECT_EQ(runs_.list_waiting(ctx_, 2).value().size(), 2U);
}

TEST_P(RunsContract, LearnsWhatIsKnownOnlyAtItsBeginning) {
    const domain::Run made = runs_.create(ctx_, new_run("a")).value();
    const RunPlan plan{.planned = 7, .spec = "{1}", .manifest = "{2}", .dataset_hash = "def"};
    ASSERT_TRUE(runs_.set_plan(ctx_, made.key, plan));
    const domain::Run found = runs_.get(ctx_, made.id).value();
    EXPECT_EQ(found.planned, 7);
    EXPECT_EQ(found.spec, "{1}");
    EXPECT_EQ(found.manifest, "{2}");
    EXPECT_EQ(found.dataset_hash, "def");
}

TEST_P(RunsContract, NumbersRunsPerExperiment) {
    EXPECT_EQ(runs_.create(ctx_, new_run("a", "one")).value().number, 1);
    EXPECT_EQ(runs_.create(ctx_, new_run("b", "two")).value().number, 1);
    const domain::Run third = runs_.create(ctx_, new_run("c", "one")).value();
    EXPECT_EQ(third.number, 2);
    EXPECT_EQ(third.experiment_id, "e-a");  // the experiment keeps its first id
    const Status same = runs_.create(ctx_, new_run("c", "one")).error();
    EXPECT_EQ(same.error().code, Code::conflict);
    // The refused run left no gap.
    EXPECT_EQ(runs_.create(ctx_, new_run("d", "one")).value().number, 3);
}

TEST_P(RunsContract, CountsThoseOfAState) {
    EXPECT_EQ(count_runs(ctx_, *session_, RunState::running).value(), 0);
    const domain::Run first = runs_.create(ctx_, new_run("a", "one")).value();
    ASSERT_TRUE(runs_.create(ctx_, new_run("b", "two")));
    EXPECT_EQ(count_runs(ctx_, *session_, RunState::running).value(), 2);
    ASSERT_TRUE(runs_.move_state(ctx_, first.key, RunState::running, RunState::queued));
    EXPECT_EQ(count_runs(ctx_, *session_, RunState::queued).value(), 1);
}

TEST_P(RunsContract, FindsARunByAUniquePrefixOrTheLast) {
    EXPECT_EQ(runs_.get(ctx_, "last").error().code, Code::not_found);
    ASSERT_TRUE(runs_.create(ctx_, new_run("deadbeef-0001")));
    ASSERT_TRUE(runs_.create(ctx_, new_run("deadbeef-0002")));
    ASSERT_TRUE(runs_.create(ctx_, new_run("12345678-0001")));
    EXPECT_EQ(runs_.get(ctx_, "last").value().id, "12345678-0001");
    EXPECT_EQ(runs_.get(ctx_, "1234").value().id, "12345678-0001");
    EXPECT_EQ(runs_.get(ctx_, "DEADBEEF-0002").value().id, "deadbeef-0002");
    EXPECT_EQ(runs_.get(ctx_, "123").error().code, Code::not_found);
    EXPECT_EQ(runs_.get(ctx_, "cafe").error().code, Code::not_found);
    EXPECT_EQ(runs_.get(ctx_, "dead%").error().code, Code::not_found);
    const auto ambiguous = runs_.get(ctx_, "deadb");
    ASSERT_FALSE(ambiguous);
    EXPECT_EQ(ambiguous.error().code, Code::validation);
    EXPECT_NE(ambiguous.error().message.find("deadbeef-0001  qa #1"), std::string::npos)
        << ambiguous.error().message;
    EXPECT_NE(ambiguous.error().message.find("deadbeef-0002  qa #2"), std::string::npos);
}

TEST_P(RunsContract, AnIdThatIsAPrefixOfAnotherIsMeantItself) {
    ASSERT_TRUE(runs_.create(ctx_, new_run("abcd")));
    ASSERT_TRUE(runs_.create(ctx_, new_run("abcdef")));
    EXPECT_EQ(runs_.get(ctx_, "abcd").value().id, "abcd");
}

TEST_P(RunsContract, ListsTheNewestFirst) {
    for (const char* id : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(runs_.create(ctx_, new_run(id)));
    }
    const auto ids = [](const std::vector<domain::Run>& runs) {
        std::string out;
        for (const domain::Run& run : runs) {
            out += run.id;
        }
        return out;
    };
    EXPECT_EQ(ids(runs_.list(ctx_, 10, 0).value()), "dcba");
    EXPECT_EQ(ids(runs_.list(ctx_, 2, 1).value()), "cb");
    EXPECT_EQ(ids(runs_.list(ctx_, 2, 9).value()), "");
}

TEST_P(RunsContract, KeepsTheTimesOfStartAndEnd) {
    const std::int64_t key = runs_.create(ctx_, new_run("a")).value().key;
    const auto current = [&] { return runs_.get(ctx_, "a").value(); };
    ASSERT_TRUE(runs_.set_state(ctx_, key, RunState::running, "", "t1"));
    EXPECT_EQ(current().started_at, "t1");
    EXPECT_EQ(current().completed_at, "");
    ASSERT_TRUE(runs_.set_state(ctx_, key, RunState::budget_exhausted, "no money", "t2"));
    EXPECT_EQ(current().state, RunState::budget_exhausted);
    EXPECT_EQ(current().stop_reason, "no money");
    EXPECT_EQ(current().completed_at, "t2");
    // Resumed: it started when it first did, and has not ended.
    ASSERT_TRUE(runs_.set_state(ctx_, key, RunState::running, "", "t3"));
    EXPECT_EQ(current().started_at, "t1");
    EXPECT_EQ(current().completed_at, "");
    ASSERT_TRUE(runs_.set_state(ctx_, key, RunState::completed, "", "t4"));
    EXPECT_EQ(current().completed_at, "t4");
    for (const RunState state : {RunState::running, RunState::completed}) {
        EXPECT_EQ(runs_.set_state(ctx_, key + 1, state, "", "t").error().code, Code::not_found);
    }
}

TEST_P(RunsContract, WhatIsCancelledStaysSo) {
    const std::int64_t key = runs_.create(ctx_, new_run("a")).value().key;
    ASSERT_TRUE(runs_.set_state(ctx_, key, RunState::cancelled, "by hand", "t1"));
    for (const RunState late : {RunState::running, RunState::completed, RunState::cancelled}) {
        EXPECT_TRUE(runs_.set_state(ctx_, key, late, "late", "t2")) << "nobody has to look first";
    }
    const domain::Run run = runs_.get(ctx_, "a").value();
    EXPECT_EQ(run.state, RunState::cancelled);
    EXPECT_EQ(run.stop_reason, "by hand");
    EXPECT_EQ(run.started_at, "");
    EXPECT_EQ(run.completed_at, "t1");
}

LAB_ALL_BACKENDS(RunsContract);

}  // namespace
}  // namespace lab::storage
