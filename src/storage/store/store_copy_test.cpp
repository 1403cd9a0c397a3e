#include "storage/store/store_copy.h"

#include "storage/store/impl/catalogue.h"
#include "storage/store/impl/table_pages.h"
#include "storage/store/impl/test_store.h"
#include "storage/store/settings_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace lab::storage {
namespace {

constexpr int kSamples = 1'500;

class StoreCopy : public test::StoreTest {
  protected:
    StoreCopy() : source_(open_sqlite(ctx_, {.path = home_.file("from.db")}).value()) {
        EXPECT_TRUE(source_->migrate(ctx_));
        source_session_ = source_->open_session(ctx_).value();
        fill(*source_session_);
    }

    /// Rows of several tables, with values that databases write differently.
    void fill(Session& session) {
        Runs runs(session);
        std::int64_t last = 0;
        for (const char* id : {"a", "b"}) {
            last = runs.create(ctx_, test::new_run(id, std::string("x-") + id)).value().key;
        }
        std::vector<domain::SampleResult> samples;
        for (int i = 0; i < kSamples; ++i) {
            samples.push_back(i % 7 == 0 ? test::failed_sample(i) : test::full_sample(i));
        }
        insert_samples(session, last, samples);
        ServiceSettings settings(session);
        EXPECT_TRUE(settings.put(ctx_, "a name", "a v\xC3\xA4lue", "2026-01-02T03:04:05.000000Z"));
        constexpr Query kMetric{"metric", R"sql(
            INSERT INTO metric_values (run, name, step, value, timestamp)
            VALUES ($1, 'loss', 1, $2, '2026-01-02T03:04:05.000000Z')
        )sql"};
        const Value values[] = {last, 0.1};
        EXPECT_TRUE(session.exec(ctx_, kMetric, values));
    }

    void insert_samples(
        Session& session, std::int64_t run, const std::vector<domain::SampleResult>& samples
    );

    CopySide from() { return {.database = source_.get(), .is_postgres = false}; }
    CopySide to() {
        return {.database = database_.get(), .is_postgres = !test::is_sqlite(GetParam())};
    }
    Result<std::vector<TableCopied>> copy(const CopySide& a, const CopySide& b) {
        return copy_store(ctx_, a, b);
    }
    static const TableCopied& of(const std::vector<TableCopied>& all, const std::string& table) {
        const auto found = std::ranges::find(all, table, &TableCopied::table);
        EXPECT_NE(found, all.end()) << table;
        return *found;
    }

    std::unique_ptr<Database> source_;
    std::unique_ptr<Session> source_session_;
};

void StoreCopy::insert_samples(
    Session& session, std::int64_t run, const std::vector<domain::SampleResult>& samples
) {
    constexpr Query kSample{"sample", R"sql(
        INSERT INTO samples (run, sample, state, variant, item, repetition, cached, replayed,
            attempts, http_status, cost_pico, input_tokens, cache_read_tokens, cache_write_tokens,
            output_tokens, reasoning_tokens, usage_estimated, latency_ns, item_id, error_message,
            output)
        VALUES ($1, $2, $3, 0, 0, 0, 0, 0, 1, 200, NULL, 1, 0, 0, 1, 0, 0, 5, $4, $5, $6)
    )sql"};
    auto transaction = Transaction::begin(ctx_, session);
    ASSERT_TRUE(transaction);
    for (const domain::SampleResult& sample : samples) {
        const bool failed = sample.state == domain::SampleState::failed;
        const Value values[] = {
            run,
            sample.index,
            std::int64_t{failed ? 2 : 1},
            std::string_view(sample.item_id),
            failed ? Value(std::string_view(sample.error_message)) : Value(nullptr),
            std::string_view(sample.output),
        };
        ASSERT_TRUE(session.exec(ctx_, kSample, values));
    }
    ASSERT_TRUE(transaction->commit(ctx_));
}

TEST_P(StoreCopy, EveryTableIsEqualAfterwards) {
    const auto copied = copy(from(), to());
    ASSERT_TRUE(copied) << copied.error().message << copied.error().cause;
    EXPECT_GT(copied->size(), 20U);
    for (const TableCopied& table : *copied) {
        EXPECT_TRUE(table.is_equal()) << table.table;
        EXPECT_EQ(table.hash_from.size(), 64U);
    }
    EXPECT_EQ(of(*copied, "samples").rows, kSamples);
    EXPECT_EQ(of(*copied, "samples").copied, kSamples);
    EXPECT_EQ(of(*copied, "runs").rows, 2);
    EXPECT_EQ(of(*copied, "orgs").copied, 0) << "the default one is there";
    // And back: into a database of the other kind, or of the same.
    const auto third = open_sqlite(ctx_, {.path = home_.file("third.db")}).value();
    ASSERT_TRUE(third->migrate(ctx_));
    const auto back = copy(to(), {.database = third.get(), .is_postgres = false});
    ASSERT_TRUE(back) << back.error().message << back.error().cause;
    for (std::size_t i = 0; i < back->size(); ++i) {
        EXPECT_EQ((*back)[i].hash_to, of(*copied, (*back)[i].table).hash_from);
    }
}

TEST_P(StoreCopy, KeysGoOnBehindThoseThatWereGiven) {
    constexpr Query kRemove{"remove", "DELETE FROM runs WHERE id = 'b'"};
    constexpr Query kKeys{"keys", "SELECT max(key) FROM runs"};
    const auto last = Runs(*source_session_).create(ctx_, test::new_run("c", "x-c")).value().key;
    constexpr Query kRemoveLast{"remove_last", "DELETE FROM runs WHERE id = 'c'"};
    ASSERT_TRUE(source_session_->exec(ctx_, kRemoveLast, {}));
    ASSERT_TRUE(source_session_->exec(ctx_, kRemove, {}));
    ASSERT_TRUE(copy(from(), to()));
    const auto next = Runs(*session_).create(ctx_, test::new_run("d", "x-d"));
    ASSERT_TRUE(next) << next.error().message << next.error().cause;
    EXPECT_GT(next->key, last) << "the key of a run that was deleted is not given again";
    std::int64_t greatest = 0;
    ASSERT_TRUE(session_->query(ctx_, kKeys, {}, [&](const Row& row) {
        greatest = row.integer(0);
        return ok();
    }));
    EXPECT_EQ(greatest, next->key);
}

TEST_P(StoreCopy, ACopyThatWasKilledGoesOn) {
    constexpr Query kSome{"some", "DELETE FROM samples WHERE sample >= 1000"};
    constexpr Query kNone{"none", "DELETE FROM metric_values"};
    ASSERT_TRUE(copy(from(), to()));
    // As it lies when only part has come.
    ASSERT_TRUE(session_->exec(ctx_, kSome, {}));
    ASSERT_TRUE(session_->exec(ctx_, kNone, {}));
    const auto again = copy(from(), to());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(of(*again, "samples").copied, kSamples - 1'000);
    EXPECT_EQ(of(*again, "metric_values").copied, 1);
    EXPECT_EQ(of(*again, "runs").copied, 0);
    EXPECT_TRUE(std::ranges::all_of(*again, &TableCopied::is_equal));
    const auto nothing = copy(from(), to()).value();
    EXPECT_EQ(of(nothing, "samples").copied, 0);
}

TEST_P(StoreCopy, ATargetWithOtherRowsIsLeftAlone) {
    ASSERT_TRUE(
        ServiceSettings(*session_).put(ctx_, "its own", "value", "2026-01-02T03:04:05.000000Z")
    );
    const auto refused = copy(from(), to());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_NE(refused.error().message.find("service_settings"), std::string::npos);
    constexpr Query kRuns{"runs", "SELECT count(*) FROM runs"};
    ASSERT_TRUE(session_->query(ctx_, kRuns, {}, [](const Row& row) {
        EXPECT_EQ(row.integer(0), 0) << "nothing was written";
        return ok();
    }));
}

TEST_P(StoreCopy, ARowThatIsOtherwiseIsNoPartOfACopy) {
    ASSERT_TRUE(ServiceSettings(*session_).put(
        ctx_, "a name", "another value", "2026-01-02T03:04:05.000000Z"
    ));
    const auto refused = copy(from(), to());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("otherwise"), std::string::npos);
}

LAB_ALL_BACKENDS(StoreCopy);

TEST(StoreCopyRows, ValuesAreToldApart) {
    const StoredRow a{StoredValue(std::string("x")), StoredValue()};
    const StoredRow b{StoredValue(), StoredValue(std::string("x"))};
    EXPECT_NE(encode_row(a), encode_row(b));
    EXPECT_NE(
        encode_row({StoredValue(std::string("1:a"))}), encode_row({StoredValue(std::string("a"))})
    );
    EXPECT_NE(encode_row({StoredValue(std::int64_t{1})}), encode_row({StoredValue(1.0)}));
    EXPECT_NE(
        encode_row({StoredValue(std::string("ab")), StoredValue(std::string(""))}),
        encode_row({StoredValue(std::string("a")), StoredValue(std::string("b"))})
    );
}

TEST(CopySqlite, ACopyIsWholeWhileOthersWrite) {
    const SystemClock clock;
    const Ctx ctx(clock);
    test::TestFolder home;
    const auto database = open_sqlite(ctx, {.path = home.file("lab.db")}).value();
    ASSERT_TRUE(database->migrate(ctx));
    const auto session = database->open_session(ctx).value();
    const auto writer = database->open_session(ctx).value();
    const auto put = [&](Session& on, const char* name) {
        return ServiceSettings(on).put(ctx, name, "", "2026-01-02T03:04:05.000000Z");
    };
    ASSERT_TRUE(put(*session, "a"));
    auto transaction = Transaction::begin(ctx, *writer);
    ASSERT_TRUE(put(*writer, "b"));
    ASSERT_TRUE(copy_sqlite(ctx, *session, home.file("copy.db")));
    ASSERT_TRUE(transaction->commit(ctx));
    EXPECT_FALSE(copy_sqlite(ctx, *session, home.file("copy.db"))) << "it is there already";
    const auto copied = open_sqlite(ctx, {.path = home.file("copy.db")}).value();
    const auto read = copied->open_session(ctx).value();
    EXPECT_TRUE(verify_sqlite(ctx, *read));
    constexpr Query kIds{"ids", "SELECT name FROM service_settings"};
    std::string ids;
    ASSERT_TRUE(read->query(ctx, kIds, {}, [&](const Row& row) {
        ids += row.text(0);
        return ok();
    }));
    EXPECT_EQ(ids, "a") << "what was committed then";
    const Status in_use = close_sqlite_log(ctx, home.file("lab.db"));
    ASSERT_FALSE(in_use);
    EXPECT_EQ(in_use.error().code, Code::conflict) << in_use.error().message;
}

TEST(CopySqlite, AloneTheLogIsClosed) {
    const SystemClock clock;
    const Ctx ctx(clock);
    test::TestFolder home;
    {
        const auto database = open_sqlite(ctx, {.path = home.file("lab.db")}).value();
        ASSERT_TRUE(database->migrate(ctx));
    }
    const Status closed = close_sqlite_log(ctx, home.file("lab.db"));
    EXPECT_TRUE(closed) << closed.error().message;
    EXPECT_FALSE(std::filesystem::exists(home.file("lab.db-wal")));
}

}  // namespace
}  // namespace lab::storage
