#include "storage/store/run_crews.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Held = RunLeases::Held;

Spending spending(std::int64_t pico, std::int64_t tokens, std::int64_t calls) {
    return {.cost = Money::from_pico(pico), .tokens = tokens, .calls = calls};
}

class RunCrewsTest : public test::StoreTest {
  protected:
    RunCrewsTest() {
        domain::Run run = test::new_run("r1");
        run.created_by = "u1";
        run_ = Runs(*session_).create(ctx_, std::move(run)).value().key;
    }
    template <class Work>
    auto within(const Work& work) {
        auto transaction = Transaction::begin(ctx_, *session_);
        EXPECT_TRUE(transaction);
        EXPECT_TRUE(crews_.lock(ctx_, run_));
        auto out = work();
        EXPECT_TRUE(out) << out.error().message << out.error().cause;
        EXPECT_TRUE(transaction->commit(ctx_));
        return out;
    }
    void doing(const std::function<Status()>& work) { EXPECT_TRUE(within(work)); }
    RunLease take(std::string_view owner, Duration lasts = seconds(60)) {
        const auto fence = within([&] {
            return RunLeases(*session_).take(ctx_, run_, owner, lasts, Held::respect);
        });
        EXPECT_TRUE(fence->has_value());
        return {.run = run_, .fence = fence->value_or(0)};
    }
    /// fence 0: refused.
    RunLease join(std::string_view owner, Duration lasts = seconds(60)) {
        const auto fence =
            within([&] { return RunLeases(*session_).join(ctx_, run_, owner, lasts); });
        return {.run = run_, .fence = fence->value_or(0)};
    }
    void deal(const RunLease& lease, const MemberBooks& before = {}) {
        const Shard shards[] = {
            {.number = 0, .lane = 0, .first = 0, .until = 10},
            {.number = 1, .lane = 0, .first = 10, .until = 15},
            {.number = 2, .lane = 1, .first = 0, .until = 4},
        };
        doing([&] { return crews_.deal(ctx_, lease, shards, before); });
    }
    std::optional<Shard> claim(const RunLease& lease, int lane) {
        return *within([&] { return crews_.claim(ctx_, lease, lane); });
    }
    CrewStanding standing() { return crews_.standing(ctx_, run_).value(); }
    std::vector<std::string> joinable(std::string_view owner) {
        return crews_.list_joinable(ctx_, owner, 10).value();
    }
    RunCrews crews_{*session_};
    std::int64_t run_ = 0;
};

TEST_P(RunCrewsTest, OnlyWhatWasDealtCanBeJoined) {
    const RunLease first = take("a");
    EXPECT_EQ(join("b").fence, 0);
    EXPECT_TRUE(joinable("b").empty());
    deal(first);
    EXPECT_EQ(joinable("b"), std::vector<std::string>{"r1"});
    EXPECT_TRUE(joinable("a").empty()) << "it is a member";
    const RunLease second = join("b");
    EXPECT_EQ(second.fence, 2);
    EXPECT_EQ(join("c").fence, 3);
    EXPECT_EQ(standing().members.size(), 3U);
    EXPECT_TRUE(RunLeases(*session_).guard(ctx_, first)) << "nobody is pushed out";

    doing([&] { return crews_.end(ctx_, run_, "enough"); });
    doing([&] { return crews_.end(ctx_, run_, "another reason"); });
    EXPECT_EQ(join("d").fence, 0);
    EXPECT_EQ(standing().ending, "enough");
    EXPECT_TRUE(joinable("d").empty());
}

TEST_P(RunCrewsTest, WhoTakesItAloneIsAloneUntilItIsDealtAgain) {
    deal(take("a", milliseconds(0)));
    const RunLease old = join("b", milliseconds(0));
    const RunLease alone = take("c");
    EXPECT_EQ(standing().members.size(), 1U);
    EXPECT_FALSE(RunLeases(*session_).guard(ctx_, old));
    EXPECT_EQ(join("d").fence, 0);
    deal(alone);
    EXPECT_NE(join("d").fence, 0);
    doing([&] { return crews_.run_short(ctx_, run_); });
    EXPECT_EQ(join("e").fence, 0);
    EXPECT_TRUE(standing().is_short);
}

TEST_P(RunCrewsTest, ACrewIsNotTakenWhileOneOfItLives) {
    deal(take("a", milliseconds(0)));
    join("b");
    const auto fence = within([&] {
        return RunLeases(*session_).take(ctx_, run_, "c", seconds(60), Held::respect);
    });
    EXPECT_FALSE(fence->has_value());
    const CrewStanding crew = standing();
    ASSERT_EQ(crew.members.size(), 2U);
    EXPECT_FALSE(crew.members[0].is_alive);
    EXPECT_TRUE(crew.members[1].is_alive);
    ASSERT_TRUE(RunLeases(*session_).renew(ctx_, "b", milliseconds(0)));
    ASSERT_TRUE(RunLeases(*session_).release(ctx_, {.run = run_, .fence = 2}));
    EXPECT_NE(take("c").fence, 0);
}

TEST_P(RunCrewsTest, APartIsOnesUntilHeIsGone) {
    const RunLease first = take("a");
    deal(first);
    const RunLease second = join("b");
    EXPECT_EQ(claim(first, 0), (Shard{.number = 0, .lane = 0, .first = 0, .until = 10}));
    EXPECT_EQ(claim(second, 0), (Shard{.number = 1, .lane = 0, .first = 10, .until = 15}));
    EXPECT_EQ(claim(first, 0), std::nullopt);
    EXPECT_EQ(claim(first, 1), (Shard{.number = 2, .lane = 1, .first = 0, .until = 4}));
    EXPECT_EQ(claim(first, 2), std::nullopt);
    EXPECT_TRUE(joinable("c").empty()) << "there is nothing for him";

    doing([&] { return crews_.finish(ctx_, first, 1); });  // it is not his
    EXPECT_EQ(crews_.count_unfinished(ctx_, run_).value(), 3);
    doing([&] { return crews_.finish(ctx_, first, 0); });
    EXPECT_EQ(crews_.count_unfinished(ctx_, run_).value(), 2);
    EXPECT_EQ(*within([&] { return crews_.remove(ctx_, first); }), 0);
    EXPECT_EQ(
        claim(second, 1), (Shard{.number = 2, .lane = 1, .first = 0, .until = 4, .is_begun = true})
    );
    EXPECT_EQ(claim(second, 0), std::nullopt) << "what is finished stays so";
    EXPECT_FALSE(RunLeases(*session_).guard(ctx_, first));
}

TEST_P(RunCrewsTest, WhatTheDeadHadIsInTheBooksOfTheCrew) {
    const RunLease first = take("a");
    deal(first, {.spent = spending(1000, 10, 1), .done = 5, .failed = 1});
    const RunLease second = join("b");
    const Intent mine[] = {{.sample = 0, .cost = Money::from_pico(7), .tokens = 3}};
    const Intent theirs[] = {{.sample = 1, .cost = Money::from_pico(7), .tokens = 3}};
    Journal own(*session_, first);
    Journal other(*session_, second);
    const MemberBooks books{.spent = spending(30, 7, 2), .done = 1, .failed = 0};
    ASSERT_TRUE(own.record(ctx_, run_, {.intents = mine}));
    ASSERT_TRUE(other.record(ctx_, run_, {.intents = theirs, .books = books}));
    doing([&] { return crews_.grant(ctx_, second, spending(100, 20, 3)); });
    CrewStanding crew = standing();
    ASSERT_EQ(crew.members.size(), 2U);
    EXPECT_EQ(crew.members[1].books, books);
    EXPECT_EQ(crew.members[1].granted, spending(100, 20, 3));

    const auto lost = within([&] { return crews_.remove(ctx_, second); });
    EXPECT_EQ(*lost, 1) << "his call alone";
    crew = standing();
    ASSERT_EQ(crew.members.size(), 1U);
    EXPECT_EQ(crew.gone, (MemberBooks{.spent = spending(1030, 17, 3), .done = 6, .failed = 1}));
    const Ledger ledger = own.ledger(ctx_, run_).value();
    EXPECT_EQ(ledger.uncertain, 1);
    EXPECT_EQ(ledger.uncertain_cost, Money::from_pico(7));
    const Status late = other.record(ctx_, run_, {.intents = theirs, .books = books});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::conflict);
    EXPECT_EQ(own.reclaim_intents(ctx_, run_).value(), 1);
}

TEST_P(RunCrewsTest, APauseHoldsForAllAndIsOverSomeTime) {
    deal(take("a"));
    ASSERT_TRUE(crews_.pause(ctx_, run_, 1, seconds(60)));
    ASSERT_TRUE(crews_.pause(ctx_, run_, 1, seconds(1)));  // the longer one holds
    ASSERT_TRUE(crews_.pause(ctx_, run_, 0, milliseconds(-1)));
    const auto pauses = crews_.pauses(ctx_, run_).value();
    ASSERT_EQ(pauses.size(), 1U);
    EXPECT_EQ(pauses[0].first, 1);
    EXPECT_GT(pauses[0].second, seconds(50));
    EXPECT_LE(pauses[0].second, seconds(60));
}

LAB_ALL_BACKENDS(RunCrewsTest);

}  // namespace
}  // namespace lab::storage
