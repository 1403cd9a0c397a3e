#include "storage/store/postgres.h"

#include "storage/store/impl/postgres_session.h"
#include "storage/store/impl/test_store.h"
#include "storage/store/session_pool.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lab::storage {
namespace {

using namespace std::chrono_literals;

TEST(Backends, PostgresIsThere) {
    if (lab::test::postgres_url().empty()) {
        GTEST_SKIP() << "no PostgreSQL: run the tests by tools/postgres.py";
    }
    EXPECT_FALSE(lab::test::pgbouncer_url().empty()) << "PgBouncer is not installed";
}

TEST(PostgresUrl, WhatLibpqTakesIsTaken) {
    for (const char* url :
         {"postgresql://lab:secret@db:5432/lab",
          "postgres://db/lab",
          "postgresql:///lab?host=/run/postgresql&sslmode=disable",
          "postgresql://lab@[::1]:5433/lab?application_name=x",
          "postgresql://a,b:5433/lab?target_session_attrs=any"}) {
        EXPECT_TRUE(parse_postgres_url({.url = url})) << url;
    }
    const PostgresTarget two = parse_postgres_url({.url = "postgres://a:1,b:2/lab"}).value();
    ASSERT_EQ(two.hosts.size(), 2U);
    const std::vector<std::pair<std::string, std::string>> second{{"host", "b"}, {"port", "2"}};
    EXPECT_EQ(two.hosts[1].words, second);
    EXPECT_EQ(two.session_attrs, "read-write");  // of several the one that takes writes
    const PostgresTarget copies =
        parse_postgres_url({.url = "postgres://a,b/lab", .is_copy = true}).value();
    EXPECT_EQ(copies.session_attrs, "prefer-standby");
}

TEST(PostgresUrl, WhatIsNoneIsRefusedWithoutItsPassword) {
    for (const char* url :
         {"",
          "lab.db",
          "host=db password=hunter2",
          "mysql://lab:hunter2@db/lab",
          "postgresql://lab:hunter2%zz@db/lab",
          "postgresql://lab:hunter2@db/lab?no_such_word=1"}) {
        const auto refused = open_postgres({.url = url});
        ASSERT_FALSE(refused) << url;
        EXPECT_EQ(refused.error().code, Code::validation);
        EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
        EXPECT_EQ(refused.error().cause, "");
    }
}

/// Takes connections and says nothing.
class SilentServer {
  public:
    SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(fd_, 16), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = std::to_string(ntohs(address.sin_port));
    }
    ~SilentServer() { ::close(fd_); }
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;
    const std::string& port() const { return port_; }

  private:
    int fd_;
    std::string port_;
};

TEST(PostgresConnect, ASilentServerIsGivenUpInTime) {
    const SystemClock clock;
    const Ctx ctx(clock);
    const SilentServer silent;
    const auto database = open_postgres(
        {.url = "postgresql://lab@127.0.0.1:" + silent.port() + "/lab", .connect_timeout = 60ms}
    );
    const auto begun = clock.now();
    const auto session = database.value()->open_session(ctx);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, Code::unavailable);
    EXPECT_LT(clock.now() - begun, 5s);
    const auto hurried = database.value()->open_session(ctx.within(10ms));
    ASSERT_FALSE(hurried);
    EXPECT_EQ(hurried.error().code, Code::timed_out);
}

constexpr Query kPid{"pid", "SELECT pg_backend_pid()"};
constexpr Query kTerminate{"terminate", "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 5000)"};
constexpr Query kCountPrepared{
    "count_prepared", "SELECT COUNT(*) FROM pg_prepared_statements WHERE name LIKE 'pid%'"
};

std::int64_t number(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values = {}
) {
    std::int64_t out = -1;
    const Status status = session.query(ctx, query, values, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    });
    EXPECT_TRUE(status) << status.error().message << ": " << status.error().cause;
    return out;
}

/// Skipped where there is no server; that there is one is a test of its own.
class Postgres : public test::StoreTest {
  protected:
    void terminate(Session& session) {
        const Value values[] = {number(ctx_, session, kPid)};
        EXPECT_EQ(number(ctx_, *another_session(), kTerminate, values), 1);
    }
    std::unique_ptr<Session> session_with(PostgresOptions options) {
        return open_postgres(std::move(options)).value()->open_session(ctx_).value();
    }
};

TEST_P(Postgres, AHostThatRefusesOrIsSilentGivesWayToTheNext) {
    const SilentServer silent;
    std::string url = server_->url(GetParam());
    const std::string host = "127.0.0.1:";
    url.insert(url.find(host), "127.0.0.1:1," + host + silent.port() + ",");
    const auto session = session_with({.url = url, .connect_timeout = 500ms});
    EXPECT_GT(number(ctx_, *session, kPid), 0);
}

TEST_P(Postgres, TheWrongPasswordIsSaidWithoutIt) {
    std::string url = server_->url(GetParam());
    const std::size_t at = url.find("lab:") + 4;
    url.replace(at, url.find('@') - at, "hunter2");
    const auto refused = open_postgres({.url = url}).value()->open_session(ctx_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_NE(refused.error().cause, "");
    EXPECT_EQ((refused.error().message + refused.error().cause).find("hunter2"), std::string::npos);
}

TEST_P(Postgres, AStatementHasALimitOfItsOwn) {
    const auto session = session_with({.url = server_->url(GetParam()), .statement_timeout = 50ms});
    constexpr Query kSleep{"sleep", "SELECT pg_sleep(100)"};
    const auto nothing = [](const Row&) { return ok(); };
    // In a transaction, because behind a pooler settings are those of a transaction.
    {
        auto transaction = Transaction::begin(ctx_, *session);
        ASSERT_TRUE(transaction);
        const Status late = session->query(ctx_, kSleep, {}, nothing);
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().code, Code::timed_out);
        EXPECT_NE(late.error().cause.find("57014"), std::string::npos) << late.error().cause;
    }
    EXPECT_GT(number(ctx_, *session, kPid), 0);
}

TEST_P(Postgres, NothingRunsOnForWhoeverGaveUp) {
    constexpr Query kSleep{"sleep", "SELECT pg_sleep(1000) /* given up */"};
    const auto nothing = [](const Row&) { return ok(); };
    const Status late = session_->query(ctx_.within(50ms), kSleep, {}, nothing);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::timed_out);
    constexpr Query kRunning{
        "running",
        "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' "
        "AND query LIKE '%pg_sleep(1000) /* given%' AND pid <> pg_backend_pid()"
    };
    const auto end = clock_.now() + 20s;
    while (number(ctx_, *session_, kRunning) != 0) {
        ASSERT_LT(clock_.now(), end) << "the statement is still running";
    }
}

TEST_P(Postgres, AServerThatIsSilentForTooLongCountsAsGone) {
    constexpr Query kSleep{"sleep", "SELECT pg_sleep(0.4)"};
    constexpr Query kLong{"long", "SELECT pg_sleep(1000) /* out of patience */"};
    const auto nothing = [](const Row&) { return ok(); };
    // Patience is for all waits together, and starts anew.
    for (int i = 0; i < 3; ++i) {
        session_->set_patience(1s);
        EXPECT_TRUE(session_->query(ctx_, kSleep, {}, nothing));
    }
    const Status late = session_->query(ctx_, kLong, {}, nothing);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::unavailable);
    EXPECT_EQ(session_->check(ctx_).error().code, Code::unavailable) << "no pool lends it again";
    session_->set_patience(1h);
    EXPECT_EQ(session_->query(ctx_, kSleep, {}, nothing).error().code, Code::unavailable);
}

TEST_P(Postgres, AStatementIsPreparedOnceAndNotAtAllBehindAPooler) {
    number(ctx_, *session_, kPid);
    number(ctx_, *session_, kPid);
    const bool direct = GetParam() == test::Backend::postgres;
    EXPECT_EQ(number(ctx_, *session_, kCountPrepared), direct ? 1 : 0);
}

TEST_P(Postgres, TextThatIsNoneIsRefused) {
    constexpr Query kKeep{"keep", "UPDATE orgs SET name = $1"};
    for (const std::string_view text : {std::string_view("a\0b", 3), std::string_view("\xff")}) {
        const Value values[] = {text};
        EXPECT_EQ(session_->exec(ctx_, kKeep, values).error().code, Code::validation);
    }
}

TEST_P(Postgres, AFailedTransactionIsNotCommitted) {
    constexpr Query kBroken{
        "broken", "INSERT INTO orgs (id, name, created_at) VALUES ('x', 'x', NULL)"
    };
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    EXPECT_FALSE(session_->exec(ctx_, kBroken, {}));
    EXPECT_FALSE(transaction->commit(ctx_));
    EXPECT_TRUE(session_->check(ctx_));
}

TEST_P(Postgres, SyncPutsEverybodysCommitsOnTheDisk) {
    const auto lazy = database_->open_session(ctx_, Durability::on_sync).value();
    constexpr Query kChange{"change", "UPDATE orgs SET name = name"};
    {
        auto transaction = Transaction::begin(ctx_, *lazy);
        ASSERT_TRUE(transaction);
        constexpr Query kMode{"mode", "SELECT current_setting('synchronous_commit') = 'off'"};
        EXPECT_EQ(number(ctx_, *lazy, kMode), 1);
        ASSERT_TRUE(lazy->exec(ctx_, kChange, {}));
        ASSERT_TRUE(transaction->commit(ctx_));
    }
    std::string position;
    constexpr Query kPosition{"position", "SELECT CAST(pg_current_wal_insert_lsn() AS TEXT)"};
    ASSERT_TRUE(session_->query(ctx_, kPosition, {}, [&](const Row& row) {
        position = row.text(0);
        return ok();
    }));
    const auto another = another_session();
    ASSERT_TRUE(another->sync(ctx_));
    constexpr Query kFlushed{
        "flushed", "SELECT pg_current_wal_flush_lsn() >= CAST(CAST($1 AS TEXT) AS pg_lsn)"
    };
    const Value values[] = {std::string_view(position)};
    EXPECT_EQ(number(ctx_, *session_, kFlushed, values), 1);
}

INSTANTIATE_TEST_SUITE_P(Every, Postgres, testing::ValuesIn(test::servers()), test::backend_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Postgres);

/// What concerns the connection itself, which a pooler keeps for us.
class PostgresLost : public Postgres {};

TEST_P(PostgresLost, ALostConnectionIsSaidAndStaysLost) {
    terminate(*session_);
    const auto lost = session_->exec(ctx_, kPid, {});
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Code::unavailable);
    EXPECT_EQ(session_->begin(ctx_).error().code, Code::unavailable);
    EXPECT_EQ(session_->check(ctx_).error().code, Code::unavailable);
    session_->rollback();
    EXPECT_EQ(session_->commit(ctx_).error().code, Code::unavailable);
}

TEST_P(PostgresLost, ATransactionThatIsLostIsNotThere) {
    constexpr Query kAdd{"add", "INSERT INTO orgs (id, name, created_at) VALUES ('x', 'x', '')"};
    constexpr Query kCount{"count", "SELECT COUNT(*) FROM orgs"};
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(session_->exec(ctx_, kAdd, {}));
    terminate(*session_);
    const Status committed = transaction->commit(ctx_);
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Code::unavailable);
    EXPECT_EQ(number(ctx_, *another_session(), kCount), 1);
}

TEST_P(PostgresLost, APoolLendsNoLostSession) {
    SessionPool pool(*database_, {.max = 2, .wait_max = 20s});
    {
        const auto first = pool.acquire(ctx_);
        ASSERT_TRUE(first);
        const auto second = pool.acquire(ctx_);
        ASSERT_TRUE(second);
        terminate(**first);
        terminate(**second);
    }
    EXPECT_EQ(pool.stats().idle, 2U);
    const auto lease = pool.acquire(ctx_);
    ASSERT_TRUE(lease);
    EXPECT_GT(number(ctx_, **lease, kPid), 0);
    EXPECT_EQ(pool.stats().active, 1U);
    EXPECT_EQ(pool.stats().idle, 0U);
}

TEST_P(PostgresLost, TheNameOfTheProgramIsSeenOnTheServer) {
    constexpr Query kName{"name", "SELECT current_setting('application_name') = 'replica-7'"};
    const auto session = session_with({.url = server_->url(), .application_name = "replica-7"});
    EXPECT_EQ(number(ctx_, *session, kName), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Every, PostgresLost, testing::ValuesIn(test::servers_alone()), test::backend_name
);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PostgresLost);

}  // namespace
}  // namespace lab::storage
