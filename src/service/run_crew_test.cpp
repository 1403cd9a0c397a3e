#include "service/run_crew.h"

#include "base/rng.h"
#include "engine/impl/test_world.h"
#include "service/impl/test_lab.h"
#include "storage/store/runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

/// Several workers on one run, each with a driver of its own over one store: they come, go, die and
/// oversleep at random, and the run is to end as if one had done it.
namespace lab::service {
namespace {
using namespace std::chrono_literals;
using domain::RunState;
using engine::StopReason;
using engine::test::FakeReply;
using engine::test::ManualWorker;
using engine::test::World;
using storage::RunLease;
using storage::RunLeases;
using storage::Spending;

using Share = std::pair<std::int64_t, bool>;

constexpr Duration kLease = 1h;  // of the database's clock: it runs out when the test says so

/// What one process has of the run; destroyed without an end, it was killed.
class Worker {
  public:
    Worker(World& world, const Deps& deps, const std::string& name, bool first)
        : world_(world), deps_(deps), loop_session_(world.open_session()) {
        lease_ = first ? take(name) : join(name);
        if (lease_.fence == 0) {
            return;
        }
        if (first) {
            storage::Journal journal(*loop_session_, lease_);
            EXPECT_TRUE(journal.reclaim_intents(world.ctx, world.run));
            EXPECT_TRUE(journal.drop_failed(world.ctx, world.run));
            std::vector<std::int64_t> lanes;
            for (int lane = 0; lane < world.plan->lanes(); ++lane) {
                lanes.push_back(world.plan->lane_samples(lane));
            }
            const Status opened = RunCrew::open(
                world.ctx,
                *loop_session_,
                lease_,
                engine::cut_into_blocks(lanes, world.spec.run.concurrency)
            );
            EXPECT_TRUE(opened) << opened.error().message;
        }
        start();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    bool has_joined() const { return lease_.fence != 0; }
    const RunLease& lease() const { return lease_; }
    bool has_ended() const { return end_.has_value(); }
    const engine::RunEnd& end() const { return *end_; }
    void interrupt() { driver_->interrupt(); }
    /// As the service does after the end. nullopt: others go on.
    std::optional<RunCrew::End> leave() {
        const bool is_failed = end_->reason == StopReason::too_many_errors;
        RunState state = RunState::interrupted;
        state = end_->reason == StopReason::completed          ? RunState::completed
                : end_->reason == StopReason::budget_exhausted ? RunState::budget_exhausted
                : is_failed                                    ? RunState::failed
                                                               : state;
        auto left = RunCrew::leave(
            world_.ctx,
            deps_,
            *loop_session_,
            lease_,
            world_.spec.run.budget,
            driver_->finished_blocks(),
            {.state = state, .words = end_->words},
            is_failed
        );
        EXPECT_TRUE(left) << left.error().message << left.error().cause;
        if (*left) {
            EXPECT_TRUE(RunLeases(*loop_session_).release(world_.ctx, lease_));
        }
        return *left;
    }

  private:
    RunLease take(const std::string& name) {
        auto transaction = storage::Transaction::begin(world_.ctx, *loop_session_);
        const auto fence =
            RunLeases(*loop_session_)
                .take(world_.ctx, world_.run, name, kLease, RunLeases::Held::respect);
        EXPECT_TRUE(fence) << fence.error().message << fence.error().cause;
        EXPECT_TRUE(fence->has_value()) << "nobody has it";
        EXPECT_TRUE(transaction->commit(world_.ctx));
        return {.run = world_.run, .fence = fence->value_or(0)};
    }
    RunLease join(const std::string& name) {
        auto transaction = storage::Transaction::begin(world_.ctx, *loop_session_);
        const auto fence = RunLeases(*loop_session_).join(world_.ctx, world_.run, name, kLease);
        EXPECT_TRUE(fence) << fence.error().message << fence.error().cause;
        EXPECT_TRUE(transaction->commit(world_.ctx));
        return {.run = world_.run, .fence = fence->value_or(0)};
    }
    void start() {
        worker_session_ = world_.open_session();
        disk_session_ = world_.open_session();
        journal_.emplace(*worker_session_, lease_);
        disk_journal_.emplace(*disk_session_);
        crew_.emplace(
            world_.ctx, *worker_session_, lease_, world_.spec.run.budget, world_.plan->samples()
        );
        engine::RunInput input;
        input.spec = &world_.spec;
        input.plan = &*world_.plan;
        input.items = &*world_.items;
        input.renderer = &*world_.renderer;
        input.scores = &*world_.scores;
        for (std::size_t i = 0; i < world_.spec.models.size(); ++i) {
            input.providers.push_back(world_.providers[i].get());
            input.pricing.push_back(world_.spec.models[i].pricing);
        }
        input.run = world_.run;
        input.finished.resize(static_cast<std::size_t>(world_.plan->samples()));
        EXPECT_TRUE(storage::Journal(*loop_session_)
                        .scan_finished(world_.ctx, world_.run, [&](std::int64_t index) {
                            input.finished[static_cast<std::size_t>(index)] = true;
                        }));
        driver_.emplace(
            std::move(input),
            engine::DriverDeps{
                .loop = &world_.loop,
                .worker = &worker_,
                .disk = &disk_,
                .journal = &*journal_,
                .disk_journal = &*disk_journal_,
                .ctx = world_.ctx,
                .crew = &*crew_,
                .jitter_seed = static_cast<std::uint64_t>(lease_.fence),
            }
        );
        driver_->start([this](engine::RunEnd end) { end_ = std::move(end); });
    }

    World& world_;
    const Deps& deps_;
    std::unique_ptr<storage::Session> loop_session_;
    std::unique_ptr<storage::Session> worker_session_;
    std::unique_ptr<storage::Session> disk_session_;
    RunLease lease_;
    std::optional<storage::Journal> journal_;
    std::optional<storage::Journal> disk_journal_;
    std::optional<RunCrew> crew_;
    ManualWorker worker_{world_.loop, [] { return 2ms; }};
    ManualWorker disk_{world_.loop, [] { return 1ms; }};
    std::optional<engine::RunEnd> end_;
    std::optional<engine::Driver> driver_;  ///< goes first
};

std::string yaml_of(const std::string& run) {
    return engine::test::qa_yaml(engine::test::kPaid) + "run: {concurrency: 4, cache: off, " + run +
           "}\n";
}

/// A few machines, and what may happen to the processes on them.
class Fleet {
  public:
    Fleet(World& world, std::uint64_t seed) : world_(world), rng_(seed) {
        deps_.clock = &world.clock;
    }

    /// Until the run has ended for good; gives how.
    RunCrew::End run(std::size_t machines, int faults, Duration between = 40ms) {
        std::optional<RunCrew::End> end;
        while (!end) {
            if (++rounds_ > 5000) {
                ADD_FAILURE() << "it goes round and round";
                return {};
            }
            fill(machines);
            const TimePoint until = world_.clock.now() + between;
            schedule(until);
            EXPECT_TRUE(world_.loop.run_until([&] {
                return world_.clock.now() >= until || any_ended();
            })) << "the run hangs";
            end = collect();
            if (!end && faults > 0 && !workers_.empty() && world_.clock.now() >= until) {
                --faults;
                fault();
            }
        }
        return *end;
    }
    std::int64_t in_flight_at_faults = 0;
    std::map<std::string, int> done;

  private:
    void schedule(TimePoint at) {
        world_.loop.call_at(at, [] {});
    }
    bool any_ended() const {
        return std::ranges::any_of(workers_, [](const auto& one) { return one->has_ended(); });
    }
    void fill(std::size_t machines) {
        while (workers_.size() < machines && (workers_.empty() || world_.clock.now() >= join_at_)) {
            auto worker = std::make_unique<Worker>(
                world_, deps_, "w" + std::to_string(++names_), workers_.empty()
            );
            if (!worker->has_joined()) {
                return;  // nobody may
            }
            workers_.push_back(std::move(worker));
        }
    }
    std::optional<RunCrew::End> collect() {
        std::optional<RunCrew::End> out;
        std::erase_if(workers_, [&](const std::unique_ptr<Worker>& one) {
            if (!one->has_ended()) {
                return false;
            }
            if (one->end().reason == StopReason::internal_error) {
                EXPECT_TRUE(overslept_.contains(one->lease().fence)) << one->end().words;
                return true;
            }
            const auto left = one->leave();
            if (left && left->state != RunState::interrupted) {
                out = left;
            }
            if (one->end().reason == StopReason::completed) {
                join_at_ = world_.clock.now() + 5s;  // as RunQueue: there was nothing to do
            }
            return true;
        });
        return out;
    }
    void fault() {
        const std::size_t at = rng_.below(workers_.size());
        Worker& one = *workers_[at];
        switch (rng_.below(3)) {
            case 0: {  // kill -9, and its time runs out
                const std::int64_t before = world_.provider().in_flight();
                const RunLease lease = one.lease();
                workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(at));
                in_flight_at_faults += std::min<std::int64_t>(before, 4);
                EXPECT_TRUE(RunLeases(*world_.reader).release(world_.ctx, lease));
                ++done["kill"];
                break;
            }
            case 1:  // its time runs out, and it does not know
                EXPECT_TRUE(RunLeases(*world_.reader).release(world_.ctx, one.lease()));
                overslept_.insert(one.lease().fence);
                in_flight_at_faults += 4;
                ++done["oversleep"];
                break;
            default:  // told to go
                one.interrupt();
                ++done["go"];
        }
    }

    World& world_;
    Deps deps_;
    Rng rng_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::set<std::int64_t> overslept_;
    int names_ = 0;
    int rounds_ = 0;
    TimePoint join_at_{};
};

class Crews : public testing::TestWithParam<int> {};

TEST_P(Crews, DoARunAsIfOneHadDoneIt) {
    const auto seed = static_cast<std::uint64_t>(GetParam());
    const int rows = 150 + 50 * (GetParam() % 5);
    World world(yaml_of("max_error_share: 1"), engine::test::qa_rows(rows));
    world.provider().script = [rng = Rng(seed)](const auto& request, int) mutable {
        FakeReply reply{.output = "answer to " + request.item_id};
        reply.latency = std::chrono::milliseconds(5 + rng.below(30));
        if (rng.below(20) == 0) {
            reply.outcome = providers::Outcome::overloaded;
            reply.http_status = 503;
        }
        return reply;
    };
    Fleet fleet(world, seed);
    const RunCrew::End end = fleet.run(1 + seed % 4, 12);
    EXPECT_EQ(end.state, RunState::completed) << end.words;
    EXPECT_EQ(world.ledger().done, rows);
    std::int64_t retries = 0;
    std::int64_t ok_calls = 0;
    for (const auto& call : world.provider().log) {
        retries += call.outcome == providers::Outcome::ok ? 0 : 1;
        ok_calls += call.outcome == providers::Outcome::ok ? 1 : 0;
    }
    EXPECT_FALSE(fleet.done.empty()) << "nothing happened";
    EXPECT_LE(ok_calls - rows, fleet.in_flight_at_faults) << "more was sent again than was lost";
    const storage::Ledger ledger = world.ledger();
    EXPECT_GE(ledger.settled + ledger.uncertain_cost, world.bill());
    EXPECT_GE(ledger.calls + ledger.uncertain_calls, world.provider().calls() - retries);
}

TEST_P(Crews, NeverSpendMoreThanThereIs) {
    const auto seed = static_cast<std::uint64_t>(GetParam()) + 1000;
    constexpr int kRows = 200;
    // An answer costs 20 millionths, at worst 40.
    const std::int64_t budget = 40 + 97 * static_cast<std::int64_t>(GetParam());
    World world(
        yaml_of("max_error_share: 1, budget: {max_cost_usd: 1}"), engine::test::qa_rows(kRows)
    );
    const Money limit = Money::from_pico(budget * 1'000'000);
    world.spec.run.budget.max_cost = limit;
    Fleet fleet(world, seed);
    const RunCrew::End end = fleet.run(1 + seed % 4, 6);
    const storage::Ledger ledger = world.ledger();
    EXPECT_LE(world.bill(), limit);
    EXPECT_LE(ledger.settled + ledger.uncertain_cost, limit);
    if (ledger.done == kRows) {
        EXPECT_EQ(end.state, RunState::completed);
    } else {
        EXPECT_EQ(end.state, RunState::budget_exhausted) << end.words;
        EXPECT_GT(ledger.settled + ledger.uncertain_cost + Money::from_pico(40'000'000), limit)
            << "another call could have been paid for";
    }
}

TEST_P(Crews, KeepACountOfCalls) {
    const auto seed = static_cast<std::uint64_t>(GetParam()) + 2000;
    const std::int64_t calls = 5 + 13 * GetParam();
    World world(
        yaml_of("max_error_share: 1, budget: {max_calls: " + std::to_string(calls) + "}"),
        engine::test::qa_rows(100)
    );
    Fleet fleet(world, seed);
    const RunCrew::End end = fleet.run(1 + seed % 4, 4);
    EXPECT_LE(world.provider().calls(), calls);
    if (world.ledger().done < 100) {
        EXPECT_EQ(end.state, RunState::budget_exhausted) << end.words;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Crews, testing::Range(0, 12));

TEST(Crew, EndsTogetherWhenTooMuchFails) {
    World world(yaml_of("max_error_share: 0.1"), engine::test::qa_rows(400));
    world.provider().script = [n = 0](const auto&, int) mutable {
        FakeReply reply{.output = "x"};
        if (++n % 4 == 0) {
            reply.outcome = providers::Outcome::refused;
            reply.http_status = 400;
        }
        return reply;
    };
    Fleet fleet(world, 1);
    const RunCrew::End end = fleet.run(3, 0);
    EXPECT_EQ(end.state, RunState::failed);
    EXPECT_NE(end.words.find(" of 400 samples failed"), std::string::npos) << end.words;
    // The one that counts hears of the others twice a second.
    EXPECT_LT(world.ledger().done, 390);
}

TEST(Crew, IsFasterThanOne) {
    std::map<std::size_t, Duration> took;
    for (const std::size_t machines : {1U, 3U}) {
        World world(yaml_of("max_error_share: 1"), engine::test::qa_rows(1200));
        world.provider().script = [](const auto&, int) {
            return FakeReply{.latency = 200ms, .output = "x"};
        };
        Fleet fleet(world, 1);
        const TimePoint began = world.clock.now();
        EXPECT_EQ(fleet.run(machines, 0).state, RunState::completed);
        took[machines] = world.clock.now() - began;
        EXPECT_EQ(world.provider().calls(), 1200);
    }
    EXPECT_GT(static_cast<double>(took[1].count()) / static_cast<double>(took[3].count()), 2.7);
}

TEST(Crew, SharesTheLimitsOfAModel) {
    const std::string model =
        "{id: m, provider: openai, model: m1, parameters: {max_tokens: 10},"
        " limits: {requests_per_minute: 600}}";
    World world(
        engine::test::qa_yaml(model) + "run: {concurrency: 4, cache: off}\n",
        engine::test::qa_rows(300)
    );
    Fleet fleet(world, 1);
    const TimePoint began = world.clock.now();
    EXPECT_EQ(fleet.run(3, 0).state, RunState::completed);
    const double seconds = std::chrono::duration<double>(world.clock.now() - began).count();
    EXPECT_GT(seconds, 28);  // ten a second, ten at once at the beginning
    EXPECT_LT(seconds, 33);
    // In no window of a second is there more than a second's worth beside what a full bucket gave.
    const auto& log = world.provider().log;
    for (std::size_t i = 30; i + 12 < log.size(); ++i) {
        EXPECT_GT(log[i + 12].at - log[i].at, 1s - 300ms) << i;
    }
}

TEST(ShareOfABudget, LeavesSomeForOthersUntilThereIsTooLittle) {
    domain::Budget budget;
    budget.max_calls = 100;
    const auto share = [&](std::int64_t taken,
                           std::int64_t before,
                           std::int64_t spent,
                           std::int64_t need,
                           bool takes_all = false) {
        const BudgetShare out = share_budget(
            budget,
            {.calls = taken},
            {.calls = before},
            {.calls = spent},
            need > 0 ? std::optional(Spending{.calls = need}) : std::nullopt,
            takes_all
        );
        return std::pair(out.granted.calls, out.is_all_of_it);
    };
    EXPECT_EQ(share(0, 0, 0, 0), Share(25, false));
    EXPECT_EQ(share(25, 0, 0, 0), Share(18, false));
    EXPECT_EQ(share(18, 25, 25, 1), Share(39, false));
    EXPECT_EQ(share(18, 25, 20, 0), Share(25, false)) << "what is enough is not raised";
    EXPECT_EQ(share(90, 8, 9, 1), Share(10, false));
    EXPECT_EQ(share(90, 10, 10, 1), Share(10, true));
    EXPECT_EQ(share(40, 10, 10, 0, true), Share(60, false));
    EXPECT_EQ(share(120, 10, 10, 1), Share(0, true)) << "others have overspent";
}

}  // namespace
}  // namespace lab::service
