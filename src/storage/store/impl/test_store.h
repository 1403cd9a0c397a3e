#pragma once
#include "domain/sample.h"
#include "storage/objects/impl/test_folder.h"
#include "storage/store/journal.h"
#include "storage/store/postgres.h"
#include "storage/store/runs.h"
#include "storage/store/sqlite.h"
#include "support/backends.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

/// For the tests of this room.
namespace lab::storage::test {

/// What a contract is checked against.
enum class Backend : std::uint8_t { sqlite_file, sqlite_memory, postgres, pgbouncer };
inline std::string backend_name(const testing::TestParamInfo<Backend>& info) {
    constexpr const char* kNames[] = {"SqliteFile", "SqliteMemory", "Postgres", "PgBouncer"};
    return kNames[static_cast<std::size_t>(info.param)];
}
inline bool is_sqlite(Backend backend) { return backend <= Backend::sqlite_memory; }
/// Those there are: PostgreSQL where tools/postgres.py started one.
inline std::vector<Backend> backends() {
    std::vector<Backend> out{Backend::sqlite_file, Backend::sqlite_memory};
    if (!lab::test::postgres_url().empty()) {
        out.push_back(Backend::postgres);
    }
    if (!lab::test::pgbouncer_url().empty()) {
        out.push_back(Backend::pgbouncer);
    }
    return out;
}

/// PostgreSQL, and PgBouncer before it; or only the former.
inline std::vector<Backend> servers() {
    std::vector<Backend> out = backends();
    std::erase_if(out, is_sqlite);
    return out;
}
inline std::vector<Backend> servers_alone() {
    std::vector<Backend> out = servers();
    std::erase(out, Backend::pgbouncer);
    return out;
}

/// A database of the server without rows, which goes with this.
class ServerDatabase {
  public:
    enum class Schema : std::uint8_t { none, migrated };
    explicit ServerDatabase(Schema schema = Schema::migrated);
    ~ServerDatabase();
    ServerDatabase(const ServerDatabase&) = delete;
    ServerDatabase& operator=(const ServerDatabase&) = delete;
    std::string url(Backend backend = Backend::postgres) const;

  private:
    Schema schema_;
    std::string name_;
};

/// A migrated, empty database with one session.
class StoreTest : public testing::TestWithParam<Backend> {
  protected:
    StoreTest() {
        auto opened = open_backend();
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        database_ = *std::move(opened);
        const Status migrated = database_->migrate(ctx_);
        EXPECT_TRUE(migrated) << migrated.error().message << migrated.error().cause;
        session_ = another_session();
    }
    Result<std::unique_ptr<Database>> open_backend() {
        if (is_sqlite(GetParam())) {
            const bool file = GetParam() == Backend::sqlite_file;
            return open_sqlite(
                ctx_, {.path = file ? home_.file("lab.db") : std::string(":memory:")}
            );
        }
        server_ = std::make_unique<ServerDatabase>();
        return open_postgres({.url = server_->url(GetParam())});
    }
    std::unique_ptr<Session> another_session() {
        auto session = database_->open_session(ctx_);
        EXPECT_TRUE(session) << (session ? "" : session.error().message + session.error().cause);
        return *std::move(session);
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    TestFolder home_;
    std::unique_ptr<ServerDatabase> server_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Session> session_;
};

#define LAB_ALL_BACKENDS(fixture)                                               \
    INSTANTIATE_TEST_SUITE_P(                                                   \
        Every, fixture, testing::ValuesIn(test::backends()), test::backend_name \
    )
/// For what only an embedded database has.
#define LAB_SQLITE_BACKENDS(fixture)                                               \
    INSTANTIATE_TEST_SUITE_P(                                                      \
        Every,                                                                     \
        fixture,                                                                   \
        testing::Values(test::Backend::sqlite_file, test::Backend::sqlite_memory), \
        test::backend_name                                                         \
    )

inline domain::Run new_run(const std::string& id, const std::string& experiment = "qa") {
    domain::Run run;
    run.id = id;
    run.experiment_id = "e-" + id;
    run.experiment_name = experiment;
    run.state = domain::RunState::running;
    run.spec = R"({"name":"qa"})";
    run.manifest = R"({"seed":1})";
    run.dataset_hash = "abc";
    run.created_at = "2026-01-02T03:04:05.000000Z";
    run.planned = 100;
    return run;
}

/// A paid, finished sample in which every member differs from its default.
inline domain::SampleResult full_sample(std::int64_t index) {
    domain::SampleResult out;
    out.index = index;
    out.variant = 2;
    out.item = index * 3;
    out.repetition = 1;
    out.item_id = "item-" + std::to_string(index);
    out.output = "output of " + std::to_string(index) + std::string("\0\n\xff ü", 6);
    out.finish_reason = "stop";
    out.http_status = 200;
    out.usage = {
        .input = 10,
        .cache_read = 20,
        .cache_write = 30,
        .output = 40,
        .reasoning = 50,
        .estimated = true
    };
    out.cost = Money::from_pico(1'000 + index);
    out.attempts = 3;
    out.latency = std::chrono::milliseconds(1234);
    out.time_to_first_token = std::chrono::microseconds(77);
    out.cache_key = std::string(31, 'k') + static_cast<char>(index % 128);
    out.scores = R"({"exact":1})";
    out.logprobs = R"([{"token":"a","logprob":-0.5}])";
    return out;
}

inline domain::SampleResult failed_sample(std::int64_t index) {
    domain::SampleResult out;
    out.index = index;
    out.state = domain::SampleState::failed;
    out.error_code = "UPSTREAM_TIMEOUT";
    out.error_message = "no answer within 60 s";
    out.http_status = 503;
    out.attempts = 4;
    out.cost = Money();
    return out;
}

inline void expect_same(const domain::SampleResult& a, const domain::SampleResult& b) {
    EXPECT_EQ(a.index, b.index);
    EXPECT_EQ(a.variant, b.variant);
    EXPECT_EQ(a.item, b.item);
    EXPECT_EQ(a.repetition, b.repetition);
    EXPECT_EQ(a.item_id, b.item_id);
    EXPECT_EQ(a.state, b.state);
    EXPECT_EQ(a.output, b.output);
    EXPECT_EQ(a.finish_reason, b.finish_reason);
    EXPECT_EQ(a.error_code, b.error_code);
    EXPECT_EQ(a.error_message, b.error_message);
    EXPECT_EQ(a.http_status, b.http_status);
    EXPECT_EQ(a.usage, b.usage);
    EXPECT_EQ(a.cost, b.cost);
    EXPECT_EQ(a.cached, b.cached);
    EXPECT_EQ(a.replayed, b.replayed);
    EXPECT_EQ(a.attempts, b.attempts);
    EXPECT_EQ(a.latency, b.latency);
    EXPECT_EQ(a.time_to_first_token, b.time_to_first_token);
    EXPECT_EQ(a.cache_key, b.cache_key);
    EXPECT_EQ(a.scores, b.scores);
    EXPECT_EQ(a.logprobs, b.logprobs);
}

/// A forked process that runs `body` and ends without destructors; what it writes to the pipe can
/// be read here. body(fd) gives the exit status.
class Child {
  public:
    template <class Body>
    explicit Child(const Body& body) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            ::_exit(body(ends[1]));
        }
        ::close(ends[1]);
        fd_ = ends[0];
    }
    ~Child() { ::close(fd_); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    pid_t pid() const { return pid_; }
    int fd() const { return fd_; }
    /// Everything it still has to say.
    std::string read_all() const {
        std::string out;
        char buffer[4096];
        for (ssize_t count = 0; (count = ::read(fd_, buffer, sizeof buffer)) > 0;) {
            out.append(buffer, static_cast<std::size_t>(count));
        }
        return out;
    }
    /// Its status as waitpid gives it.
    int wait() const {
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        return status;
    }

  private:
    pid_t pid_ = 0;
    int fd_ = -1;
};

/// For children: the whole text or nothing.
inline bool say(int fd, const std::string& text) {
    return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace lab::storage::test
