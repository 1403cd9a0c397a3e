#include "storage/store/sqlite.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

namespace lab::storage {
namespace {

using test::full_sample;
using test::read_file;
using test::TestFolder;
using test::write_file;

class Sqlite : public testing::Test {
  protected:
    std::unique_ptr<Session> open_migrated(SqliteOptions options) {
        auto database = open_sqlite(ctx_, std::move(options));
        EXPECT_TRUE(database) << (database ? "" : database.error().message);
        database_ = *std::move(database);
        EXPECT_TRUE(database_->migrate(ctx_));
        return *database_->open_session(ctx_);
    }
    std::int64_t number(Session& session, const Query& query) {
        std::int64_t out = -1;
        EXPECT_TRUE(session.query(ctx_, query, {}, [&](const Row& row) {
            out = row.integer(0);
            return ok();
        }));
        return out;
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    TestFolder home_;
    std::string path_ = home_.file("lab.db");
    std::unique_ptr<Database> database_;
};

TEST_F(Sqlite, IsSetUpToKeepWhatItAcknowledges) {
    const auto session = open_migrated({.path = home_.file("a/b/lab.db"), .cache_kib = 1234});
    constexpr Query kSynchronous{"synchronous", "PRAGMA synchronous"};
    constexpr Query kForeignKeys{"foreign_keys", "PRAGMA foreign_keys"};
    constexpr Query kCache{"cache_size", "PRAGMA cache_size"};
    constexpr Query kMap{"mmap_size", "PRAGMA mmap_size"};
    constexpr Query kJournal{"journal_mode", "PRAGMA journal_mode"};
    EXPECT_EQ(number(*session, kSynchronous), 2);
    const auto lazy = *database_->open_session(ctx_, Durability::on_sync);
    EXPECT_EQ(number(*lazy, kSynchronous), 1);
    EXPECT_TRUE(lazy->sync(ctx_));
    EXPECT_EQ(number(*session, kForeignKeys), 1);
    EXPECT_EQ(number(*session, kCache), -1234);
    EXPECT_EQ(number(*session, kMap), 0);
    ASSERT_TRUE(session->query(ctx_, kJournal, {}, [](const Row& row) {
        EXPECT_EQ(row.text(0), "wal");
        return ok();
    }));
    struct stat info{};
    ASSERT_EQ(::stat(home_.file("a/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(Sqlite, DatabasesInMemoryAreApart) {
    auto one = open_sqlite(ctx_, {.path = ":memory:"});
    auto two = open_sqlite(ctx_, {.path = ":memory:"});
    ASSERT_TRUE(one);
    ASSERT_TRUE(two);
    ASSERT_TRUE((*one)->migrate(ctx_));
    constexpr Query kCount{"count", "SELECT COUNT(*) FROM runs"};
    EXPECT_TRUE((*(*one)->open_session(ctx_))->prepare(kCount));
    EXPECT_FALSE((*(*two)->open_session(ctx_))->prepare(kCount));
}

void expect_io_error(const Error& error, std::initializer_list<std::string> words) {
    EXPECT_EQ(error.code, Code::io) << error.message;
    for (const std::string& word : words) {
        EXPECT_NE(error.message.find(word), std::string::npos) << word << " in: " << error.message;
    }
}

TEST_F(Sqlite, SaysThatAHomeCannotBeMade) {
    const auto nowhere = open_sqlite(ctx_, {.path = "/proc/no-such-folder/lab.db"});
    ASSERT_FALSE(nowhere);
    expect_io_error(nowhere.error(), {"/proc/no-such-folder"});
    write_file(home_.file("file"), "x");
    const auto below_a_file = open_sqlite(ctx_, {.path = home_.file("file/lab.db")});
    ASSERT_FALSE(below_a_file);
    expect_io_error(below_a_file.error(), {"Not a directory"});
    const auto folder = open_sqlite(ctx_, {.path = home_.path()});
    ASSERT_FALSE(folder);
    expect_io_error(folder.error(), {home_.path()});
}

TEST_F(Sqlite, SaysThatAFileIsNoDatabase) {
    write_file(path_, std::string(8192, 'x'));
    const auto opened = open_sqlite(ctx_, {.path = path_});
    ASSERT_FALSE(opened);
    expect_io_error(opened.error(), {path_, "is not a database", "move it away"});
    EXPECT_EQ(read_file(path_), std::string(8192, 'x'));
}

TEST_F(Sqlite, SaysThatADatabaseIsDamaged) {
    {
        const auto session = open_migrated({.path = path_});
        const auto run = Runs(*session).create(ctx_, test::new_run("a")).value();
        std::vector<domain::SampleResult> results;
        for (int i = 0; i < 500; ++i) {
            results.push_back(full_sample(i));
        }
        ASSERT_TRUE(Journal(*session).commit(ctx_, run.key, {}, results));
        ASSERT_TRUE(verify_sqlite(ctx_, *session));
        database_.reset();
    }
    std::string bytes = read_file(path_);
    // The samples came last; the schema in front stays readable.
    for (std::size_t at = bytes.size() * 3 / 4; at < bytes.size(); at += 4096) {
        bytes.replace(at, 2000, std::string(2000, '\xa5'));
    }
    write_file(path_, bytes);
    const auto database = open_sqlite(ctx_, {.path = path_});
    ASSERT_TRUE(database);
    const auto session = *(*database)->open_session(ctx_);
    const Status verdict = verify_sqlite(ctx_, *session);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, Code::io);
    const Status scan =
        Journal(*session).scan(ctx_, 1, [](const domain::SampleResult&) { return ok(); });
    ASSERT_FALSE(scan);
    expect_io_error(scan.error(), {path_, "is damaged", "doctor"});
}

/// Root may write what the file's mode forbids: then the write that would fail cannot be shown.
TEST_F(Sqlite, SaysThatAHomeIsReadOnly) {
    open_migrated({.path = path_}).reset();
    database_.reset();
    ASSERT_EQ(::chmod(path_.c_str(), 0400), 0);
    ASSERT_EQ(::chmod(home_.path().c_str(), 0500), 0);
    const test::Child child([&](int fd) {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) {
            return 77;
        }
        const auto opened = open_sqlite(ctx_, {.path = path_});
        return !opened && opened.error().code == Code::io && test::say(fd, opened.error().message)
                   ? 0
                   : 1;
    });
    const std::string message = child.read_all();
    const int status = child.wait();
    ASSERT_EQ(::chmod(home_.path().c_str(), 0700), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        GTEST_SKIP() << "cannot become another user";
    }
    EXPECT_EQ(status, 0);
    EXPECT_NE(message.find("LLM_RESEARCH_HOME"), std::string::npos) << message;
    EXPECT_NE(message.find("Permission denied"), std::string::npos) << message;
}

TEST_F(Sqlite, NamesWhoeverHoldsItForTooLong) {
    open_migrated({.path = path_}).reset();
    int release[2];
    ASSERT_EQ(::pipe(release), 0);
    const test::Child holder([&](int fd) {
        ::close(release[1]);
        const auto database = open_sqlite(ctx_, {.path = path_});
        const auto session = *(*database)->open_session(ctx_);
        if (!session->begin(ctx_) || !test::say(fd, "held")) {
            return 1;
        }
        char end;
        return ::read(release[0], &end, 1) == 0 ? 0 : 1;
    });
    ::close(release[0]);
    char word[4];
    ASSERT_EQ(::read(holder.fd(), word, sizeof word), 4);
    const auto database =
        *open_sqlite(ctx_, {.path = path_, .busy_timeout = std::chrono::milliseconds(250)});
    const auto session = *database->open_session(ctx_);
    const Status refused = session->begin(ctx_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_NE(
        refused.error().message.find("another process has held the database " + path_ + " for 0.2"),
        std::string::npos
    ) << refused.error().message;
    // Reading goes on meanwhile.
    EXPECT_TRUE(Runs(*session).list(ctx_, 1, 0));
    ::close(release[1]);
    EXPECT_EQ(holder.wait(), 0);
    EXPECT_TRUE(session->begin(ctx_));
    session->rollback();
}

TEST_F(Sqlite, TheLogStaysSmallWhileAReaderScansAllTheTime) {
    const auto session = open_migrated({.path = path_});
    const auto run = Runs(*session).create(ctx_, test::new_run("a")).value();
    Journal journal(*session);
    std::atomic<bool> done{false};
    std::atomic<int> scans{0};
    std::jthread reader([&] {
        const auto own = *database_->open_session(ctx_);
        while (!done) {
            EXPECT_TRUE(Journal(*own).scan(ctx_, run.key, [](const domain::SampleResult&) {
                return ok();
            }));
            ++scans;
        }
    });
    // 200 MB go through the log.
    std::int64_t largest = 0;
    std::int64_t index = 0;
    for (int batch = 0; batch < 400; ++batch) {
        std::vector<domain::SampleResult> results;
        for (int i = 0; i < 50; ++i) {
            domain::SampleResult result = full_sample(index++);
            result.output.assign(10'000, 'x');
            results.push_back(std::move(result));
        }
        const Status status = journal.commit(ctx_, run.key, {}, results);
        EXPECT_TRUE(status) << status.error().message;
        struct stat info{};
        if (::stat((path_ + "-wal").c_str(), &info) == 0) {
            largest = std::max<std::int64_t>(largest, info.st_size);
        }
    }
    done = true;
    reader.join();
    EXPECT_GT(scans, 0);
    EXPECT_GT(largest, 16'000'000);
    EXPECT_LT(largest, 110'000'000);
    EXPECT_EQ(journal.ledger(ctx_, run.key).value().done, index);
}

TEST_F(Sqlite, TwoProcessesWriteDifferentRunsAtOnce) {
    open_migrated({.path = path_}).reset();
    database_.reset();
    const auto work = [&](const std::string& id) {
        return [&, id](int) {
            auto database = open_sqlite(ctx_, {.path = path_});
            if (!database || !(*database)->migrate(ctx_)) {
                return 1;
            }
            const auto session = *(*database)->open_session(ctx_);
            const auto run = Runs(*session).create(ctx_, test::new_run(id, "shared"));
            if (!run) {
                return 2;
            }
            Journal journal(*session);
            for (std::int64_t i = 0; i < 200; ++i) {
                const Intent intent{.sample = i, .cost = Money::from_pico(7), .tokens = 1};
                if (!journal.commit(ctx_, run->key, std::span(&intent, 1), {}) ||
                    !journal.commit(ctx_, run->key, {}, std::vector{full_sample(i)})) {
                    return 3;
                }
            }
            return 0;
        };
    };
    const test::Child one(work("run-one"));
    const test::Child two(work("run-two"));
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(two.wait(), 0);
    const auto session = open_migrated({.path = path_});
    EXPECT_TRUE(verify_sqlite(ctx_, *session));
    std::int64_t numbers = 0;
    for (const char* id : {"run-one", "run-two"}) {
        const auto run = Runs(*session).get(ctx_, id).value();
        numbers += run.number;
        const Ledger books = Journal(*session).ledger(ctx_, run.key).value();
        EXPECT_EQ(books.done, 200);
        EXPECT_EQ(books.settled.pico(), 200 * 1'000 + 199 * 200 / 2);
    }
    EXPECT_EQ(numbers, 1 + 2);
}

}  // namespace
}  // namespace lab::storage
