#include "storage/store/outbox.h"

#include "storage/store/artifacts.h"
#include "storage/store/client_runs.h"
#include "storage/store/impl/test_store.h"
#include "storage/store/resources.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using Kind = OutboxEntry::Kind;

class OutboxContract : public test::StoreTest {
  protected:
    OutboxContract() {
        database_ = keep_outbox(std::move(database_));
        session_ = another_session();
    }
    std::vector<OutboxEntry> entries() {
        auto found = Outbox(*session_).first(ctx_, 100);
        EXPECT_TRUE(found) << (found ? "" : found.error().message + found.error().cause);
        return *std::move(found);
    }
    void empty() { ASSERT_TRUE(Outbox(*session_).remove(ctx_, entries())); }
    std::vector<std::string> events() {
        std::vector<std::string> out;
        for (const OutboxEntry& entry : entries()) {
            out.push_back(entry.kind == Kind::event ? entry.event.type : "");
        }
        return out;
    }
    std::int64_t run() {
        return Runs(*session_).create(ctx_, test::new_run("11111111-run")).value().key;
    }
};

TEST_P(OutboxContract, FinishedSamplesAreNotedInTheirTransaction) {
    const std::int64_t key = run();
    empty();
    Journal journal(*session_);
    const std::vector<domain::SampleResult> some{test::full_sample(7), test::failed_sample(3)};
    ASSERT_TRUE(journal.commit(ctx_, key, {}, some));
    const auto noted = entries();
    ASSERT_EQ(noted.size(), 1U);
    EXPECT_EQ(noted[0].kind, Kind::samples);
    EXPECT_EQ(noted[0].run, key);
    EXPECT_EQ(noted[0].indexes, (std::vector<std::int64_t>{3, 7}));
    EXPECT_GT(noted[0].noted_ms, 1'700'000'000'000);
    // What is refused is not noted either.
    EXPECT_FALSE(journal.commit(ctx_, key, {}, std::vector{test::full_sample(7)}));
    EXPECT_EQ(entries().size(), 1U);
    const OutboxState state = Outbox(*session_).state(ctx_).value();
    EXPECT_EQ(state.entries, 1);
    EXPECT_EQ(state.facts, 2);
    empty();
    EXPECT_EQ(Outbox(*session_).state(ctx_).value().entries, 0);
}

TEST_P(OutboxContract, ALargeBatchIsSeveralEntries) {
    const std::int64_t key = run();
    empty();
    std::vector<domain::SampleResult> many;
    for (int i = 0; i < 2'345; ++i) {
        many.push_back(test::full_sample(i));
    }
    ASSERT_TRUE(Journal(*session_).commit(ctx_, key, {}, many));
    std::int64_t next = 0;
    for (const OutboxEntry& entry : entries()) {
        for (const std::int64_t index : entry.indexes) {
            EXPECT_EQ(index, next++);
        }
    }
    EXPECT_EQ(next, 2'345);
    EXPECT_EQ(entries().size(), 3U);
}

TEST_P(OutboxContract, FailedSamplesThatAreForgottenAreLookedAtAgain) {
    const std::int64_t key = run();
    Journal journal(*session_);
    ASSERT_TRUE(
        journal.commit(ctx_, key, {}, std::vector{test::full_sample(1), test::failed_sample(2)})
    );
    empty();
    ASSERT_EQ(journal.drop_failed(ctx_, key).value(), 1);
    const auto noted = entries();
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[0].indexes, (std::vector<std::int64_t>{2}));
    EXPECT_EQ(noted[1].kind, Kind::carried);
}

TEST_P(OutboxContract, WhatBecomesOfARunIsAnEvent) {
    const std::int64_t key = run();
    Runs runs(*session_);
    ASSERT_TRUE(runs.move_state(ctx_, key, domain::RunState::running, domain::RunState::interrupted)
    );
    ASSERT_TRUE(
        runs.move_state(ctx_, key, domain::RunState::interrupted, domain::RunState::interrupted)
    );
    const char* const at = "2026-01-02T03:04:06.000000Z";
    ASSERT_TRUE(runs.set_state(ctx_, key, domain::RunState::running, "", at));
    ASSERT_TRUE(runs.set_state(ctx_, key, domain::RunState::failed, "no | way", at));
    EXPECT_EQ(
        events(),
        (std::vector<std::string>{"run_created", "run_interrupted", "run_started", "run_failed"})
    );
    const OutboxEntry last = entries().back();
    EXPECT_EQ(last.event.at, at);
    EXPECT_EQ(last.event.run_id, "11111111-run");
    EXPECT_EQ(last.event.experiment_id, "e-11111111-run");
    EXPECT_EQ(last.event.org_id, "00000000-0000-4000-8000-000000000001");
    EXPECT_EQ(last.event.payload, R"({"reason":"no | way"})");
}

TEST_P(OutboxContract, WhatBecomesOfAnExperimentIsAnEvent) {
    Resources experiments(*session_, ResourceKind::experiment);
    Resource one;
    one.id = "e1";
    one.name = "one";
    one.status = "draft";
    one.body = "{}";
    one.created_at = one.updated_at = "2026-01-02T03:04:05.000000Z";
    ASSERT_TRUE(experiments.create(ctx_, one));
    one.name = "another";
    ASSERT_TRUE(experiments.update(ctx_, one).value());
    one.status = "running";
    ASSERT_TRUE(experiments.update(ctx_, one).value());
    ASSERT_TRUE(experiments.remove(ctx_, one).value());
    EXPECT_EQ(
        events(),
        (std::vector<std::string>{"experiment_created", "experiment_started", "experiment_deleted"})
    );
    EXPECT_EQ(entries().front().event.experiment_id, "e1");
    EXPECT_EQ(entries().front().event.run_id, "");
}

TEST_P(OutboxContract, WhatIsRolledBackIsNotNoted) {
    const std::int64_t key = run();
    empty();
    {
        auto transaction = Transaction::begin(ctx_, *session_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(
            Runs(*session_).set_state(ctx_, key, domain::RunState::completed, "", "now").has_value()
        );
        EXPECT_EQ(events(), (std::vector<std::string>{"run_completed"}));
    }
    EXPECT_TRUE(entries().empty());
    ASSERT_TRUE(Runs(*session_).set_state(ctx_, key, domain::RunState::completed, "", "now"));
    EXPECT_EQ(events(), (std::vector<std::string>{"run_completed"}));
}

TEST_P(OutboxContract, WhatClientsReportIsNoted) {
    const std::int64_t key = run();
    empty();
    ClientRuns reports(*session_);
    const MetricPoint point{
        .name = "loss", .step = 1, .value = 0.5, .timestamp = "2026-01-02T03:04:05Z"
    };
    ASSERT_EQ(reports.add_points(ctx_, key, std::vector<MetricPoint>{point, point}).value(), 1);
    ASSERT_EQ(reports.add_points(ctx_, key, std::vector<MetricPoint>{point}).value(), 0);
    const ClientSample sample{.client_id = "s", .body = "{}", .created_at = "now"};
    ASSERT_EQ(reports.add_samples(ctx_, key, std::vector<ClientSample>{sample, sample}).value(), 1);
    const auto noted = entries();
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[0].kind, Kind::points);
    std::vector<double> values;
    ASSERT_TRUE(reports.scan_points(
        ctx_,
        key,
        noted[0].indexes.at(0),
        noted[0].indexes.at(1),
        [&](const MetricPoint& one) {
            values.push_back(one.value);
            return ok();
        }
    ));
    EXPECT_EQ(values, (std::vector<double>{0.5}));
    EXPECT_EQ(noted[1].kind, Kind::client_samples);
    EXPECT_EQ(noted[1].indexes, (std::vector<std::int64_t>{1}));
}

TEST_P(OutboxContract, ItIsTheTurnOfOne) {
    Outbox outbox(*session_);
    const Duration lease = std::chrono::seconds(60);
    EXPECT_TRUE(outbox.take_turn(ctx_, "a", lease).value());
    EXPECT_TRUE(outbox.take_turn(ctx_, "a", lease).value());
    EXPECT_FALSE(outbox.take_turn(ctx_, "b", lease).value());
    ASSERT_TRUE(outbox.end_turn(ctx_, "b"));
    EXPECT_FALSE(outbox.take_turn(ctx_, "b", lease).value());
    ASSERT_TRUE(outbox.end_turn(ctx_, "a"));
    EXPECT_TRUE(outbox.take_turn(ctx_, "b", lease).value());
}

TEST_P(OutboxContract, NothingIsNotedWhereNobodyWantsToHear) {
    if (test::is_sqlite(GetParam())) {
        auto database = open_sqlite(ctx_, {.path = home_.file("plain.db")});
        ASSERT_TRUE(database);
        database_ = *std::move(database);
        ASSERT_TRUE(database_->migrate(ctx_));
    } else {
        database_ = *open_postgres({.url = server_->url(GetParam())});
    }
    session_ = another_session();
    const std::int64_t key = run();
    ASSERT_TRUE(Journal(*session_).commit(ctx_, key, {}, std::vector{test::full_sample(1)}));
    EXPECT_TRUE(entries().empty());
    ASSERT_TRUE(Outbox(*session_).note_everything(ctx_));
    const auto noted = entries();
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[0].event.type, "experiment_created");
    EXPECT_EQ(noted[1].kind, Kind::whole_run);
    EXPECT_EQ(noted[1].run, key);
}

LAB_ALL_BACKENDS(OutboxContract);

}  // namespace
}  // namespace lab::storage
