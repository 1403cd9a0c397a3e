#include "service/analytics.h"

#include "base/rng.h"
#include "service/experiments.h"
#include "service/fact_shipper.h"
#include "service/impl/test_platform.h"
#include "storage/events/clickhouse_facts.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"
#include "support/clickhouse_server.h"
#include "support/row_binary.h"
#include "support/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace lab::service {
namespace {

constexpr const char* kSpec = R"({
    "name": "qa", "dataset": {"path": "x.jsonl"}, "prompts": [{"id": "p", "template": "{{q}}"}],
    "models": [{"id": "a", "provider": "openai", "model": "m-a"},
               {"id": "b", "provider": "openai", "model": "m-b"}],
    "scorers": [{"type": "exact_match", "id": "accuracy"}]
})";

/// Remembers what it was told as the tables of ClickHouse do: one row a key. Answers nothing.
class Remembering final : public storage::FactStore {
  public:
    Result<bool> make_tables(const Ctx&) override { return std::exchange(empty_, false); }
    Status check(const Ctx&) override { return ok(); }
    Status add(const Ctx&, const storage::FactBatch& batch) override {
        bytes_max = std::max(bytes_max, batch.bytes());
        ++adds;
        if (fail_every > 0 && adds % fail_every == 0) {
            return Error(Code::unavailable, "away");
        }
        for (const Json& row : lab::test::RowBinary::read(storage::kInsertCalls, batch.calls())) {
            Json& known = calls[{row["run_id"], row["sample"]}];
            if (known.is_null() || row["version"] >= known["version"]) {
                known = row;
            }
        }
        for (const Json& row :
             lab::test::RowBinary::read(storage::kInsertMetrics, batch.metrics())) {
            metrics[row["event_id"]] = row;
        }
        for (const Json& row : lab::test::RowBinary::read(storage::kInsertEvents, batch.events())) {
            events[row["event_id"]] = row;
        }
        return ok();
    }
    Status forget(const Ctx&, const std::string& experiment) override {
        forgotten.insert(experiment);
        return ok();
    }
    Result<std::vector<storage::SeriesPoint>>
    series(const Ctx&, const storage::FactScope&, const std::string&, const storage::SeriesSteps&)
        override {
        return unasked();
    }
    Result<std::vector<storage::RunValues>>
    by_run(const Ctx&, const storage::FactScope&, const std::string&) override {
        return unasked();
    }
    Result<std::vector<storage::LatencyRow>> latency(const Ctx&, const storage::FactScope&)
        override {
        return unasked();
    }
    Result<std::vector<storage::CostRow>> costs(const Ctx&, const storage::FactScope&) override {
        return unasked();
    }
    int fail_every = 0;
    int adds = 0;
    std::size_t bytes_max = 0;
    std::map<std::pair<std::string, std::int64_t>, Json> calls;
    std::map<std::string, Json> metrics;
    std::map<std::string, Json> events;
    std::set<std::string> forgotten;

  private:
    static Error unasked() { return {Code::unavailable, "nobody asks it"}; }
    bool empty_ = true;
};

/// A copy that can be asked, or not.
class Copy final : public FactCopy {
  public:
    storage::FactFigures* usable() override { return figures; }
    Duration behind() const override { return std::chrono::seconds(3); }
    void failed(const Error&) override { ++failures; }
    storage::FactFigures* figures = nullptr;
    int failures = 0;
};

class Facts : public test::PlatformTest {
  protected:
    Facts() {
        database_ = storage::keep_outbox(std::move(database_));
        session_ = database_->open_session(ctx_).value();
        deps_.vocabulary = &vocabulary_;
        deps_.process_name = "here";
        // ClickHouse lets go of what is old.
        clock_.advance(SystemClock().wall() - clock_.wall() - std::chrono::hours(24 * 30));
    }
    std::string experiment(const Caller& owner, const std::string& name) {
        return plant(storage::ResourceKind::experiment, owner, name, Json::object());
    }
    domain::Run run_in(const std::string& experiment_id, const std::string& origin = "engine") {
        const auto one = storage::Resources(*session_, storage::ResourceKind::experiment)
                             .find_anywhere(ctx_, experiment_id)
                             .value();
        domain::Run run;
        run.id = uuids_.next();
        run.experiment_id = experiment_id;
        run.state = domain::RunState::running;
        run.spec = kSpec;
        run.manifest = "{}";
        run.created_at = run.started_at = format_rfc3339(clock_.wall());
        run.planned = 100;
        run.origin = origin;
        return storage::Runs(*session_).create_in(ctx_, one->key, run).value();
    }
    domain::SampleResult sample(std::int64_t index) {
        domain::SampleResult out;
        out.index = index;
        out.variant = static_cast<int>(rng_.below(2));
        out.item = index;
        out.item_id = std::to_string(index);
        out.attempts = 1 + static_cast<int>(rng_.below(3));
        out.latency = Duration(static_cast<std::int64_t>(rng_.below(5'000'000'000)));
        out.usage = {
            .input = static_cast<std::int64_t>(rng_.below(900)), .cache_read = 3, .output = 7
        };
        out.cached = rng_.below(10) == 0;
        if (rng_.below(10) > 0) {
            out.cost = Money::from_pico(static_cast<std::int64_t>(rng_.below(1'000'000'000'000)));
        }
        if (rng_.below(5) == 0) {
            out.state = domain::SampleState::failed;
            out.error_code = "UPSTREAM_TIMEOUT";
            out.http_status = 503;
            return out;
        }
        if (rng_.below(2) == 0) {
            out.time_to_first_token = out.latency / 3;
        }
        out.scores = R"({"v":[)" + std::to_string(rng_.uniform()) + R"(],"p":[1],"x":[""]})";
        return out;
    }
    /// Batches of samples in a shuffled order, some of them failed and tried again.
    void work(const domain::Run& run, std::int64_t samples) {
        storage::Journal journal(*session_);
        std::vector<std::int64_t> order;
        for (std::int64_t i = 0; i < samples; ++i) {
            order.insert(
                order.begin() + static_cast<std::ptrdiff_t>(rng_.below(order.size() + 1)), i
            );
        }
        std::vector<domain::SampleResult> batch;
        for (const std::int64_t index : order) {
            batch.push_back(sample(index));
            clock_.advance(std::chrono::minutes(rng_.below(90)));
            if (batch.size() > rng_.below(20)) {
                ASSERT_TRUE(journal.commit(ctx_, run.key, {}, batch));
                batch.clear();
            }
        }
        ASSERT_TRUE(journal.commit(ctx_, run.key, {}, batch));
    }
    FactShipper shipper(storage::FactStore& store, std::size_t batch_bytes = 1U << 20) {
        return {
            deps_,
            store,
            {.entries_max = 7, .batch_bytes = batch_bytes, .turn = std::chrono::seconds(15)}
        };
    }
    void ship(FactShipper& shipper) {
        FactShipper::Shipped shipped{.more = true};
        Status done = ok();
        for (int tries = 0; (shipped.more || !done) && tries < 1'000; ++tries) {
            shipped = {};
            done = shipper.ship(ctx_, *session_, shipped);
        }
        ASSERT_TRUE(done) << done.error().message << done.error().cause;
        EXPECT_EQ(storage::Outbox(*session_).state(ctx_).value().entries, 0);
    }
    /// What the store has, told in one go.
    Remembering truth() {
        Remembering out;
        EXPECT_TRUE(out.make_tables(ctx_));
        EXPECT_TRUE(storage::Outbox(*session_).note_everything(ctx_));
        FactShipper all = shipper(out);
        ship(all);
        return out;
    }
    domain::SpecVocabulary vocabulary_ = lab::test::small_vocabulary();
    Rng rng_{7};
};

std::size_t standing(const Remembering& store) {
    return static_cast<std::size_t>(std::ranges::count_if(store.calls, [](const auto& entry) {
        return entry.second["gone"] == 0;
    }));
}

TEST_F(Facts, AreToldOnceWhateverBreaks) {
    const std::string experiment = this->experiment(ann_, "one");
    Remembering store;
    store.fail_every = 3;
    FactShipper flaky = shipper(store, 20'000);
    const domain::Run first = run_in(experiment);
    work(first, 400);
    ship(flaky);
    EXPECT_EQ(store.calls.size(), 400U);
    ASSERT_TRUE(storage::Journal(*session_).drop_failed(ctx_, first.key));
    work(run_in(experiment), 150);
    ship(flaky);
    const Remembering whole = truth();
    EXPECT_GT(store.adds, 10);
    EXPECT_EQ(standing(store), standing(whole));
    EXPECT_EQ(store.metrics, whole.metrics);
    for (const auto& [key, row] : whole.calls) {
        const Json& told = store.calls[key];
        for (const char* member : {"cost_pico", "state", "timestamp", "latency_ns"}) {
            EXPECT_EQ(told.value(member, Json()), row.value(member, Json())) << key.second;
        }
    }
    EXPECT_LT(store.bytes_max, 20'000U + 300'000U);
}

TEST_F(Facts, AreNotToldWhileItIsAnothersTurn) {
    Remembering store;
    FactShipper here = shipper(store);
    FactShipper::Shipped shipped;
    ASSERT_TRUE(here.ship(ctx_, *session_, shipped));
    static_cast<void>(experiment(ann_, "one"));
    storage::Outbox outbox(*session_);
    ASSERT_TRUE(outbox.take_turn(ctx_, "elsewhere", std::chrono::seconds(60)).value());
    ASSERT_TRUE(here.ship(ctx_, *session_, shipped));
    EXPECT_TRUE(shipped.waits_for_others);
    EXPECT_TRUE(store.events.empty());
    ASSERT_TRUE(outbox.end_turn(ctx_, "elsewhere"));
    ASSERT_TRUE(here.ship(ctx_, *session_, shipped));
    EXPECT_FALSE(shipped.waits_for_others);
    EXPECT_EQ(store.events.size(), 1U);
    here.leave(ctx_, *session_);
    EXPECT_TRUE(outbox.take_turn(ctx_, "elsewhere", std::chrono::seconds(60)).value());
}

TEST_F(Facts, OfWhatWasDeletedAreForgotten) {
    Remembering store;
    FactShipper here = shipper(store);
    const std::string id = experiment(ann_, "one");
    work(run_in(id), 10);
    storage::Resources experiments(*session_, storage::ResourceKind::experiment);
    const auto one = experiments.find_anywhere(ctx_, id).value();
    ASSERT_TRUE(experiments.remove(ctx_, *one).value());
    ship(here);
    EXPECT_EQ(store.forgotten, (std::set<std::string>{id}));
    EXPECT_TRUE(store.calls.empty());
}

/// Asked of both, about the same data.
class Figures : public Facts {
  protected:
    void SetUp() override {
        if (!lab::test::clickhouse_server()) {
            GTEST_SKIP() << lab::test::kNoClickHouse;
        }
        static int count = 0;
        const auto& server = lab::test::clickhouse_server();
        clickhouse_ = std::make_unique<storage::ClickHouseFacts>(
            system_,
            storage::ClickHouseOptions{
                .url = server->url,
                .user = server->user,
                .password = server->password,
                .database = "figures_" + std::to_string(++count),
            },
            http::ClientOptions{}
        );
        copy_.figures = clickhouse_.get();
    }
    template <class Ask>
    Json same(const Ask& ask) {
        auto told = ask(&copy_);
        auto stored = ask(nullptr);
        EXPECT_TRUE(told && stored) << (told ? "" : words(told.error()));
        if (!told || !stored) {
            return Json::object();
        }
        EXPECT_EQ(told->value("source", ""), "clickhouse");
        EXPECT_EQ(told->value("behind_seconds", 0), 3);
        EXPECT_EQ(stored->value("source", ""), "store");
        for (Json* one : {&*told, &*stored}) {
            one->erase("source");
            one->erase("behind_seconds");
        }
        EXPECT_EQ(dump_json(*told), dump_json(*stored));
        return *told;
    }
    SystemClock system_;
    std::unique_ptr<storage::ClickHouseFacts> clickhouse_;
    Copy copy_;
};

TEST_F(Figures, AreTheSameFromClickHouseAndFromTheStore) {
    const std::string shared = experiment(ann_, "shared");
    const std::string other = experiment(bob_, "other");
    FactShipper here = shipper(*clickhouse_);
    for (int i = 0; i < 4; ++i) {
        const domain::Run run = run_in(i == 3 ? other : shared);
        work(run, 120);
        if (i % 2 == 0) {
            ship(here);
            ASSERT_TRUE(storage::Journal(*session_).drop_failed(ctx_, run.key));
        }
    }
    const domain::Run reported = run_in(shared, "client");
    storage::ClientRuns clients(*session_);
    std::vector<storage::MetricPoint> points;
    std::vector<storage::ClientSample> samples;
    for (int i = 0; i < 40; ++i) {
        points.push_back({"loss", i, rng_.uniform(), format_rfc3339(clock_.wall()), true});
        samples.push_back({
            .client_id = std::to_string(i),
            .body = R"({"variant":"mine","scores":{"accuracy":)" + std::to_string(rng_.uniform()) +
                    R"(,"ok":true},"latency_ms":12.5,"cost":"0.25","usage":{"input_tokens":5}})",
            .created_at = format_rfc3339(clock_.wall()),
        });
    }
    ASSERT_TRUE(clients.add_points(ctx_, reported.key, points));
    ASSERT_TRUE(clients.add_samples(ctx_, reported.key, samples));
    ship(here);
    const FactWindow window{
        .from = clock_.wall() - std::chrono::hours(24 * 60),
        .to = clock_.wall() + std::chrono::hours(1)
    };
    for (const char* step : {"hour", "day", "week"}) {
        for (const char* metric : {"accuracy", "loss", "ok", "none"}) {
            const Json found = same([&](FactCopy* copy) {
                return metric_series(as(ann_), copy, shared, metric, step, window);
            });
            EXPECT_EQ(found["points"].empty(), std::string_view(metric) == "none");
        }
    }
    const Json trend = same([&](FactCopy* copy) {
        return metric_trend(as(ann_), copy, shared, "accuracy", window);
    });
    EXPECT_EQ(trend["runs"].size(), 4U);
    EXPECT_TRUE(trend["trend"]["p_value"].is_number());
    EXPECT_GT(
        same([&](FactCopy* copy) { return call_latency(as(ann_), copy, window); })["rows"].size(),
        4U
    );
    for (const char* by : {"owner", "experiment", "model"}) {
        const Json costs =
            same([&](FactCopy* copy) { return spent_costs(as(ann_), copy, by, window); });
        EXPECT_GT(costs["total"]["calls"], 400);
        EXPECT_NE(costs["total"]["cost"], "0");
    }
    FactWindow one = window;
    one.experiment = other;
    one.from = clock_.wall() - std::chrono::hours(30);
    EXPECT_LT(
        same([&](FactCopy* copy) { return spent_costs(as(ann_), copy, "model", one); }
        )["total"]["samples"],
        120
    );
}

TEST_F(Facts, FiguresAreOfWhatTheCallerMaySee) {
    const std::string open = experiment(ann_, "open");
    const std::string hidden = experiment(ann_, "hidden");
    ASSERT_FALSE(update(ann_, experiment_noun(), hidden, R"({"visibility":"private"})").empty());
    work(run_in(open), 10);
    work(run_in(hidden), 10);
    const auto seen = [&](const Caller& caller) {
        const auto costs = spent_costs(
            as(caller), nullptr, "experiment", {.from = clock_.wall() - std::chrono::hours(900)}
        );
        EXPECT_TRUE(costs) << words(costs.error());
        return costs->at("total").at("samples").get<std::int64_t>();
    };
    EXPECT_EQ(seen(ann_), 20);
    EXPECT_EQ(seen(bob_), 10);
    EXPECT_EQ(seen(root_), 20);
    EXPECT_EQ(seen(eve_), 0);
    EXPECT_EQ(
        code_of(metric_series(as(bob_), nullptr, hidden, "accuracy", "day", {})), Code::not_found
    );
    EXPECT_EQ(code_of(metric_trend(as(eve_), nullptr, open, "accuracy", {})), Code::not_found);
    EXPECT_EQ(code_of(call_latency(as(bob_), nullptr, {.experiment = hidden})), Code::not_found);
}

TEST_F(Facts, TheStoreAnswersWhereTheCopyCannot) {
    const std::string id = experiment(ann_, "one");
    work(run_in(id), 10);
    Remembering broken;
    Copy copy;
    copy.figures = &broken;
    const FactWindow window{.from = clock_.wall() - std::chrono::hours(900)};
    const auto costs = spent_costs(as(ann_), &copy, "model", window);
    ASSERT_TRUE(costs) << words(costs.error());
    EXPECT_EQ(costs->value("source", ""), "store");
    EXPECT_EQ(copy.failures, 1);
    // What is older than the copy keeps is not asked of it.
    const FactWindow old{.from = clock_.wall() - std::chrono::hours(24 * 500)};
    EXPECT_EQ(spent_costs(as(ann_), &copy, "model", old)->value("source", ""), "store");
    EXPECT_EQ(copy.failures, 1);
    EXPECT_EQ(
        code_of(spent_costs(as(ann_), &copy, "model", {.from = clock_.wall(), .to = clock_.wall()})
        ),
        Code::validation
    );
}

}  // namespace
}  // namespace lab::service
