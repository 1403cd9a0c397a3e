#include "storage/store/session.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>
#include <thread>

namespace lab::storage {
namespace {

// Columns that hold any bytes are BYTEA there, whatever is written into them.
constexpr Query kCreate{
    "create",
    "CREATE TABLE t (k BIGINT PRIMARY KEY, a TEXT, b BLOB, c DOUBLE "
    "PRECISION, d BIGINT REFERENCES t (k))"
};
constexpr Query kCreateOnServer{
    "create",
    "CREATE TABLE t (k BIGINT PRIMARY KEY, a BYTEA, b BYTEA, c DOUBLE "
    "PRECISION, d BIGINT REFERENCES t (k))"
};
constexpr Query kInsert{"insert", "INSERT INTO t (k, a, b, c, d) VALUES ($1, $2, $3, $4, $5)"};
constexpr Query kInsertMany{
    .name = "insert_many",
    .sql = "INSERT INTO t (k, a, b, c, d) VALUES ($1, $2, $3, $4, $5)",
    .copy = "COPY t (k, a, b, c, d) FROM STDIN (FORMAT binary)",
};
constexpr Query kInsertNew{
    "insert_new",
    "INSERT INTO t (k, a, b, c, d) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (k) DO NOTHING"
};
constexpr Query kSelect{"select", "SELECT k, a, b, c, d FROM t ORDER BY k"};
constexpr Query kCount{"count", "SELECT COUNT(*) FROM t"};
constexpr Query kUpdate{"update", "UPDATE t SET a = $2 WHERE k > $1"};

class SessionContract : public test::StoreTest {
  protected:
    SessionContract() {
        const auto made =
            session_->exec(ctx_, test::is_sqlite(GetParam()) ? kCreate : kCreateOnServer, {});
        EXPECT_TRUE(made) << (made ? "" : made.error().cause);
    }
    Result<std::int64_t> insert(Session& session, std::int64_t key, Value text = "x") {
        const Value values[] = {key, text, nullptr, nullptr, nullptr};
        return session.exec(ctx_, kInsert, values);
    }
    std::int64_t count(Session& session) {
        std::int64_t out = -1;
        EXPECT_TRUE(session.query(ctx_, kCount, {}, [&](const Row& row) {
            out = row.integer(0);
            return ok();
        }));
        return out;
    }
};

TEST_P(SessionContract, KeepsEveryTypeOfValue) {
    const std::string bytes("\0\xff\x01", 3);
    const std::string text("a\0ü", 4);
    const std::int64_t least = std::numeric_limits<std::int64_t>::min();
    const Value values[] = {least, std::string_view(text), Blob{bytes}, 0.1, nullptr};
    ASSERT_TRUE(session_->exec(ctx_, kInsert, values));
    int rows = 0;
    ASSERT_TRUE(session_->query(ctx_, kSelect, {}, [&](const Row& row) {
        ++rows;
        EXPECT_EQ(row.integer(0), least);
        EXPECT_EQ(row.text(1), text);
        EXPECT_EQ(row.blob(2), bytes);
        EXPECT_EQ(row.real(3), 0.1);
        EXPECT_TRUE(row.is_null(4));
        EXPECT_EQ(row.text(4), "");
        EXPECT_FALSE(row.is_null(0));
        return ok();
    }));
    EXPECT_EQ(rows, 1);
}

TEST_P(SessionContract, AnEmptyTextIsNotNull) {
    const Value values[] = {std::int64_t{1}, std::string_view(), Blob{}, nullptr, nullptr};
    ASSERT_TRUE(session_->exec(ctx_, kInsert, values));
    ASSERT_TRUE(session_->query(ctx_, kSelect, {}, [&](const Row& row) {
        EXPECT_FALSE(row.is_null(1));
        EXPECT_FALSE(row.is_null(2));
        return ok();
    }));
}

TEST_P(SessionContract, CountsTheRowsAStatementChanged) {
    for (std::int64_t key = 1; key <= 5; ++key) {
        EXPECT_EQ(insert(*session_, key).value(), 1);
    }
    const Value some[] = {std::int64_t{3}, "y"};
    EXPECT_EQ(session_->exec(ctx_, kUpdate, some).value(), 2);
    const Value none[] = {std::int64_t{9}, "y"};
    EXPECT_EQ(session_->exec(ctx_, kUpdate, none).value(), 0);
}

TEST_P(SessionContract, RefusesTheSameKeyAndAMissingReference) {
    ASSERT_TRUE(insert(*session_, 1));
    EXPECT_EQ(insert(*session_, 1).error().code, Code::conflict);
    const Value values[] = {std::int64_t{2}, nullptr, nullptr, nullptr, std::int64_t{77}};
    EXPECT_EQ(session_->exec(ctx_, kInsert, values).error().code, Code::conflict);
    EXPECT_EQ(count(*session_), 1);
}

/// Rows with these keys, by a statement with COPY and by one without.
class SessionMany : public SessionContract {
  protected:
    Status insert_many(const Query& query, const std::vector<std::int64_t>& keys) {
        std::array<Value, 5> values;
        return session_->exec_many(
            ctx_,
            query,
            keys.size(),
            [&](std::size_t row) {
                values = {keys[row], std::string_view(text_), Blob{bytes_}, 0.1, nullptr};
                return std::span<const Value>(values);
            },
            changed_
        );
    }
    static std::vector<std::int64_t> keys(std::int64_t count) {
        std::vector<std::int64_t> out(static_cast<std::size_t>(count));
        std::iota(out.begin(), out.end(), 0);
        return out;
    }
    std::vector<std::int64_t> changed_;
    std::string text_ = std::string("a\0ü\n\\.\n", 9);
    std::string bytes_ = std::string("\0\xff\x01", 3);
};

TEST_P(SessionMany, WritesEveryRowOnceAndEveryTypeOfValue) {
    for (const Query* const query : {&kInsertMany, &kInsertNew}) {
        for (const std::int64_t count : {0, 1, 2, 3000}) {
            auto transaction = Transaction::begin(ctx_, *session_);
            ASSERT_TRUE(transaction);
            const Status done = insert_many(*query, keys(count));
            ASSERT_TRUE(done) << done.error().message << done.error().cause;
            EXPECT_EQ(changed_, std::vector<std::int64_t>(static_cast<std::size_t>(count), 1));
            std::int64_t at = 0;
            ASSERT_TRUE(session_->query(ctx_, kSelect, {}, [&](const Row& row) {
                EXPECT_EQ(row.integer(0), at++);
                EXPECT_EQ(row.text(1), text_);
                EXPECT_EQ(row.blob(2), bytes_);
                EXPECT_EQ(row.real(3), 0.1);
                EXPECT_TRUE(row.is_null(4));
                return ok();
            }));
            EXPECT_EQ(at, count);
        }
    }
    EXPECT_EQ(count(*session_), 0) << "nothing of it was committed";
}

TEST_P(SessionMany, RowsMayBeLargeAndMany) {
    text_ = std::string(std::size_t{1} << 20, 'x');
    for (const Query* const query : {&kInsertMany, &kInsertNew}) {
        auto transaction = Transaction::begin(ctx_, *session_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(insert_many(*query, keys(30)));
        EXPECT_EQ(count(*session_), 30);
    }
}

TEST_P(SessionMany, TellsWhichRowWasRefused) {
    for (const Query* const query : {&kInsertMany, &kInsert}) {
        for (const std::int64_t twice : {2, 7, 1500}) {
            std::vector<std::int64_t> rows = keys(2000);
            rows[static_cast<std::size_t>(twice)] = 0;
            {
                auto transaction = Transaction::begin(ctx_, *session_);
                ASSERT_TRUE(transaction);
                EXPECT_EQ(insert_many(*query, rows).error().code, Code::conflict);
                EXPECT_EQ(std::ssize(changed_), twice);
            }
            EXPECT_EQ(count(*session_), 0);
        }
    }
    ASSERT_TRUE(insert(*session_, 1)) << "the session is as good as before";
}

TEST_P(SessionMany, TellsWhatEachRowChanged) {
    ASSERT_TRUE(insert(*session_, 1));
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(insert_many(kInsertNew, {0, 1, 2, 2}));
    EXPECT_EQ(changed_, (std::vector<std::int64_t>{1, 0, 1, 0}));
    ASSERT_TRUE(transaction->commit(ctx_));
    EXPECT_EQ(count(*session_), 3);
}

TEST_P(SessionMany, ADeadlineEndsItAndTheSessionGoesOn) {
    if (GetParam() == test::Backend::sqlite_memory || GetParam() == test::Backend::sqlite_file) {
        return;  // there a writer waits for the whole database, which another test shows
    }
    const auto other = another_session();
    for (const Query* const query : {&kInsertMany, &kInsertNew}) {
        auto theirs = Transaction::begin(ctx_, *other);
        ASSERT_TRUE(theirs);
        ASSERT_TRUE(insert(*other, 5));  // whose end ours must wait for
        {
            auto ours = Transaction::begin(ctx_, *session_);
            ASSERT_TRUE(ours);
            std::array<Value, 5> values;
            const Status done = session_->exec_many(
                ctx_.within(std::chrono::milliseconds(100)),
                *query,
                10,
                [&](std::size_t row) {
                    const auto key = static_cast<std::int64_t>(row);
                    values = {key, nullptr, nullptr, nullptr, nullptr};
                    return std::span<const Value>(values);
                },
                changed_
            );
            EXPECT_EQ(done.error().code, Code::timed_out);
        }
        EXPECT_EQ(count(*session_), 0);
    }
}

LAB_ALL_BACKENDS(SessionMany);

TEST_P(SessionContract, AnswersSeveralQueriesInTurn) {
    ASSERT_TRUE(insert(*session_, 1));
    ASSERT_TRUE(insert(*session_, 2));
    const Value sum_from[] = {std::int64_t{2}};
    constexpr Query kSum{"sum", "SELECT CAST(SUM(k) AS BIGINT) FROM t WHERE k >= $1"};
    std::string seen;
    const Asked asked[] = {
        {kSelect,
         {},
         [&](const Row& row) {
             seen += std::to_string(row.integer(0)) + std::string(row.text(1)) + " ";
             return ok();
         }},
        {kSum,
         sum_from,
         [&](const Row& row) {
             seen += "sum " + std::to_string(row.integer(0));
             EXPECT_EQ(count(*session_), 2) << "the session may be used meanwhile";
             return ok();
         }},
    };
    for (int round = 0; round < 2; ++round) {
        seen.clear();
        const Status done = session_->query_all(ctx_, asked);
        ASSERT_TRUE(done) << done.error().message << done.error().cause;
        EXPECT_EQ(seen, "1x 2x sum 2");
    }
    ASSERT_TRUE(session_->query_all(ctx_, {}));
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(insert(*session_, 3));
    seen.clear();
    ASSERT_TRUE(session_->query_all(ctx_, std::span(asked).first(1)));
    EXPECT_EQ(seen, "1x 2x 3x ");
}

TEST_P(SessionContract, OneOfSeveralQueriesThatFailsIsTheErrorOfAll) {
    ASSERT_TRUE(insert(*session_, 1));
    constexpr Query kWrong{"wrong", "SELECT nothing FROM nowhere"};
    const auto ignore = [](const Row&) { return ok(); };
    const Asked asked[] = {{kSelect, {}, ignore}, {kWrong, {}, ignore}, {kSelect, {}, ignore}};
    EXPECT_EQ(session_->query_all(ctx_, asked).error().code, Code::internal);
    const Asked refused[] = {
        {kSelect, {}, [](const Row&) -> Status { return Error(Code::not_found, "enough"); }},
        {kSelect, {}, ignore},
    };
    EXPECT_EQ(session_->query_all(ctx_, refused).error().code, Code::not_found);
    EXPECT_EQ(count(*session_), 1);
}

TEST_P(SessionContract, ATransactionThatIsNotCommittedNeverWas) {
    {
        auto transaction = Transaction::begin(ctx_, *session_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(insert(*session_, 1));
        Transaction moved = *std::move(transaction);
        EXPECT_EQ(count(*session_), 1);
    }
    EXPECT_EQ(count(*session_), 0);
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(insert(*session_, 2));
    ASSERT_TRUE(transaction->commit(ctx_));
    EXPECT_EQ(count(*session_), 1);
}

TEST_P(SessionContract, SessionsShareCommittedDataAlone) {
    const auto other = another_session();
    ASSERT_TRUE(insert(*session_, 1));
    EXPECT_EQ(count(*other), 1);
    if (GetParam() == test::Backend::sqlite_memory) {
        return;  // there a reader waits for the writer
    }
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(insert(*session_, 2));
    EXPECT_EQ(count(*other), 1);
    ASSERT_TRUE(transaction->commit(ctx_));
    EXPECT_EQ(count(*other), 2);
}

TEST_P(SessionContract, AnErrorOfTheCallbackEndsTheQuery) {
    for (std::int64_t key = 1; key <= 5; ++key) {
        ASSERT_TRUE(insert(*session_, key));
    }
    int rows = 0;
    const Status status = session_->query(ctx_, kSelect, {}, [&](const Row& row) -> Status {
        ++rows;
        if (row.integer(0) == 2) {
            return Error(Code::not_found, "enough");
        }
        return ok();
    });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "enough");
    EXPECT_EQ(rows, 2);
    EXPECT_TRUE(insert(*session_, 6));
}

TEST_P(SessionContract, ACallbackMayAskTheSameQuestion) {
    for (std::int64_t key = 1; key <= 3; ++key) {
        ASSERT_TRUE(insert(*session_, key));
    }
    int rows = 0;
    ASSERT_TRUE(session_->query(ctx_, kSelect, {}, [&](const Row& outer) -> Status {
        const std::int64_t key = outer.integer(0);
        LAB_CHECK(session_->query(ctx_, kSelect, {}, [&](const Row&) {
            ++rows;
            return ok();
        }));
        EXPECT_EQ(outer.integer(0), key);
        return ok();
    }));
    EXPECT_EQ(rows, 9);
}

TEST_P(SessionContract, NoticesAnotherQueryAtTheSameAddress) {
    Query query{"one", "SELECT 1"};
    std::int64_t out = 0;
    const auto keep = [&](const Row& row) {
        out = row.integer(0);
        return ok();
    };
    ASSERT_TRUE(session_->query(ctx_, query, {}, keep));
    EXPECT_EQ(out, 1);
    query = {"two", "SELECT 2"};
    ASSERT_TRUE(session_->query(ctx_, query, {}, keep));
    EXPECT_EQ(out, 2);
}

TEST_P(SessionContract, RefusesMalformedQueries) {
    constexpr Query kGap{"gap", "SELECT $1, $3"};
    EXPECT_EQ(session_->prepare(kGap).error().code, Code::internal);
    constexpr Query kTwo{"two", "SELECT 1; SELECT 2"};
    EXPECT_EQ(session_->prepare(kTwo).error().code, Code::internal);
    constexpr Query kNothing{"nothing", "  "};
    EXPECT_EQ(session_->prepare(kNothing).error().code, Code::internal);
    constexpr Query kUnknown{"unknown", "SELECT * FROM nowhere"};
    const Status unknown = session_->prepare(kUnknown);
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().cause.find("nowhere"), std::string::npos);
    EXPECT_NE(unknown.error().message.find("unknown"), std::string::npos);
    const Value too_few[] = {std::int64_t{1}};
    EXPECT_EQ(session_->exec(ctx_, kInsert, too_few).error().code, Code::internal);
}

/// Counts to a number no machine reaches.
constexpr Query kForever{
    "forever",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
    "n) SELECT COUNT(*) FROM n"
};

TEST_P(SessionContract, ALongQueryEndsWithItsDeadline) {
    const auto nothing = [](const Row&) { return ok(); };
    const Ctx hurried = ctx_.within(std::chrono::milliseconds(20));
    EXPECT_EQ(session_->query(hurried, kForever, {}, nothing).error().code, Code::timed_out);
    EXPECT_EQ(insert(*session_, 1).value(), 1);
}

TEST_P(SessionContract, ALongQueryEndsWhenItIsCancelled) {
    const CancelToken token;
    const Ctx ctx(clock_, token);
    std::jthread canceller;
    constexpr Query kRows{
        "rows",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 100000000000) SELECT i FROM n WHERE i = 1 OR i < 0"
    };
    // A server keeps rows back until they fill its buffer.
    constexpr Query kLargeRows{
        "large_rows",
        "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 100000000000) SELECT i, repeat('x', 100000) FROM n WHERE i < 5"
    };
    const Query& query = test::is_sqlite(GetParam()) ? kRows : kLargeRows;
    const Status status = session_->query(ctx, query, {}, [&](const Row&) {
        canceller = std::jthread([token] { token.cancel(CancelReason::user); });
        return ok();
    });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::cancelled);
    EXPECT_EQ(insert(*session_, 1).value(), 1);
}

TEST_P(SessionContract, AnInterruptedTransactionLeavesNothing) {
    const Ctx hurried = ctx_.within(std::chrono::milliseconds(20));
    constexpr Query kFill{
        "fill",
        "INSERT INTO t (k) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n) SELECT i + 1000 FROM n"
    };
    {
        auto transaction = Transaction::begin(ctx_, *session_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(insert(*session_, 1));
        EXPECT_EQ(session_->exec(hurried, kFill, {}).error().code, Code::timed_out);
    }
    EXPECT_EQ(count(*session_), 0);
    ASSERT_TRUE(session_->begin(ctx_));
    session_->rollback();
}

TEST_P(SessionContract, DoesNothingForWhoeverGaveUp) {
    const CancelToken token;
    token.cancel(CancelReason::user);
    const Ctx given_up(clock_, token);
    EXPECT_EQ(session_->begin(given_up).error().code, Code::cancelled);
    EXPECT_EQ(session_->exec(given_up, kCreate, {}).error().code, Code::cancelled);
    EXPECT_EQ(database_->open_session(given_up).error().code, Code::cancelled);
}

TEST_P(SessionContract, AWriterWaitsForAnotherUntilItsDeadline) {
    const auto other = another_session();
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(session_->hold(ctx_, "t", 1));
    const Ctx hurried = ctx_.within(std::chrono::milliseconds(30));
    if (test::is_sqlite(GetParam())) {
        EXPECT_EQ(other->begin(hurried).error().code, Code::timed_out);
    } else {
        auto held = Transaction::begin(ctx_, *other);
        ASSERT_TRUE(held);
        EXPECT_TRUE(other->hold(ctx_, "t", 2));
        EXPECT_TRUE(other->hold(ctx_, "u", 1));
        EXPECT_EQ(other->hold(hurried, "t", 1).error().code, Code::timed_out);
    }
    std::jthread waiter([&] {
        EXPECT_TRUE(insert(*other, 7));  // gets its turn when the transaction ends
    });
    ASSERT_TRUE(insert(*session_, 6));
    ASSERT_TRUE(transaction->commit(ctx_));
    waiter.join();
    EXPECT_EQ(count(*session_), 2);
}

TEST_P(SessionContract, ALateSessionIsCheckedBeforeItIsUsed) {
    EXPECT_TRUE(session_->check(ctx_));
    ASSERT_TRUE(session_->begin(ctx_));
    EXPECT_EQ(session_->check(ctx_).error().code, Code::unavailable);
    session_->rollback();
    EXPECT_TRUE(session_->check(ctx_));
}

TEST_P(SessionContract, WhatIsHeldIsLetGoWithTheTransaction) {
    const auto other = another_session();
    for (Session* one : {session_.get(), other.get(), session_.get()}) {
        auto transaction = Transaction::begin(ctx_, *one);
        ASSERT_TRUE(transaction);
        EXPECT_TRUE(one->hold(ctx_.within(std::chrono::seconds(20)), "t", 1));
    }
}

LAB_ALL_BACKENDS(SessionContract);

}  // namespace
}  // namespace lab::storage
