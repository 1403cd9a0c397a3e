#pragma once
#include "domain/spec_parse.h"
#include "engine/driver.h"
#include "engine/items.h"
#include "engine/plan.h"
#include "engine/render.h"
#include "engine/score.h"
#include "platform/json/document.h"
#include "science/metrics/extract.h"
#include "science/metrics/scorer.h"
#include "storage/objects/dataset_import.h"
#include "storage/objects/impl/test_folder.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"
#include "storage/store/sqlite.h"
#include "support/fake_provider.h"
#include "support/manual_executor.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

/// For the tests of this room and of those above it.
namespace lab::engine::test {

using lab::test::FakeProvider;
using lab::test::FakeReply;
using lab::test::ManualClock;
using lab::test::ManualExecutor;
using lab::test::ManualWorker;
using storage::test::TestFolder;

/// The real scorers, and the providers an experiment file may name.
inline const domain::SpecVocabulary& full_vocabulary() {
    static const domain::SpecVocabulary kVocabulary = [] {
        domain::SpecVocabulary out;
        for (const science::ScorerType& type : science::scorer_types()) {
            out.scorers.emplace_back(std::string(type.name), type.options_schema());
        }
        out.extract_schema = science::extract_schema();
        out.providers = {"openai", "anthropic", "replay"};
        return out;
    }();
    return kVocabulary;
}

/// An experiment as a file would give it. What is wrong fails the test.
inline domain::ExperimentSpec spec_of(std::string_view yaml) {
    auto document = parse_yaml(yaml);
    EXPECT_TRUE(document) << (document ? "" : document.error().message) << "\n" << yaml;
    if (!document) {
        return {};
    }
    auto spec = domain::parse_spec(document->value, full_vocabulary());
    if (!spec) {
        for (const Detail& detail : spec.error().details) {
            ADD_FAILURE() << detail.field << ": " << detail.message;
        }
        return {};
    }
    return *std::move(spec);
}

/// Rows, each the text of a JSON object, as an imported dataset. The same rows are imported once in
/// a process: their files are synced, which takes longer than most tests.
inline storage::DatasetFile dataset_of(const std::vector<std::string>& rows) {
    static const TestFolder kHome;
    static std::map<std::vector<std::string>, std::string> paths;
    std::string& path = paths[rows];
    if (path.empty()) {
        auto writer = storage::DatasetWriter::create(storage::ObjectFolder(kHome.path()));
        EXPECT_TRUE(writer);
        for (const std::string& row : rows) {
            const auto parsed = parse_json(row);
            EXPECT_TRUE(parsed) << row;
            EXPECT_TRUE(writer->add(canonical_json(*parsed)));
        }
        const auto made = writer->commit();
        EXPECT_TRUE(made);
        path = made->path;
    }
    auto file = storage::DatasetFile::open(path);
    EXPECT_TRUE(file);
    return *std::move(file);
}

/// "path: message" lines.
inline std::string problems_of(const Error& error) {
    std::string out;
    for (const Detail& detail : error.details) {
        out += (out.empty() ? "" : "\n") + detail.field + ": " + detail.message;
    }
    return out;
}

/// An experiment of one prompt over qa_rows() with these models (flow YAML); more sections may
/// follow.
inline std::string qa_yaml(const std::string& models) {
    return "name: qa\ndataset: {path: rows.jsonl}\n"
           "prompts: [{id: p, template: 'Q: {{question}}'}]\n"
           "models: [" +
           models +
           "]\n"
           "scorers: [{type: exact_match, reference: '{{answer}}'}]\n";
}
/// The fake's worst case costs 40 millionths of a dollar, its usual answer 20.
constexpr const char* kPaid =
    "{id: m, provider: openai, model: m1, parameters: {max_tokens: 10},"
    " pricing: {input_per_million: 1, output_per_million: 2}}";
/// q0, q1 ...
inline std::vector<std::string> qa_rows(int count) {
    std::vector<std::string> rows;
    for (int i = 0; i < count; ++i) {
        const std::string n = std::to_string(i);
        rows.push_back(
            R"({"id":"q)" + n + R"(","question":"question )" + n + R"(","answer":"answer )" + n +
            "\"}"
        );
    }
    return rows;
}

/// One experiment with its data, a store and a provider behind every model: what stays when a
/// process dies.
class World {
  public:
    World(const std::string& yaml, const std::vector<std::string>& rows, bool in_memory = true)
        : spec(spec_of(yaml)) {
        auto selected = Items::select(dataset_of(rows), spec.dataset);
        EXPECT_TRUE(selected) << (selected ? "" : selected.error().message);
        items.emplace(*std::move(selected));
        auto rendered = Renderer::make(spec, *items);
        EXPECT_TRUE(rendered) << (rendered ? "" : problems_of(rendered.error()));
        renderer.emplace(*std::move(rendered));
        auto book = ScoreBook::make(spec);
        EXPECT_TRUE(book) << (book ? "" : problems_of(book.error()));
        scores.emplace(*std::move(book));
        plan.emplace(spec, items->count());
        for (const domain::ModelSpec& model : spec.models) {
            providers.push_back(std::make_unique<FakeProvider>(loop));
            providers.back()->pricing = model.pricing;
            providers.back()->replay = model.provider == "replay";
        }
        auto opened = storage::open_sqlite(
            ctx, {.path = in_memory ? std::string(":memory:") : home.file("lab.db")}
        );
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        database = *std::move(opened);
        EXPECT_TRUE(database->migrate(ctx));
        reader = open_session();
        run = new_run();
    }

    std::unique_ptr<storage::Session> open_session() {
        auto session = database->open_session(ctx);
        EXPECT_TRUE(session) << (session ? "" : session.error().message);
        return *std::move(session);
    }
    std::int64_t new_run() {
        domain::Run fresh;
        fresh.id = "run-" + std::to_string(++runs_made_);
        fresh.experiment_id = "e-" + std::to_string(runs_made_);
        fresh.experiment_name = spec.name;
        fresh.state = domain::RunState::running;
        fresh.spec = fresh.manifest = "{}";
        fresh.dataset_hash = "d";
        fresh.created_at = "2026-01-02T03:04:05.000000Z";
        fresh.planned = plan->samples();
        auto made = storage::Runs(*reader).create(ctx, fresh);
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made ? made->key : 0;
    }

    FakeProvider& provider(std::size_t model = 0) { return *providers[model]; }
    std::int64_t provider_calls() const {
        std::int64_t sum = 0;
        for (const auto& one : providers) {
            sum += one->calls();
        }
        return sum;
    }
    Money bill() const {
        Money sum;
        for (const auto& one : providers) {
            sum += one->bill;
        }
        return sum;
    }

    storage::Ledger ledger() { return storage::Journal(*reader).ledger(ctx, run).value(); }
    /// All stored samples, by index.
    std::vector<domain::SampleResult> stored() {
        std::vector<domain::SampleResult> out;
        EXPECT_TRUE(storage::Journal(*reader).scan(ctx, run, [&](const domain::SampleResult& one) {
            out.push_back(one);
            return ok();
        }));
        return out;
    }
    /// Outputs and scores of the finished samples: what a report's results are made of.
    std::string results() {
        std::string out;
        for (const domain::SampleResult& one : stored()) {
            out += std::to_string(one.index) + " " + one.item_id + " " +
                   std::to_string(static_cast<int>(one.state)) + " " + one.output + " " +
                   one.scores + "\n";
        }
        return out;
    }
    /// What a starting process finds: calls that were in flight are uncertain, failures forgotten.
    std::vector<bool> reopen() {
        storage::Journal journal(*reader);
        EXPECT_TRUE(journal.reclaim_intents(ctx, run));
        EXPECT_TRUE(journal.drop_failed(ctx, run));
        std::vector<bool> finished(static_cast<std::size_t>(plan->samples()));
        EXPECT_TRUE(journal.scan_finished(ctx, run, [&](std::int64_t index) {
            finished[static_cast<std::size_t>(index)] = true;
        }));
        return finished;
    }

    TestFolder home;
    ManualClock clock;
    Ctx ctx{clock};
    ManualExecutor loop{clock};
    domain::ExperimentSpec spec;
    std::optional<Items> items;
    std::optional<Renderer> renderer;
    std::optional<ScoreBook> scores;
    std::optional<Plan> plan;
    std::vector<std::unique_ptr<FakeProvider>> providers;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<storage::Session> reader;
    std::int64_t run = 0;

  private:
    int runs_made_ = 0;
};

/// What goes when a process dies: driver, sessions, the work that was waiting.
class Process {
  public:
    using Sessions =
        std::pair<std::unique_ptr<storage::Session>, std::unique_ptr<storage::Session>>;

    explicit Process(
        World& world, std::function<Duration()> commit_latency = [] { return Duration(0); }
    )
        : Process(world, {world.open_session(), world.open_session()}, std::move(commit_latency)) {}
    Process(
        World& world,
        Sessions sessions,
        std::function<Duration()> commit_latency = [] { return Duration(0); },
        std::function<Duration()> disk_latency = nullptr  ///< as commits, without one
    )
        : world_(world),
          worker_session_(std::move(sessions.first)),
          loop_session_(std::move(sessions.second)),
          disk_session_(world.open_session()),
          worker_(world.loop, commit_latency),
          disk_(world.loop, disk_latency ? disk_latency : commit_latency) {
        RunInput input;
        input.spec = &world.spec;
        input.plan = &*world.plan;
        input.items = &*world.items;
        input.renderer = &*world.renderer;
        input.scores = &*world.scores;
        for (std::size_t i = 0; i < world.spec.models.size(); ++i) {
            input.providers.push_back(world.providers[i].get());
            input.pricing.push_back(world.spec.models[i].pricing);
        }
        input.run = world.run;
        input.finished = world.reopen();
        input.opening = world.ledger();
        driver.emplace(
            std::move(input),
            DriverDeps{
                .loop = &world.loop,
                .worker = &worker_,
                .disk = &disk_,
                .journal = &journal_,
                .disk_journal = &disk_journal_,
                .cache_reader = world.spec.run.cache == domain::CacheMode::off ? nullptr : &cache_,
                .ctx = world.ctx,
                .jitter_seed = 7,
            }
        );
    }
    void start() {
        driver->start([this](RunEnd one) {
            EXPECT_FALSE(end) << "the end is told once";
            EXPECT_EQ(worker_.waiting() + disk_.waiting(), 0U)
                << "who hears of the end may take away what the workers use";
            end = std::move(one);
        });
    }
    /// To the end, or until nothing can happen any more.
    const RunEnd& run() {
        start();
        return finish();
    }
    const RunEnd& finish() {
        EXPECT_TRUE(world_.loop.run_until([this] { return end.has_value(); })) << "the run hangs";
        static const RunEnd kNone;
        return end ? *end : kNone;
    }

    std::optional<RunEnd> end;

  private:
    World& world_;
    std::unique_ptr<storage::Session> worker_session_;
    std::unique_ptr<storage::Session> loop_session_;
    std::unique_ptr<storage::Session> disk_session_;
    storage::Journal disk_journal_{*disk_session_};
    storage::Journal journal_{*worker_session_};
    storage::Journal cache_{*loop_session_};
    ManualWorker worker_;
    ManualWorker disk_;

  public:
    std::optional<Driver> driver;  ///< goes first
};

}  // namespace lab::engine::test
