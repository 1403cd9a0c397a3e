#include "storage/store/observed.h"

#include "storage/store/impl/test_store.h"

#include <gmock/gmock.h>

#include <deque>
#include <map>
#include <mutex>

namespace lab::storage {
namespace {

constexpr Query kMake{"make_one", "CREATE TABLE one (n INTEGER UNIQUE) STRICT"};
constexpr Query kPut{"put_one", "INSERT INTO one (n) VALUES ($1)"};
constexpr Query kRead{"read_one", "SELECT n FROM one"};

struct Told {
    std::string kind;
    std::string query;
    std::string error;
};

class Recorder final : public StatementObserver {
  public:
    StatementMeter& meter(const StatementKind& kind) override {
        return meters_.emplace_back(*this, std::string(kind.type) + " " + std::string(kind.table));
    }
    void connection_failed(const Error& /*error*/) override { ++failed; }
    std::vector<Told> told;
    int failed = 0;

  private:
    struct Meter final : StatementMeter {
        Meter(Recorder& to, std::string kind) : to_(to), kind_(std::move(kind)) {}
        void done(std::string_view query, Duration took, const Error* error) override {
            EXPECT_GE(took, Duration::zero());
            to_.told.push_back(
                {kind_,
                 std::string(query),
                 error != nullptr ? std::string(info(error->code).wire_name) : ""}
            );
        }
        Recorder& to_;
        std::string kind_;
    };
    std::deque<Meter> meters_;
};

TEST(ObservedDatabase, TellsOfEveryStatementWithKindNameAndError) {
    const SystemClock clock;
    const Ctx ctx(clock);
    Recorder recorder;
    auto plain = open_sqlite(ctx, {.path = ":memory:"});
    ASSERT_TRUE(plain);
    const auto database = observe_database(*std::move(plain), clock, recorder);
    const auto session = database->open_session(ctx);
    ASSERT_TRUE(session);
    Session& s = **session;
    ASSERT_TRUE(s.exec(ctx, kMake, {}));
    {
        auto transaction = Transaction::begin(ctx, s);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(s.exec(ctx, kPut, std::array<Value, 1>{std::int64_t{1}}));
        ASSERT_TRUE(transaction->commit(ctx));
    }
    EXPECT_FALSE(s.exec(ctx, kPut, std::array<Value, 1>{std::int64_t{1}}));
    std::vector<std::int64_t> read;
    ASSERT_TRUE(s.query(ctx, kRead, {}, [&](const Row& row) {
        read.push_back(row.integer(0));
        return ok();
    }));
    EXPECT_THAT(read, testing::ElementsAre(1));
    std::vector<std::string> told;
    for (const Told& one : recorder.told) {
        told.push_back(one.kind + " " + one.query + " " + one.error);
    }
    EXPECT_THAT(
        told,
        testing::ElementsAre(
            "other none make_one ",
            "begin none begin ",
            "insert one put_one ",
            "commit none commit ",
            "insert one put_one CONFLICT",
            "select one read_one "
        )
    );
}

class BrokenDatabase final : public Database {
  public:
    Result<std::unique_ptr<Session>> open_session(const Ctx&, Durability) override {
        return Error(Code::unavailable, "nobody is there");
    }
    Status migrate(const Ctx&) override { return ok(); }
};

TEST(ObservedDatabase, TellsOfConnectionsThatDoNotOpen) {
    const SystemClock clock;
    const Ctx ctx(clock);
    Recorder recorder;
    const auto database = observe_database(std::make_unique<BrokenDatabase>(), clock, recorder);
    EXPECT_FALSE(database->open_session(ctx));
    EXPECT_EQ(recorder.failed, 1);
}

TEST(StatementKind, IsTheVerbAndTheFirstTable) {
    const auto text = [](std::string_view sql) {
        const StatementKind kind = kind_of(sql);
        return std::string(kind.type) + " " + std::string(kind.table);
    };
    EXPECT_EQ(text("\n  SELECT a, b FROM runs r JOIN experiments e ON 1"), "select runs");
    EXPECT_EQ(text("insert or ignore into users (id) values ($1)"), "insert users");
    EXPECT_EQ(text("UPDATE users SET a = $1"), "update users");
    EXPECT_EQ(text("DELETE FROM tokens WHERE a = $1"), "delete tokens");
    EXPECT_EQ(text("SELECT COUNT(*) FROM (SELECT 1 FROM samples)"), "select samples");
    EXPECT_EQ(text("INSERT INTO t (a) VALUES ($1) ON CONFLICT DO UPDATE SET a = 1"), "insert t");
    EXPECT_EQ(text("PRAGMA x"), "other none");
    EXPECT_EQ(text(""), "other none");
}

}  // namespace
}  // namespace lab::storage
