#include "storage/store/session.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <limits>
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
