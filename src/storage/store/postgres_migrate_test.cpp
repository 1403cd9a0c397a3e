#include "storage/store/impl/postgres_migrate.h"

#include "base/text.h"
#include "platform/crypto/sha384.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

namespace lab::storage {
namespace {

using State = SchemaStep::State;

// sqlx 0.8, sqlx-postgres/src/migrate.rs, generate_lock_id(); the CRC is zlib's.
TEST(PostgresMigrations, TheLockIsTheOneOfSqlx) {
    EXPECT_EQ(migration_lock("postgres"), 368907709894077238);
    EXPECT_EQ(migration_lock("lab"), 1685338728340073208);
}

TEST(PostgresMigrations, AreTheFilesByteForByte) {
    namespace fs = std::filesystem;
    const std::string folder = std::string(LAB_SOURCE_DIR) + "/migrations/";
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        names.insert(entry.path().filename().string());
    }
    std::int64_t last = 0;
    for (const Migration& one : postgres_migrations()) {
        EXPECT_GT(one.version, last);
        last = one.version;
        std::string stem = std::to_string(one.version);
        stem.insert(0, 4 - std::min<std::size_t>(4, stem.size()), '0');
        stem += "_" + std::string(one.name);
        EXPECT_EQ(test::read_file(folder + stem + ".up.sql"), one.sql);
        EXPECT_EQ(test::read_file(folder + stem + ".down.sql"), one.undo);
        EXPECT_FALSE(one.undo.empty());
        names.erase(stem + ".up.sql");
        names.erase(stem + ".down.sql");
    }
    EXPECT_TRUE(names.empty()) << *names.begin() << " is not embedded";
}

constexpr Migration kSteps[] = {
    {1, "first_step", "CREATE TABLE one (k BIGINT); INSERT INTO one VALUES (1);", "DROP TABLE one;"
    },
    {20,
     "second",
     "-- no-transaction\nCREATE INDEX CONCURRENTLY one_k ON one (k);",
     "-- no-transaction\nDROP INDEX CONCURRENTLY one_k;"},
    {300, "third", "CREATE TABLE three (k BIGINT);", "DROP TABLE three;"},
};

class PostgresSchema : public testing::TestWithParam<test::Backend> {
  protected:
    std::unique_ptr<PostgresSession> open(test::Backend backend = test::Backend::postgres) {
        return PostgresSession::open(
                   ctx_, parse_postgres_url({.url = database_.url(backend)}).value()
        )
            .value();
    }
    std::vector<State> states(std::span<const Migration> migrations) {
        std::vector<State> out;
        for (const SchemaStep& step : list_steps(ctx_, *session_, migrations).value()) {
            out.push_back(step.state);
        }
        return out;
    }
    void run(const char* sql) {
        const Status done = session_->run_script(ctx_, "test", sql);
        EXPECT_TRUE(done) << done.error().cause;
    }
    std::string text(const Query& query) {
        std::string out;
        EXPECT_TRUE(session_->query(ctx_, query, {}, [&](const Row& row) {
            out += std::string(row.text(0)) + "\n";
            return ok();
        }));
        return out;
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    test::ServerDatabase database_{test::ServerDatabase::Schema::none};
    std::unique_ptr<PostgresSession> session_ = open();
};

TEST_P(PostgresSchema, RunsShowsAndRevertsStepByStep) {
    const std::vector<State> all_pending(3, State::pending);
    const std::vector<State> all_installed(3, State::installed);
    EXPECT_EQ(states(kSteps), all_pending);
    EXPECT_EQ(check_steps(ctx_, *session_, kSteps).error().code, Code::unavailable);
    const auto done = apply_steps(ctx_, *session_, kSteps);
    ASSERT_TRUE(done) << done.error().message << done.error().cause;
    EXPECT_EQ(done->size(), 3U);
    EXPECT_EQ(done->front(), (SchemaStep{1, "first step", State::installed}));
    EXPECT_EQ(states(kSteps), all_installed);
    EXPECT_TRUE(check_steps(ctx_, *session_, kSteps));
    EXPECT_EQ(apply_steps(ctx_, *session_, kSteps).value().size(), 0U);

    const auto last = revert_steps(ctx_, *session_, kSteps, std::nullopt);
    ASSERT_TRUE(last) << last.error().message << last.error().cause;
    ASSERT_EQ(last->size(), 1U);
    EXPECT_EQ(last->front().version, 300);
    EXPECT_EQ(revert_steps(ctx_, *session_, kSteps, 7).error().code, Code::validation);
    EXPECT_EQ(revert_steps(ctx_, *session_, kSteps, 1).value().size(), 1U);
    EXPECT_EQ(revert_steps(ctx_, *session_, kSteps, 0).value().size(), 1U);
    EXPECT_EQ(states(kSteps), all_pending);
    EXPECT_EQ(apply_steps(ctx_, *session_, kSteps).value().size(), 3U);
}

TEST_P(PostgresSchema, TheLedgerIsTheOneOfSqlx) {
    ASSERT_TRUE(apply_steps(ctx_, *session_, kSteps));
    constexpr Query kColumns{
        "columns",
        "SELECT column_name || ' ' || data_type || ' ' || is_nullable || ' ' || "
        "COALESCE(column_default, '') FROM information_schema.columns "
        "WHERE table_name = '_sqlx_migrations' ORDER BY ordinal_position"
    };
    EXPECT_EQ(
        text(kColumns),
        "version bigint NO \ndescription text NO \n"
        "installed_on timestamp with time zone NO now()\nsuccess boolean NO \n"
        "checksum bytea NO \nexecution_time bigint NO \n"
    );
    constexpr Query kRow{
        "row",
        "SELECT version || ' ' || description || ' ' || success || ' ' || encode(checksum, 'hex') "
        "|| ' ' || (execution_time > 0) FROM _sqlx_migrations WHERE version = 1"
    };
    EXPECT_EQ(text(kRow), "1 first step true " + to_hex(sha384(kSteps[0].sql)) + " true\n");
}

TEST_P(PostgresSchema, AStepThatFailsLeavesNothing) {
    Migration steps[] = {kSteps[0], {2, "half", "CREATE TABLE half (k BIGINT); SELECT 1/0;", ""}};
    EXPECT_FALSE(apply_steps(ctx_, *session_, steps));
    EXPECT_EQ(states(steps), (std::vector{State::installed, State::pending}));
    steps[1].sql = "CREATE TABLE half (k BIGINT);";
    EXPECT_TRUE(apply_steps(ctx_, *session_, steps));
}

TEST_P(PostgresSchema, ANewerOneIsNotMigratedByAnOlderProgram) {
    ASSERT_TRUE(apply_steps(ctx_, *session_, kSteps));
    const auto older = std::span(kSteps).first(2);
    const Error refused = apply_steps(ctx_, *session_, older).error();
    EXPECT_EQ(refused.code, Code::unavailable);
    EXPECT_NE(refused.message.find("newer version"), std::string::npos);
    EXPECT_NE(refused.message.find("300"), std::string::npos);
    EXPECT_EQ(states(older), (std::vector{State::installed, State::installed, State::unknown}));
}

// Rolling back undoes programs, not the schema.
TEST_P(PostgresSchema, ANewerOneIsUsedAsLongAsItHasWhatIsNeeded) {
    ASSERT_TRUE(apply_steps(ctx_, *session_, kSteps));
    run("CREATE TABLE service_settings (name TEXT, value TEXT)");
    const auto older = std::span(kSteps).first(2);
    EXPECT_TRUE(check_steps(ctx_, *session_, older));
    run("INSERT INTO service_settings VALUES ('schema_needs', '20')");
    EXPECT_TRUE(check_steps(ctx_, *session_, older));
    const auto much_older = std::span(kSteps).first(1);
    for (const char* needs : {"20", "a riddle"}) {
        run((std::string("UPDATE service_settings SET value = '") + needs + "'").c_str());
        const Error refused = check_steps(ctx_, *session_, much_older).error();
        EXPECT_EQ(refused.code, Code::unavailable);
        EXPECT_NE(refused.message.find("newer version"), std::string::npos);
        EXPECT_NE(refused.message.find("300"), std::string::npos) << "the newest step";
    }
    EXPECT_TRUE(check_steps(ctx_, *session_, kSteps)) << "who knows all steps asks nobody";
}

TEST_P(PostgresSchema, AStepBetweenOursThatIsNotOursIsRefused) {
    ASSERT_TRUE(apply_steps(ctx_, *session_, kSteps));
    const Migration ours[] = {kSteps[0], kSteps[2]};
    EXPECT_NE(
        check_steps(ctx_, *session_, ours).error().message.find("newer version"), std::string::npos
    );
}

/// Whether a step takes away what a program of the release before may use, and does not say which
/// step a program must know (docs/decisions/0012).
bool takes_without_a_word(std::string_view file) {
    constexpr std::string_view kTaking[] = {
        "drop table",
        "drop column",
        "drop view",
        "drop function",
        "rename ",
        "set not null",
        " type ",
        "add constraint",
    };
    std::string sql = to_lower(file);
    std::ranges::replace_if(sql, [](char c) { return c == '\n' || c == '\t'; }, ' ');
    const auto same = std::ranges::unique(sql, [](char a, char b) { return a == ' ' && b == ' '; });
    sql.erase(same.begin(), same.end());
    return sql.find("'schema_needs'") == sql.npos &&
           std::ranges::any_of(kTaking, [&](std::string_view words) {
               return sql.find(words) != sql.npos;
           });
}

TEST(PostgresMigrations, ThatTakeAwaySayWhoCanDoWithout) {
    EXPECT_TRUE(takes_without_a_word("ALTER TABLE runs\n    DROP  COLUMN body;"));
    EXPECT_TRUE(takes_without_a_word("ALTER TABLE runs ALTER key TYPE INT;"));
    EXPECT_FALSE(takes_without_a_word("DROP TABLE a; INSERT INTO s VALUES ('schema_needs', '7');"));
    EXPECT_FALSE(takes_without_a_word("ALTER TABLE runs ADD COLUMN later TEXT;"));
    for (const Migration& one : postgres_migrations()) {
        EXPECT_TRUE(one.version <= 5 || !takes_without_a_word(one.sql)) << one.name;
    }
}

TEST_P(PostgresSchema, AChangedOrBrokenStepIsRefused) {
    ASSERT_TRUE(apply_steps(ctx_, *session_, kSteps));
    Migration changed[] = {kSteps[0], kSteps[1], kSteps[2]};
    changed[0].sql = "CREATE TABLE another (k BIGINT);";
    EXPECT_EQ(states(changed)[0], State::changed);
    EXPECT_NE(
        apply_steps(ctx_, *session_, changed).error().message.find("another file"),
        std::string::npos
    );
    run("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 20");
    EXPECT_EQ(states(kSteps)[1], State::broken);
    EXPECT_NE(
        apply_steps(ctx_, *session_, kSteps).error().message.find("not finished"), std::string::npos
    );
}

TEST_P(PostgresSchema, OfTwoMigratorsOneDoesTheWork) {
    std::atomic<std::size_t> steps = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            const auto session = open();
            const auto done = apply_steps(ctx_, *session, kSteps);
            EXPECT_TRUE(done) << done.error().message << done.error().cause;
            steps += done ? done->size() : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(steps.load(), 3U);
}

TEST_P(PostgresSchema, WhoeverHoldsTheLockIsWaitedFor) {
    const auto other = open();
    const std::string name = text({"name", "SELECT current_database()"});
    const Value values[] = {migration_lock(std::string_view(name).substr(0, name.size() - 1))};
    constexpr Query kLock{"lock", "SELECT pg_advisory_lock($1)"};
    ASSERT_TRUE(other->exec(ctx_, kLock, values));
    const Ctx hurried = ctx_.within(std::chrono::milliseconds(300));
    EXPECT_EQ(apply_steps(hurried, *session_, kSteps).error().code, Code::timed_out);
    EXPECT_EQ(states(kSteps)[0], State::pending);
}

TEST_P(PostgresSchema, APoolerIsRefusedUnlessThereIsNothingToDo) {
    if (lab::test::pgbouncer_url().empty()) {
        GTEST_SKIP() << "no PgBouncer";
    }
    const PostgresOptions pooled{.url = database_.url(test::Backend::pgbouncer)};
    const auto refused = migrate_postgres(ctx_, pooled);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("direct connection"), std::string::npos);
    ASSERT_TRUE(migrate_postgres(ctx_, {.url = database_.url()}));
    EXPECT_TRUE(open_postgres(pooled).value()->migrate(ctx_));
}

TEST_P(PostgresSchema, OurOwnStepsGoUpDownAndUp) {
    const PostgresOptions options{.url = database_.url()};
    const std::size_t count = postgres_migrations().size();
    EXPECT_EQ(migrate_postgres(ctx_, options).value().size(), count);
    EXPECT_EQ(revert_postgres(ctx_, options, 0).value().size(), count);
    constexpr Query kLeft{
        "left",
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'S') "
        "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    };
    EXPECT_EQ(text(kLeft), "_sqlx_migrations\n");
    EXPECT_EQ(migrate_postgres(ctx_, options).value().size(), count);
}

/// A line for each column and each unique key, in words both databases share.
class SchemaText {
  public:
    explicit SchemaText(const Ctx& ctx) : ctx_(ctx) {}
    std::set<std::string> of(Session& session, const Query& query) {
        std::set<std::string> out;
        const Status read = session.query(ctx_, query, {}, [&](const Row& row) {
            out.emplace(row.text(0));
            return ok();
        });
        EXPECT_TRUE(read) << read.error().cause;
        return out;
    }

  private:
    const Ctx& ctx_;
};

// Booleans are integers there, and texts that may hold any bytes are BYTEA here.
constexpr Query kSqliteColumns{"sqlite_columns", R"sql(
    SELECT m.name || '.' || c.name || ' ' ||
           CASE c.type WHEN 'REAL' THEN 'real' WHEN 'INTEGER' THEN 'integer' ELSE 'bytes' END ||
           CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN ' not null' ELSE '' END ||
           CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' default' END
    FROM sqlite_schema m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_migrations'
)sql"};
constexpr Query kPostgresColumns{"postgres_columns", R"sql(
    SELECT CAST(table_name || '.' || column_name || ' ' ||
           CASE data_type WHEN 'double precision' THEN 'real' WHEN 'bigint' THEN 'integer'
                          WHEN 'boolean' THEN 'integer' ELSE 'bytes' END ||
           CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END ||
           CASE WHEN column_default IS NULL THEN '' ELSE ' default' END AS TEXT)
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
)sql"};
constexpr Query kSqliteKeys{"sqlite_keys", R"sql(
    SELECT m.name || ' (' || (
        SELECT group_concat(name, ', ') FROM (
            SELECT i.name FROM pragma_index_info(l.name) i ORDER BY i.seqno
        )
    ) || ')' || CASE l.partial WHEN 1 THEN ' partly' ELSE '' END
    FROM sqlite_schema m JOIN pragma_index_list(m.name) l
    WHERE m.type = 'table' AND l."unique" = 1 AND m.name <> '_migrations'
)sql"};
constexpr Query kPostgresKeys{"postgres_keys", R"sql(
    SELECT CAST(t.relname || ' (' || (
        SELECT string_agg(a.attname, ', ' ORDER BY k.place)
        FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
    ) || ')' || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partly' END AS TEXT)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace
      AND t.relname <> '_sqlx_migrations'
)sql"};
constexpr Query kSqliteIndexes{"sqlite_indexes", R"sql(
    SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
)sql"};
constexpr Query kPostgresIndexes{"postgres_indexes", R"sql(
    SELECT CAST(c.relname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_constraint p WHERE p.conindid = c.oid)
)sql"};
constexpr Query kSqliteReferences{"sqlite_references", R"sql(
    SELECT m.name || '.' || f."from" || ' ' || f."table" || '.' || f."to" || ' ' || f.on_delete
    FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
)sql"};
constexpr Query kPostgresReferences{"postgres_references", R"sql(
    SELECT CAST(f.relname || '.' || a.attname || ' ' || t.relname || '.' || b.attname || ' ' ||
           CASE c.confdeltype WHEN 'c' THEN 'CASCADE' ELSE 'NO ACTION' END AS TEXT)
    FROM pg_constraint c
    JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
    JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum = c.conkey[1]
    JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f'
)sql"};

TEST_P(PostgresSchema, IsTheOneOfTheEmbeddedStore) {
    ASSERT_TRUE(migrate_postgres(ctx_, {.url = database_.url()}));
    const auto embedded = open_sqlite(ctx_, {.path = ":memory:"}).value();
    ASSERT_TRUE(embedded->migrate(ctx_));
    const auto sqlite = embedded->open_session(ctx_).value();
    SchemaText text(ctx_);
    const std::set<std::string> columns = text.of(*sqlite, kSqliteColumns);
    EXPECT_GT(columns.size(), 150U);
    EXPECT_EQ(columns, text.of(*session_, kPostgresColumns));
    // The number of a row is no index of SQLite's.
    std::set<std::string> keys = text.of(*session_, kPostgresKeys);
    std::erase_if(keys, [](const std::string& line) { return line.ends_with(" (key)"); });
    std::set<std::string> own = text.of(*sqlite, kSqliteKeys);
    own.insert("carried (run)");
    EXPECT_EQ(own, keys);
    EXPECT_EQ(text.of(*sqlite, kSqliteIndexes), text.of(*session_, kPostgresIndexes));
    EXPECT_EQ(text.of(*sqlite, kSqliteReferences), text.of(*session_, kPostgresReferences));
}

INSTANTIATE_TEST_SUITE_P(
    Every, PostgresSchema, testing::ValuesIn(test::servers_alone()), test::backend_name
);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PostgresSchema);

}  // namespace
}  // namespace lab::storage
