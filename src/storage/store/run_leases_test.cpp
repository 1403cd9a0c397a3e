#include "storage/store/run_leases.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <future>

namespace lab::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Held = RunLeases::Held;

class RunLeaseTest : public test::StoreTest {
  protected:
    std::int64_t add_run(const std::string& id, const std::string& created_by = "u1") {
        domain::Run run = test::new_run(id);
        run.created_by = created_by;
        const auto made = Runs(*session_).create(ctx_, std::move(run));
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made->key;
    }
    std::optional<std::int64_t> take(
        std::int64_t run, std::string_view owner, Duration lasts, Held held = Held::respect
    ) {
        auto transaction = Transaction::begin(ctx_, *session_);
        EXPECT_TRUE(transaction);
        const auto fence = RunLeases(*session_).take(ctx_, run, owner, lasts, held);
        EXPECT_TRUE(fence) << (fence ? "" : fence.error().message + fence.error().cause);
        EXPECT_TRUE(transaction->commit(ctx_));
        return *fence;
    }
    std::vector<std::string> abandoned(bool leased_too = false) {
        std::vector<std::string> out;
        const auto found = Runs(*session_).list_abandoned(ctx_, leased_too, 10);
        EXPECT_TRUE(found);
        for (const domain::Run& run : *found) {
            out.push_back(run.id);
        }
        return out;
    }
};

TEST_P(RunLeaseTest, IsHeldByOneUntilItsTimeIsOver) {
    const std::int64_t run = add_run("r1");
    EXPECT_EQ(take(run, "a", seconds(60)), 1);
    EXPECT_EQ(take(run, "b", seconds(60)), std::nullopt);
    EXPECT_EQ(take(run, "a", seconds(60)), std::nullopt);  // its owner is no exception
    EXPECT_EQ(take(run, "b", seconds(60), Held::take_over), 2);
    EXPECT_EQ(take(run, "c", milliseconds(0), Held::take_over), 3);
    EXPECT_EQ(take(run, "d", seconds(60)), 4);
}

TEST_P(RunLeaseTest, OfARunThatIsNotThereIsRefused) {
    const auto fence = RunLeases(*session_).take(ctx_, 4711, "a", seconds(60), Held::respect);
    ASSERT_FALSE(fence);
    EXPECT_EQ(fence.error().code, Code::conflict);
}

TEST_P(RunLeaseTest, RenewalKeepsWhatNobodyHasTaken) {
    const std::int64_t one = add_run("r1");
    const std::int64_t two = add_run("r2");
    const std::int64_t three = add_run("r3");
    RunLeases leases(*session_);
    take(one, "a", milliseconds(0));  // over at once, and nobody came
    take(two, "a", milliseconds(0));
    take(three, "other", seconds(60));
    EXPECT_EQ(take(two, "b", seconds(60)), 2);
    auto held = leases.renew(ctx_, "a", seconds(60));
    ASSERT_TRUE(held);
    ASSERT_EQ(held->size(), 1U);
    EXPECT_EQ(held->front().lease, (RunLease{.run = one, .fence = 1}));
    EXPECT_EQ(held->front().run_state, "running");
    EXPECT_EQ(held->front().experiment_status, "ready");
    EXPECT_EQ(take(one, "b", seconds(60)), std::nullopt);
    ASSERT_TRUE(leases.release(ctx_, {.run = one, .fence = 1}));
    EXPECT_EQ(take(one, "b", seconds(60)), 2);
    ASSERT_TRUE(leases.release(ctx_, {.run = one, .fence = 1}));  // of one that is no more
    EXPECT_EQ(take(one, "c", seconds(60)), std::nullopt);
    held = leases.renew(ctx_, "a", seconds(60));
    ASSERT_TRUE(held);
    EXPECT_TRUE(held->empty());
}

TEST_P(RunLeaseTest, WhoLostItStoresNothing) {
    const std::int64_t run = add_run("r1");
    const RunLease mine{.run = run, .fence = take(run, "a", milliseconds(0)).value_or(0)};
    Journal journal(*session_, mine);
    const Intent intents[] = {
        {.sample = 0, .cost = Money(), .tokens = 1}, {.sample = 1, .cost = Money(), .tokens = 1}
    };
    ASSERT_TRUE(journal.commit(ctx_, run, intents, {}));
    const RunLease theirs{.run = run, .fence = take(run, "b", seconds(60)).value_or(0)};
    EXPECT_GT(theirs.fence, mine.fence);

    const domain::SampleResult results[] = {test::full_sample(0)};
    const std::int64_t samples[] = {1};
    const Attempt attempts[] = {{.sample = 1, .attempts = 1, .doubt = intents[1]}};
    const Status refused[] = {
        journal.commit(ctx_, run, {}, results),
        journal.commit(ctx_, run, std::span(intents).first(1), {}),
        journal.withdraw(ctx_, run, samples, 1),
        journal.book(ctx_, run, attempts),
        Status(journal.reclaim_intents(ctx_, run).error()),
        Status(journal.drop_failed(ctx_, run).error()),
    };
    for (const Status& status : refused) {
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Code::conflict);
        EXPECT_NE(status.error().message.find("taken the run over"), std::string::npos);
    }
    const auto found = journal.find(ctx_, run, 0);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->has_value());
    Journal other(*session_, theirs);
    const auto reclaimed = other.reclaim_intents(ctx_, run);
    ASSERT_TRUE(reclaimed);
    EXPECT_EQ(*reclaimed, 2);
    EXPECT_TRUE(other.commit(ctx_, run, {}, results));
}

/// Where sessions wait for each other; in memory they share one lock on the tables.
class RunLeaseTurns : public RunLeaseTest {};
std::vector<test::Backend> with_turns() {
    std::vector<test::Backend> out = test::backends();
    std::erase(out, test::Backend::sqlite_memory);
    return out;
}

/// A lease that is taken while a transaction of its holder goes on is taken after it.
TEST_P(RunLeaseTurns, NobodyTakesItWithinATransactionOfItsHolder) {
    const std::int64_t run = add_run("r1");
    const RunLease mine{.run = run, .fence = take(run, "a", milliseconds(0)).value_or(0)};
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(RunLeases(*session_).guard(ctx_, mine));
    const auto other = another_session();
    auto taken = std::async(std::launch::async, [&] {
        return RunLeases(*other).take(ctx_, run, "b", seconds(60), Held::respect);
    });
    EXPECT_EQ(taken.wait_for(milliseconds(100)), std::future_status::timeout);
    ASSERT_TRUE(transaction->commit(ctx_));
    const auto fence = taken.get();
    ASSERT_TRUE(fence) << fence.error().message;
    EXPECT_EQ(*fence, 2);
    EXPECT_FALSE(RunLeases(*session_).guard(ctx_, mine));
}

TEST_P(RunLeaseTest, ARunThatNobodyWorksOnIsFound) {
    const std::int64_t one = add_run("r1");
    const std::int64_t two = add_run("r2");
    add_run("r3", "");  // of the command line
    EXPECT_EQ(abandoned(), (std::vector<std::string>{"r1", "r2"}));
    take(one, "a", seconds(60));
    EXPECT_EQ(abandoned(), std::vector<std::string>{"r2"});
    EXPECT_EQ(abandoned(true), (std::vector<std::string>{"r1", "r2"}));
    take(two, "a", milliseconds(0));
    EXPECT_EQ(abandoned(), std::vector<std::string>{"r2"});
    ASSERT_TRUE(
        Runs(*session_).move_state(ctx_, two, domain::RunState::running, domain::RunState::queued)
    );
    EXPECT_TRUE(abandoned().empty());
}

LAB_ALL_BACKENDS(RunLeaseTest);
INSTANTIATE_TEST_SUITE_P(Every, RunLeaseTurns, testing::ValuesIn(with_turns()), test::backend_name);

}  // namespace
}  // namespace lab::storage
