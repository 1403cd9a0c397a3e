#include "base/hash.h"
#include "base/rng.h"
#include "engine/driver.h"
#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <set>

/// Stores that fail and processes that die, against the promises: nothing stored is lost, repeated
/// or paid again; the books enclose the bill; a budget holds.
namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::Outcome;
using test::FakeReply;
using test::Process;
using test::qa_rows;
using test::qa_yaml;
using test::World;

/// Fails one commit: before it is done, or after.
class FailingSession final : public storage::Session {
  public:
    struct Plan {
        int fail_at = 0;  ///< 1.. over all sessions that share the plan; 0 = never
        bool done_all_the_same = false;
        int commits = 0;
    };
    FailingSession(std::unique_ptr<storage::Session> real, Plan& plan)
        : real_(std::move(real)), plan_(plan) {}
    Result<std::int64_t> exec(
        const Ctx& ctx, const storage::Query& query, std::span<const storage::Value> values
    ) override {
        return real_->exec(ctx, query, values);
    }
    Status query(
        const Ctx& ctx,
        const storage::Query& query,
        std::span<const storage::Value> values,
        const storage::RowCallback& on_row
    ) override {
        return real_->query(ctx, query, values, on_row);
    }
    Status begin(const Ctx& ctx) override { return real_->begin(ctx); }
    Status commit(const Ctx& ctx) override {
        if (++plan_.commits != plan_.fail_at) {
            return real_->commit(ctx);
        }
        if (plan_.done_all_the_same) {
            EXPECT_TRUE(real_->commit(ctx));
            committed_ = true;
        }
        return Error(Code::io, "the disk is full");
    }
    void rollback() noexcept override {
        if (!std::exchange(committed_, false)) {
            real_->rollback();
        }
    }
    Status sync(const Ctx& ctx) override { return real_->sync(ctx); }
    Status prepare(const storage::Query& query) override { return real_->prepare(query); }
    Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) override {
        return real_->hold(ctx, what, key);
    }
    Status check(const Ctx& ctx) override { return real_->check(ctx); }

  private:
    std::unique_ptr<storage::Session> real_;
    Plan& plan_;
    bool committed_ = false;
};

/// Where the calls of a run can be at every moment of it: unequal latencies, some retries.
FakeReply uneven_reply(const providers::CallRequest& request, int attempt, std::uint64_t seed) {
    const std::uint64_t draw =
        fnv1a64(request.item_id + "/" + std::to_string(attempt) + "/" + std::to_string(seed));
    const bool right = fnv1a64(request.item_id) % 3 == 0;
    FakeReply reply{.output = "answer " + request.item_id.substr(right ? 1 : 0)};
    reply.latency = std::chrono::milliseconds(1 + draw % 30);
    reply.usage = {
        .input = static_cast<std::int64_t>(1 + draw / 64 % 20),
        .output = static_cast<std::int64_t>(draw / 4096 % 11)
    };
    if (draw / 1024 % 5 == 0 && attempt % 3 != 0) {
        constexpr Outcome kFailures[] = {
            Outcome::rate_limited, Outcome::overloaded, Outcome::network, Outcome::nonsense
        };
        reply.outcome = kFailures[draw / 8192 % 4];
        // A lost answer may have been billed all the same.
        reply.billed = reply.outcome == Outcome::network || reply.outcome == Outcome::nonsense;
    }
    return reply;
}

void answer_unevenly(World& world, std::uint64_t seed) {
    for (const auto& provider : world.providers) {
        provider->script = [seed](const providers::CallRequest& request, int attempt) {
            return uneven_reply(request, attempt, seed);
        };
    }
}

constexpr int kItems = 40;

std::string uneven_yaml() {
    return qa_yaml(test::kPaid) + "run: {concurrency: 6, repetitions: 2, max_error_share: 1}\n";
}

/// What an uninterrupted run stores.
const std::string& undisturbed() {
    static const std::string kResults = [] {
        World world(uneven_yaml(), qa_rows(kItems));
        answer_unevenly(world, 0);
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::completed);
        EXPECT_EQ(world.ledger().done, 2 * kItems);
        return world.results();
    }();
    return kResults;
}

void fail_commit_and_resume(int n, bool done_all_the_same, bool in_memory) {
    SCOPED_TRACE("commit " + std::to_string(n) + (done_all_the_same ? ", done" : ", undone"));
    World world(uneven_yaml(), qa_rows(kItems), in_memory);
    answer_unevenly(world, static_cast<std::uint64_t>(n));
    FailingSession::Plan plan{.fail_at = n, .done_all_the_same = done_all_the_same};
    {
        Process process(
            world,
            {std::make_unique<FailingSession>(world.open_session(), plan), world.open_session()},
            [] { return 4ms; },
            [] { return 7ms; }  // the disk is still waited for when a commit fails
        );
        const RunEnd& end = process.run();
        ASSERT_GE(plan.commits, n) << "the run has more commits than that";
        EXPECT_EQ(end.reason, StopReason::internal_error);
        ASSERT_TRUE(end.error);
        EXPECT_EQ(end.error->code, Code::io);
        EXPECT_EQ(end.words, "the disk is full");
        EXPECT_EQ(plan.commits, n) << "nothing is written after that";
        EXPECT_EQ(world.provider().in_flight(), 0) << "nothing further is paid for";
        const std::int64_t calls = world.provider().calls();
        world.loop.run_until([] { return false; });
        EXPECT_EQ(world.provider().calls(), calls);
    }
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.results(), undisturbed());
    const storage::Ledger ledger = world.ledger();
    EXPECT_LE(ledger.settled, world.bill());
    EXPECT_LE(world.bill(), ledger.settled + ledger.uncertain_cost);
}

TEST(FailingStore, EndsTheRunAndAResumeCompletesIt) {
    for (int n = 1; n <= 20; ++n) {
        fail_commit_and_resume(n, false, n % 10 != 3);
    }
}

TEST(FailingStore, ACommitWhoseOutcomeIsUnknownIsNeitherLostNorRepeated) {
    for (int n = 1; n <= 20; ++n) {
        fail_commit_and_resume(n, true, n % 10 != 3);
    }
}

TEST(FailingStore, ACacheThatCannotBeReadIsAMiss) {
    class Unreadable final : public storage::Session {
      public:
        Result<std::int64_t>
        exec(const Ctx&, const storage::Query&, std::span<const storage::Value>) override {
            return Error(Code::io, "unreadable");
        }
        Status
        query(const Ctx&, const storage::Query&, std::span<const storage::Value>, const storage::RowCallback&)
            override {
            return Error(Code::io, "unreadable");
        }
        Status begin(const Ctx&) override { return Error(Code::io, "unreadable"); }
        Status commit(const Ctx&) override { return Error(Code::io, "unreadable"); }
        void rollback() noexcept override {}
        Status sync(const Ctx&) override { return ok(); }
        Status prepare(const storage::Query&) override { return ok(); }
        Status hold(const Ctx&, std::string_view, std::int64_t) override { return ok(); }
        Status check(const Ctx&) override { return ok(); }
    };
    World world(qa_yaml(test::kPaid) + "run: {cache: read_write}\n", qa_rows(9));
    Process process(world, {world.open_session(), std::make_unique<Unreadable>()});
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 9);
}

/// One run with processes that die at random moments, and the world's books beside ours.
class CrashedRun {
  public:
    explicit CrashedRun(std::uint64_t seed) : rng_(seed), world_(uneven_yaml(), qa_rows(kItems)) {
        answer_unevenly(world_, seed);
        world_.spec.run.concurrency = static_cast<int>(1 + rng_.below(12));
        if (seed % 3 == 0) {
            limit_ =
                Money::from_pico(static_cast<std::int64_t>(500 + rng_.below(4000)) * 1'000'000);
            world_.spec.run.budget.max_cost = limit_;
        }
    }

    void run() {
        const auto crashes = 1 + rng_.below(5);
        for (std::uint64_t i = 0; i < crashes && !ended_; ++i) {
            live(rng_.below(400));
        }
        if (!ended_) {
            live(100'000'000);
        }
        ASSERT_TRUE(ended_);
        check();
    }

  private:
    /// One process, which dies after so many turns of its loop.
    void live(std::uint64_t turns) {
        const std::uint64_t slow = rng_.below(3) * 7;
        Process process(world_, [this, slow] {
            return std::chrono::milliseconds(rng_.below(1 + slow));
        });
        const std::int64_t done_before = world_.ledger().done;
        const std::size_t ok_before = answered();
        process.start();
        std::uint64_t turn = 0;
        world_.loop.run_until([&] { return process.end.has_value() || ++turn > turns; });
        const std::int64_t done = world_.ledger().done - done_before;
        const auto calls = static_cast<std::int64_t>(answered() - ok_before);
        if (process.end) {
            ended_ = process.end->reason;
            EXPECT_EQ(calls, done) << "a process that ends by itself has stored what it paid for";
        } else {
            lost_ += calls - done;
            EXPECT_GE(calls, done);
            EXPECT_LE(calls - done, world_.spec.run.concurrency)
                << "an answer holds its slot until it is stored";
        }
    }
    /// Calls that the provider answers, or has begun to.
    std::size_t answered() const {
        const auto& log = world_.providers[0]->log;
        return static_cast<std::size_t>(std::ranges::count_if(log, [](const auto& call) {
            return call.outcome == Outcome::ok;
        }));
    }

    void check() {
        const storage::Ledger ledger = world_.ledger();
        const Money bill = world_.bill();
        EXPECT_LE(ledger.settled, bill);
        EXPECT_LE(bill, ledger.settled + ledger.uncertain_cost);
        EXPECT_LE(lost_, ledger.uncertain) << "every call that may have been lost is reported";
        EXPECT_EQ(static_cast<std::int64_t>(answered()), ledger.done + lost_)
            << "only what was in flight at a crash is asked again";
        std::set<std::int64_t> indexes;
        for (const domain::SampleResult& one : world_.stored()) {
            EXPECT_TRUE(indexes.insert(one.index).second);
        }
        if (limit_) {
            EXPECT_LE(bill, *limit_) << "the budget holds whatever happens";
        }
        if (ended_ == StopReason::budget_exhausted) {
            EXPECT_TRUE(limit_);
            return;
        }
        EXPECT_EQ(ended_, StopReason::completed);
        EXPECT_EQ(ledger.done, 2 * kItems);
        EXPECT_EQ(world_.results(), undisturbed()) << "the crashes leave no trace in the results";
    }

    Rng rng_;
    World world_;
    std::optional<Money> limit_;
    std::int64_t lost_ = 0;
    std::optional<StopReason> ended_;
};

TEST(Crashes, LoseNothingRepeatNothingAndKeepTheBooksStraight) {
    for (std::uint64_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        CrashedRun(seed).run();
    }
}

}  // namespace
}  // namespace lab::engine
