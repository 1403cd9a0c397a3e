#include "base/rng.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <csignal>

namespace lab::storage {
namespace {

using test::full_sample;

constexpr std::int64_t kBatch = 16;
constexpr int kKills = 30;

/// Batch b: the intents of b + 1 and the results of b, so that every commit does both.
Status commit_batch(const Ctx& ctx, Journal& journal, std::int64_t run, std::int64_t batch) {
    std::vector<Intent> intents;
    std::vector<domain::SampleResult> results;
    for (std::int64_t i = 0; i < kBatch; ++i) {
        const std::int64_t next = (batch + 1) * kBatch + i;
        intents.push_back({.sample = next, .cost = Money::from_pico(5'000), .tokens = 10});
        results.push_back(full_sample(batch * kBatch + i));
    }
    return journal.commit(ctx, run, intents, results);
}

/// What a killed process has acknowledged, batch by batch, must be there; of what it had not, only
/// whole batches may be.
class Crash : public testing::TestWithParam<Durability> {
  protected:
    /// Commits batches from `first` on and says so after each, until it is killed.
    int write_until_killed(int fd, std::int64_t run, std::int64_t first) {
        auto database = open_sqlite(ctx_, {.path = path_});
        if (!database) {
            return 1;
        }
        const auto session = *(*database)->open_session(ctx_, durability_);
        Journal journal(*session);
        for (std::int64_t batch = first;; ++batch) {
            if (!commit_batch(ctx_, journal, run, batch) || !test::say(fd, "x")) {
                return 2;
            }
        }
    }
    /// Lets a child write until a random moment behind some acknowledgements; gives their number.
    std::int64_t run_and_kill(std::int64_t run, std::int64_t first, Rng& rng) {
        const test::Child child([&](int fd) { return write_until_killed(fd, run, first); });
        std::int64_t acknowledged = 0;
        const auto enough = static_cast<std::int64_t>(1 + rng.below(20));
        char word;
        while (acknowledged < enough && ::read(child.fd(), &word, 1) == 1) {
            ++acknowledged;
        }
        // Anywhere inside the next commit or the one after it, including its sync.
        ::usleep(static_cast<useconds_t>(rng.below(6'000)));
        EXPECT_EQ(::kill(child.pid(), SIGKILL), 0);
        acknowledged += static_cast<std::int64_t>(child.read_all().size());
        const int status = child.wait();
        EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up with " << status;
        return acknowledged;
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    test::TestFolder home_;
    std::string path_ = home_.file("lab.db");
    Durability durability_ = GetParam();
};

// The death of a process takes nothing that was committed, whether it had reached the disk or not.
INSTANTIATE_TEST_SUITE_P(
    Durabilities,
    Crash,
    testing::Values(Durability::on_commit, Durability::on_sync),
    [](const auto& durability) {
        return durability.param == Durability::on_commit ? "OnCommit" : "OnSync";
    }
);

TEST_P(Crash, EveryAcknowledgedBatchSurvivesKills) {
    std::int64_t run = 0;
    {
        const auto database = *open_sqlite(ctx_, {.path = path_});
        ASSERT_TRUE(database->migrate(ctx_));
        const auto session = *database->open_session(ctx_);
        run = Runs(*session).create(ctx_, test::new_run("a")).value().key;
    }
    Rng rng(42);
    std::int64_t stored_batches = 0;
    std::int64_t uncertain = 0;
    for (int kill = 0; kill < kKills; ++kill) {
        const std::int64_t acknowledged = run_and_kill(run, stored_batches, rng);
        const auto database = open_sqlite(ctx_, {.path = path_});
        ASSERT_TRUE(database) << database.error().message;
        const auto session = *(*database)->open_session(ctx_);
        const Status intact = verify_sqlite(ctx_, *session);
        ASSERT_TRUE(intact) << intact.error().message;
        Journal journal(*session);
        std::int64_t count = 0;
        ASSERT_TRUE(journal.scan(ctx_, run, [&](const domain::SampleResult& result) {
            test::expect_same(result, full_sample(count));
            ++count;
            return ok();
        }));
        ASSERT_EQ(count % kBatch, 0) << "half a batch is stored";
        const std::int64_t batches = count / kBatch;
        // The last commit may have been done and not yet acknowledged.
        ASSERT_GE(batches, stored_batches + acknowledged);
        ASSERT_LE(batches, stored_batches + acknowledged + 1);
        // Exactly the calls announced by the last stored batch are open.
        const std::int64_t reclaimed = journal.reclaim_intents(ctx_, run).value();
        ASSERT_EQ(reclaimed, kBatch);
        uncertain += reclaimed;
        stored_batches = batches;
        const Ledger books = journal.ledger(ctx_, run).value();
        ASSERT_EQ(books.done, count);
        ASSERT_EQ(books.settled.pico(), 1'000 * count + count * (count - 1) / 2);
        ASSERT_EQ(books.uncertain, uncertain);
        ASSERT_EQ(books.uncertain_cost.pico(), 5'000 * uncertain);
    }
    EXPECT_GT(stored_batches, kKills);
}

}  // namespace
}  // namespace lab::storage
