#include "storage/store/journal.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <limits>

namespace lab::storage {
namespace {

using domain::SampleResult;
using test::expect_same;
using test::failed_sample;
using test::full_sample;

class JournalContract : public test::StoreTest {
  protected:
    JournalContract() {
        Runs runs(*session_);
        run_ = runs.create(ctx_, test::new_run("11111111-run")).value().key;
        other_run_ = runs.create(ctx_, test::new_run("22222222-run")).value().key;
    }
    Status commit(std::vector<Intent> intents, std::vector<SampleResult> results) {
        return journal_.commit(ctx_, run_, intents, results);
    }
    static Intent intent(std::int64_t sample, std::int64_t pico = 5'000) {
        return {.sample = sample, .cost = Money::from_pico(pico), .tokens = 100};
    }
    std::vector<std::int64_t> finished(bool failed_too = true) {
        std::vector<std::int64_t> out;
        EXPECT_TRUE(journal_.scan_finished(
            ctx_, run_, [&](std::int64_t sample) { out.push_back(sample); }, failed_too
        ));
        return out;
    }
    Ledger ledger() { return journal_.ledger(ctx_, run_).value(); }
    std::int64_t run_ = 0;
    std::int64_t other_run_ = 0;
    Journal journal_{*session_};
};

TEST_P(JournalContract, GivesASampleBackAsItWas) {
    const SampleResult sample = full_sample(7);
    ASSERT_TRUE(commit({intent(7)}, {}));
    ASSERT_TRUE(commit({}, {sample}));
    const auto found = journal_.find(ctx_, run_, 7).value();
    ASSERT_TRUE(found);
    expect_same(*found, sample);
    const SampleResult failed = failed_sample(8);
    ASSERT_TRUE(commit({}, {failed}));
    expect_same(journal_.find(ctx_, run_, 8).value().value(), failed);
    SampleResult bare;
    bare.index = 0;
    ASSERT_TRUE(commit({}, {bare}));
    expect_same(journal_.find(ctx_, run_, 0).value().value(), bare);
    EXPECT_FALSE(journal_.find(ctx_, run_, 9).value());
    EXPECT_FALSE(journal_.find(ctx_, other_run_, 7).value());
}

TEST_P(JournalContract, NothingIsStoredTwice) {
    ASSERT_TRUE(commit({}, {full_sample(1), full_sample(2)}));
    SampleResult changed = full_sample(2);
    changed.output = "another";
    const Status again = commit({intent(5)}, {full_sample(3), changed});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::internal);
    EXPECT_NE(again.error().message.find("sample 2"), std::string::npos) << again.error().message;
    // All of the batch or nothing.
    EXPECT_EQ(finished(), (std::vector<std::int64_t>{1, 2}));
    expect_same(journal_.find(ctx_, run_, 2).value().value(), full_sample(2));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 0);
    const Status twice = commit({}, {full_sample(4), full_sample(4)});
    EXPECT_EQ(twice.error().code, Code::internal);
    EXPECT_EQ(
        journal_.commit(ctx_, 999, {}, std::vector{full_sample(1)}).error().code, Code::internal
    );
    EXPECT_TRUE(journal_.commit(ctx_, other_run_, {}, std::vector{full_sample(1)}));
}

TEST_P(JournalContract, NothingIsPaidTwice) {
    ASSERT_TRUE(commit({intent(1)}, {}));
    EXPECT_EQ(commit({intent(1)}, {}).error().code, Code::internal);
    ASSERT_TRUE(commit({}, {full_sample(1)}));
    const Status stored = commit({intent(2), intent(1)}, {});
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::internal);
    EXPECT_NE(stored.error().message.find("stored already"), std::string::npos);
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 0);  // neither of the two was kept
}

TEST_P(JournalContract, AResultSettlesItsIntent) {
    ASSERT_TRUE(commit({intent(1), intent(2), intent(3)}, {}));
    ASSERT_TRUE(commit({intent(4)}, {full_sample(3), failed_sample(1)}));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 2);
    const Ledger books = ledger();
    EXPECT_EQ(books.uncertain, 2);
    EXPECT_EQ(books.uncertain_cost.pico(), 10'000);
    EXPECT_EQ(books.uncertain_tokens, 200);
    EXPECT_EQ(books.uncertain_unpriced, 0);
    EXPECT_EQ(books.settled.pico(), 1'003);
}

TEST_P(JournalContract, WithdrawnIntentsAreNotUncertain) {
    ASSERT_TRUE(commit({intent(1), intent(2), intent(3)}, {}));
    const std::int64_t withdrawn[] = {1, 3, 77};
    ASSERT_TRUE(journal_.withdraw(ctx_, run_, withdrawn));
    ASSERT_TRUE(journal_.withdraw(ctx_, run_, {}));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 1);
    ASSERT_TRUE(commit({intent(1)}, {}));
}

TEST_P(JournalContract, CallsSentForWithdrawnSamplesStayInTheBooks) {
    ASSERT_TRUE(commit({intent(1), intent(2)}, {full_sample(9)}));
    const std::int64_t first[] = {1};
    const std::int64_t second[] = {2};
    ASSERT_TRUE(journal_.withdraw(ctx_, run_, first, 2));
    ASSERT_TRUE(journal_.withdraw(ctx_, run_, second, 5));
    EXPECT_EQ(ledger().calls, 3 + 2 + 5);
    EXPECT_EQ(ledger().settled.pico(), 1'009);
    ASSERT_TRUE(commit({}, {failed_sample(3)}));
    ASSERT_TRUE(journal_.drop_failed(ctx_, run_));
    EXPECT_EQ(ledger().calls, 3 + 2 + 5 + 4);
}

TEST_P(JournalContract, ReclaimingConcernsOneRunAndAddsUp) {
    ASSERT_TRUE(commit({intent(1), {.sample = 2, .cost = std::nullopt, .tokens = 7}}, {}));
    ASSERT_TRUE(journal_.commit(ctx_, other_run_, std::vector{intent(1)}, {}));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 2);
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 0);
    // Sent again, and killed again.
    ASSERT_TRUE(commit({intent(1)}, {}));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 1);
    const Ledger books = ledger();
    EXPECT_EQ(books.uncertain, 3);
    EXPECT_EQ(books.uncertain_cost.pico(), 10'000);
    EXPECT_EQ(books.uncertain_tokens, 207);
    EXPECT_EQ(books.uncertain_unpriced, 1);
    EXPECT_EQ(books.uncertain_calls, 3);
    EXPECT_EQ(journal_.ledger(ctx_, other_run_).value().uncertain, 0);
}

TEST_P(JournalContract, EveryAttemptOfALostCallIsCountedOnce) {
    ASSERT_TRUE(commit({intent(1), intent(2)}, {}));
    const Attempt refused{.sample = 1, .attempts = 1};
    const Attempt broken{.sample = 1, .attempts = 2, .doubt = intent(1)};
    ASSERT_TRUE(journal_.book(ctx_, run_, std::vector{refused, broken}));
    EXPECT_EQ(ledger().uncertain, 1) << "one of them may have been billed";
    EXPECT_EQ(ledger().uncertain_calls, 0) << "the sample counts its attempts while it lives";
    ASSERT_TRUE(commit({}, {full_sample(2)}));
    EXPECT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 1);
    const Ledger books = ledger();
    EXPECT_EQ(books.uncertain, 2);
    EXPECT_EQ(books.uncertain_calls, 3)
        << "two ended without an answer, a third may have been sent";
    EXPECT_EQ(books.calls, 3) << "those of the stored sample";
    EXPECT_EQ(books.uncertain_cost.pico(), 2 * intent(1).cost->pico());
}

TEST_P(JournalContract, TheBooksTellPaidFromFree) {
    EXPECT_EQ(ledger().done, 0);
    EXPECT_TRUE(ledger().settled.is_zero());
    SampleResult unpriced = full_sample(2);
    unpriced.cost = std::nullopt;
    unpriced.usage.estimated = false;
    SampleResult cached = full_sample(3);
    cached.cached = true;
    cached.cost = Money();
    cached.attempts = 0;
    SampleResult replayed = full_sample(4);
    replayed.replayed = true;
    replayed.cost = Money();
    ASSERT_TRUE(commit({}, {full_sample(1), unpriced, cached, replayed, failed_sample(5)}));
    const Ledger books = ledger();
    EXPECT_EQ(books.done, 4);
    EXPECT_EQ(books.failed, 1);
    EXPECT_EQ(books.cached, 1);
    EXPECT_EQ(books.unpriced, 1);
    EXPECT_EQ(books.calls, 3 + 3 + 4);
    EXPECT_EQ(books.settled.pico(), 1'001);
    const domain::Usage twice{
        .input = 20,
        .cache_read = 40,
        .cache_write = 60,
        .output = 80,
        .reasoning = 100,
        .estimated = true
    };
    EXPECT_EQ(books.usage, twice);
}

TEST_P(JournalContract, AmountsBeyondTheirRangeSaturate) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    std::vector<SampleResult> results;
    std::vector<Intent> intents;
    for (std::int64_t i = 0; i < 4; ++i) {
        results.push_back(full_sample(i));
        results.back().cost = Money::from_pico(kMost);
        results.back().usage.input = kMost;
        results.back().usage.output = -5;
        intents.push_back({.sample = 100 + i, .cost = Money::from_pico(kMost), .tokens = kMost});
    }
    ASSERT_TRUE(commit(intents, results));
    ASSERT_TRUE(journal_.reclaim_intents(ctx_, run_));
    const Ledger books = ledger();
    EXPECT_EQ(books.settled.pico(), kMost);
    EXPECT_EQ(books.uncertain_cost.pico(), kMost);
    EXPECT_EQ(books.usage.input, 4'000'000'000'000);
    EXPECT_EQ(books.usage.output, 0);
    EXPECT_EQ(books.uncertain_tokens, 4'000'000'000'000);
}

TEST_P(JournalContract, SumsArePreciseToThePicoDollar) {
    std::vector<SampleResult> results;
    for (std::int64_t i = 0; i < 1000; ++i) {
        results.push_back(full_sample(i));
        results.back().cost = Money::from_pico(999'999'999'999 + i);  // just below a dollar
    }
    ASSERT_TRUE(commit({}, results));
    EXPECT_EQ(ledger().settled.pico(), 1000 * 999'999'999'999 + 999 * 1000 / 2);
}

TEST_P(JournalContract, ForgettingFailedSamplesKeepsTheirBill) {
    SampleResult paid_for = failed_sample(2);
    paid_for.cost = Money::from_pico(77);
    paid_for.usage.input = 9;
    ASSERT_TRUE(commit({}, {full_sample(1), paid_for, failed_sample(3)}));
    EXPECT_EQ(finished(), (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(finished(false), (std::vector<std::int64_t>{1}));
    EXPECT_EQ(journal_.drop_failed(ctx_, run_).value(), 2);
    EXPECT_EQ(finished(), (std::vector<std::int64_t>{1}));
    EXPECT_EQ(journal_.drop_failed(ctx_, run_).value(), 0);
    Ledger books = ledger();
    EXPECT_EQ(books.failed, 0);
    EXPECT_EQ(books.done, 1);
    EXPECT_EQ(books.calls, 3 + 4 + 4);
    EXPECT_EQ(books.settled.pico(), 1'001 + 77);
    EXPECT_EQ(books.usage.input, 10 + 9);
    // They can be tried and can fail again.
    ASSERT_TRUE(commit({intent(2), intent(3)}, {}));
    ASSERT_TRUE(commit({}, {failed_sample(2), full_sample(3)}));
    EXPECT_EQ(journal_.drop_failed(ctx_, run_).value(), 1);
    books = ledger();
    EXPECT_EQ(books.calls, 3 + 4 + 4 + 4 + 3);
    EXPECT_EQ(books.settled.pico(), 1'001 + 77 + 1'003);
}

TEST_P(JournalContract, BooksOfACompletedRunAreKept) {
    constexpr Query kTamper{"tamper", "UPDATE samples SET input_tokens = 7 WHERE run = $1"};
    const Value key[] = {run_};
    const auto tamper = [&] { ASSERT_TRUE(session_->exec(ctx_, kTamper, key)); };
    Runs runs(*session_);
    const auto move = [&](domain::RunState state, std::string_view at) {
        ASSERT_TRUE(runs.set_state(ctx_, run_, state, "", at));
    };
    ASSERT_TRUE(commit({intent(2)}, {full_sample(0), failed_sample(1)}));
    ASSERT_TRUE(journal_.withdraw(ctx_, run_, {}, 5));
    ASSERT_EQ(journal_.reclaim_intents(ctx_, run_).value(), 1);
    const Ledger open = ledger();
    EXPECT_EQ(journal_.count(ctx_, run_).value(), 2);
    move(domain::RunState::completed, "2026-01-01T00:00:00Z");
    tamper();
    const Ledger closed = ledger();
    EXPECT_TRUE(closed == open) << "what was written since is not looked at";
    EXPECT_EQ(journal_.count(ctx_, run_).value(), 2);

    move(domain::RunState::running, "2026-01-02T00:00:00Z");
    EXPECT_EQ(ledger().usage.input, 14) << "it goes on";
    EXPECT_EQ(journal_.drop_failed(ctx_, run_).value(), 1);
    EXPECT_EQ(journal_.count(ctx_, run_).value(), 1);
    constexpr Query kEnd{"end_by_hand", R"sql(
        UPDATE runs SET state = 'completed', completed_at = '2026-01-02T01:00:00Z' WHERE key = $1
    )sql"};
    ASSERT_TRUE(session_->exec(ctx_, kEnd, key)) << "as a program does that keeps none";
    EXPECT_EQ(ledger().done + ledger().failed, 1) << "those of the time before count no more";
    move(domain::RunState::running, "2026-01-02T00:00:00Z");
    ASSERT_TRUE(commit({}, {full_sample(1)}));
    move(domain::RunState::completed, "2026-01-03T00:00:00Z");
    tamper();
    EXPECT_EQ(ledger().done, 2) << "and is completed anew";
    EXPECT_EQ(ledger().calls, open.calls + full_sample(1).attempts);
}

TEST_P(JournalContract, ACachedAnswerIsASuccessOfAnyRun) {
    SampleResult good = full_sample(1);
    good.cache_key = std::string(32, '\x01');
    SampleResult bad = failed_sample(2);
    bad.cache_key = std::string(32, '\x02');
    SampleResult secret = full_sample(3);
    secret.cache_key.clear();
    ASSERT_TRUE(commit({}, {good, bad, secret}));
    const auto hit = journal_.find_cached(ctx_, std::string(32, '\x01')).value();
    ASSERT_TRUE(hit);
    expect_same(*hit, good);
    EXPECT_FALSE(journal_.find_cached(ctx_, std::string(32, '\x02')).value());
    EXPECT_FALSE(journal_.find_cached(ctx_, std::string(32, '\x03')).value());
    EXPECT_FALSE(journal_.find_cached(ctx_, "").value());
    const std::string with_zeros = std::string(31, '\0') + "a";
    SampleResult zeros = full_sample(4);
    zeros.cache_key = with_zeros;
    ASSERT_TRUE(journal_.commit(ctx_, other_run_, {}, std::vector{zeros}));
    EXPECT_TRUE(journal_.find_cached(ctx_, with_zeros).value());
    EXPECT_FALSE(journal_.find_cached(ctx_, std::string(32, '\0')).value());
}

TEST_P(JournalContract, ScansAcrossPagesInOrderWhateverTheOrderOfArrival) {
    constexpr std::int64_t kCount = 2500;  // more than two pages
    std::vector<SampleResult> batch;
    for (std::int64_t i = 0; i < kCount; ++i) {
        batch.push_back(full_sample(i * 1237 % kCount));
        if (batch.size() == 100 || i + 1 == kCount) {
            ASSERT_TRUE(commit({}, batch));
            batch.clear();
        }
    }
    ASSERT_TRUE(journal_.commit(ctx_, other_run_, {}, std::vector{full_sample(5)}));
    std::int64_t expected = 0;
    ASSERT_TRUE(journal_.scan(ctx_, run_, [&](const SampleResult& result) {
        EXPECT_EQ(result.index, expected);
        EXPECT_EQ(result.item_id, "item-" + std::to_string(expected));
        ++expected;
        return ok();
    }));
    EXPECT_EQ(expected, kCount);
    std::vector<std::int64_t> all(kCount);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = static_cast<std::int64_t>(i);
    }
    EXPECT_EQ(finished(), all);
    int seen = 0;
    const Status status = journal_.scan(ctx_, run_, [&](const SampleResult&) -> Status {
        return ++seen == 1500 ? Status(Error(Code::cancelled, "enough")) : ok();
    });
    EXPECT_EQ(status.error().message, "enough");
    EXPECT_EQ(seen, 1500);
}

TEST_P(JournalContract, ARunTakesItsSamplesWithIt) {
    ASSERT_TRUE(commit({intent(1)}, {full_sample(2), failed_sample(3)}));
    ASSERT_TRUE(journal_.reclaim_intents(ctx_, run_));
    ASSERT_TRUE(journal_.drop_failed(ctx_, run_));
    ASSERT_TRUE(commit({intent(4)}, {}));
    constexpr Query kDelete{"delete", "DELETE FROM runs WHERE key = $1"};
    const Value key[] = {run_};
    ASSERT_EQ(session_->exec(ctx_, kDelete, key).value(), 1);
    constexpr Query kLeft{
        "left",
        "SELECT (SELECT COUNT(*) FROM samples) + (SELECT COUNT(*) FROM "
        "intents) + (SELECT COUNT(*) FROM uncertain) + (SELECT COUNT(*) "
        "FROM carried)"
    };
    ASSERT_TRUE(session_->query(ctx_, kLeft, {}, [](const Row& row) {
        EXPECT_EQ(row.integer(0), 0);
        return ok();
    }));
    EXPECT_EQ(ledger().done, 0);
}

TEST_P(JournalContract, AnEmptyCommitIsNothing) { EXPECT_TRUE(commit({}, {})); }

LAB_ALL_BACKENDS(JournalContract);

}  // namespace
}  // namespace lab::storage
