#include "storage/store/impl/sqlite_migrate.h"

#include "base/rng.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <csignal>

namespace lab::storage {
namespace {

constexpr Migration kFirst{1, "first", "CREATE TABLE one (k INTEGER); INSERT INTO one VALUES (1);"};
constexpr Migration kSecond{2, "second", "ALTER TABLE one ADD COLUMN t TEXT;"};
constexpr Migration kBroken{
    2, "broken", "CREATE TABLE two (k INTEGER); INSERT INTO nowhere VALUES (1);"
};
constexpr Migration kEdited{
    1, "first", "CREATE TABLE one (k INTEGER); INSERT INTO one VALUES (2);"
};

class Migrations : public testing::Test {
  protected:
    std::unique_ptr<SqliteSession> open() {
        auto session = SqliteSession::open(ctx_, {.options = {.path = path_}, .uri = {}});
        EXPECT_TRUE(session) << (session ? "" : session.error().message);
        return *std::move(session);
    }
    Status migrate(const std::vector<Migration>& migrations) {
        return migrate_sqlite(ctx_, *open(), migrations);
    }
    /// "version name checksum-is-right" of every ledger row.
    /// As ledger() when every migration of the program is applied.
    static std::string whole_ledger() {
        std::string out;
        for (const Migration& migration : sqlite_migrations()) {
            out += std::to_string(migration.version) + std::string(migration.name) + " ";
        }
        return out;
    }
    std::string ledger() {
        constexpr Query kLedger{
            "ledger",
            "SELECT version, description, checksum, installed_on "
            "FROM _migrations ORDER BY version"
        };
        std::string out;
        EXPECT_TRUE(open()->query(ctx_, kLedger, {}, [&](const Row& row) {
            EXPECT_EQ(row.blob(2).size(), 32U);
            EXPECT_EQ(row.text(3).size(), 27U);
            out += std::to_string(row.integer(0)) + std::string(row.text(1)) + " ";
            return ok();
        }));
        return out;
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    test::TestFolder home_;
    std::string path_ = home_.file("lab.db");
};

TEST_F(Migrations, AreAppliedOnceAndInOrder) {
    ASSERT_TRUE(migrate({kFirst}));
    ASSERT_TRUE(migrate({kFirst}));
    EXPECT_EQ(ledger(), "1first ");
    ASSERT_TRUE(migrate({kFirst, kSecond}));
    EXPECT_EQ(ledger(), "1first 2second ");
    constexpr Query kRows{"rows", "SELECT COUNT(*), MAX(t) FROM one"};
    ASSERT_TRUE(open()->query(ctx_, kRows, {}, [](const Row& row) {
        EXPECT_EQ(row.integer(0), 1);
        EXPECT_TRUE(row.is_null(1));
        return ok();
    }));
}

TEST_F(Migrations, AFailureLeavesTheSchemaAsItWas) {
    ASSERT_TRUE(migrate({kFirst}));
    EXPECT_EQ(migrate({kFirst, kBroken}).error().code, Code::internal);
    EXPECT_EQ(ledger(), "1first ");
    constexpr Query kTwo{"two", "SELECT * FROM two"};
    EXPECT_FALSE(open()->prepare(kTwo));
    EXPECT_TRUE(migrate({kFirst, kSecond}));
}

TEST_F(Migrations, ANewerSchemaIsRefusedInWords) {
    ASSERT_TRUE(migrate({kFirst, kSecond}));
    const Status status = migrate({kFirst});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::unavailable);
    EXPECT_NE(status.error().message.find("newer version"), std::string::npos);
    EXPECT_NE(status.error().message.find("update llm-research"), std::string::npos);
    EXPECT_NE(status.error().message.find(path_), std::string::npos);
}

TEST_F(Migrations, AnEditedStepIsRefusedInWords) {
    ASSERT_TRUE(migrate({kFirst}));
    const Status status = migrate({kEdited});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::unavailable);
    EXPECT_NE(status.error().message.find("step 1 (first)"), std::string::npos)
        << status.error().message;
}

TEST_F(Migrations, TheDatabaseOfAnotherProgramIsLeftAlone) {
    ASSERT_TRUE(open()->run_script(ctx_, "foreign", "CREATE TABLE theirs (k INTEGER)"));
    const Status status = migrate({kFirst});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::io);
    EXPECT_NE(status.error().message.find("another program"), std::string::npos);
    constexpr Query kOne{"one", "SELECT * FROM one"};
    EXPECT_FALSE(open()->prepare(kOne));
}

TEST_F(Migrations, ManyProcessesDoItAtOnce) {
    std::vector<std::unique_ptr<test::Child>> children;
    for (int i = 0; i < 6; ++i) {
        children.push_back(std::make_unique<test::Child>([&](int fd) {
            auto database = open_sqlite(ctx_, {.path = path_});
            const Status status = database ? (*database)->migrate(ctx_) : Status(database.error());
            return status || !test::say(fd, status.error().message) ? 0 : 1;
        }));
    }
    for (const auto& child : children) {
        EXPECT_EQ(child->read_all(), "");
        EXPECT_EQ(child->wait(), 0);
    }
    EXPECT_EQ(ledger(), whole_ledger());
}

// Killed at a random moment of the first start, the next start finds nothing or everything.
TEST_F(Migrations, AKillInTheMiddleIsHarmless) {
    Rng rng(20'260'102);
    for (int round = 0; round < 25; ++round) {
        path_ = home_.file("lab-" + std::to_string(round) + ".db");
        const test::Child child([&](int fd) {
            if (!test::say(fd, "x")) {
                return 1;
            }
            auto database = open_sqlite(ctx_, {.path = path_});
            return database && (*database)->migrate(ctx_) ? 0 : 1;
        });
        char word;
        ASSERT_EQ(::read(child.fd(), &word, 1), 1);
        ::usleep(static_cast<useconds_t>(rng.below(20'000)));
        ::kill(child.pid(), SIGKILL);
        child.wait();
        auto database = open_sqlite(ctx_, {.path = path_});
        ASSERT_TRUE(database) << round << database.error().message;
        const Status status = (*database)->migrate(ctx_);
        ASSERT_TRUE(status) << round << status.error().message;
        const auto session = *(*database)->open_session(ctx_);
        EXPECT_TRUE(verify_sqlite(ctx_, *session));
        EXPECT_TRUE(Runs(*session).create(ctx_, test::new_run("a")));
        EXPECT_EQ(ledger(), whole_ledger());
    }
}

TEST(EmbeddedMigrations, AreTheFilesByteForByte) {
    const auto migrations = sqlite_migrations();
    ASSERT_FALSE(migrations.empty());
    std::int64_t version = 0;
    for (const Migration& migration : migrations) {
        // A number that was left out stays so: a store that has the next would refuse it.
        EXPECT_GT(migration.version, version);
        version = migration.version;
        std::string number = std::to_string(version);
        number.insert(0, 4 - number.size(), '0');
        EXPECT_EQ(
            migration.sql,
            test::read_file(
                std::string(LAB_SOURCE_DIR) + "/src/storage/store/sqlite/" + number + "_" +
                std::string(migration.name) + ".sql"
            )
        );
    }
}

}  // namespace
}  // namespace lab::storage
