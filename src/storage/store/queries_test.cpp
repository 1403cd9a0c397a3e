#include "storage/store/queries.h"

#include "storage/store/impl/queries.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace lab::storage {
namespace {

class Queries : public test::StoreTest {};

TEST_P(Queries, EveryOneCanBePrepared) {
    std::vector<const Query*> queries = all_queries();
    const std::span<const Query* const> sqlite[] = {
        migration_queries(), verify_queries(), sqlite_catalogue_queries(), sqlite_copy_queries()
    };
    const std::span<const Query* const> postgres[] = {
        postgres_migration_queries(), postgres_catalogue_queries(), postgres_copy_queries()
    };
    const bool is_sqlite = test::is_sqlite(GetParam());
    for (const auto& family :
         is_sqlite ? std::span<const std::span<const Query* const>>(sqlite) : postgres) {
        queries.insert(queries.end(), family.begin(), family.end());
    }
    std::set<std::string_view> names;
    for (const Query* query : queries) {
        const Status status = session_->prepare(*query);
        EXPECT_TRUE(status) << query->name << ": " << status.error().cause;
        EXPECT_TRUE(names.insert(query->name).second) << query->name << " is used twice";
    }
    EXPECT_GT(names.size(), 30U);
}

LAB_ALL_BACKENDS(Queries);

/// The sources are read, so that nobody forgets to list a query.
TEST(AllQueries, NoneIsForgotten) {
    const std::string folder = std::string(LAB_SOURCE_DIR) + "/src/storage/store";
    const auto count = [](const std::string& text, std::string_view word) {
        std::size_t found = 0;
        for (std::size_t at = text.find(word); at != std::string::npos;
             at = text.find(word, at + 1)) {
            ++found;
        }
        return found;
    };
    std::size_t written = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        // The sessions' own begin and end transactions, and set them up.
        if (name.ends_with(".cpp") && !name.ends_with("_test.cpp") &&
            name != "sqlite_session.cpp" && name != "postgres_session.cpp" &&
            name != "postgres_connection.cpp") {
            written += count(test::read_file(entry.path().string()), "constexpr Query k");
        }
    }
    // Those of resources are written once for all kinds.
    EXPECT_EQ(
        written,
        all_queries().size() - resource_queries().size() + migration_queries().size() +
            verify_queries().size() + sqlite_catalogue_queries().size() +
            sqlite_copy_queries().size() + postgres_migration_queries().size() +
            postgres_catalogue_queries().size() + postgres_copy_queries().size()
    );
}

class Plans : public test::StoreTest {
  protected:
    std::string plan_of(std::string_view name) {
        for (const Query* query : all_queries()) {
            if (query->name == name) {
                const bool is_sqlite = test::is_sqlite(GetParam());
                const std::string sql =
                    (is_sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN ") + std::string(query->sql);
                const Query explain{"explain", sql};
                const bool by_key = name == "find_cached";
                const std::vector<Value> values(
                    by_key ? 1 : 3, by_key ? Value(Blob{"x"}) : Value(std::int64_t{1})
                );
                std::string plan;
                const Status status = session_->query(ctx_, explain, values, [&](const Row& row) {
                    plan += std::string(row.text(is_sqlite ? 3 : 0)) + "\n";
                    return ok();
                });
                EXPECT_TRUE(status) << name;
                return plan;
            }
        }
        return "no such query";
    }
};

// These are asked a million times or over a million rows: each must go by an index, none may sort.
TEST_P(Plans, HotQueriesUseTheirIndexes) {
    if (!test::is_sqlite(GetParam())) {
        // Of an empty table every plan is as good as another.
        constexpr Query kNoScans{"no_scans", "SET LOCAL enable_seqscan = off"};
        constexpr Query kNoBitmaps{"no_bitmaps", "SET LOCAL enable_bitmapscan = off"};
        auto transaction = Transaction::begin(ctx_, *session_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(session_->exec(ctx_, kNoScans, {}));
        ASSERT_TRUE(session_->exec(ctx_, kNoBitmaps, {}));
        EXPECT_NE(plan_of("find_cached").find("using samples_by_cache_key"), std::string::npos);
        for (const std::string_view name : {"scan_samples", "scan_finished", "scan_done"}) {
            const std::string plan = plan_of(name);
            EXPECT_NE(plan.find("samples_pkey"), std::string::npos) << name << ": " << plan;
            EXPECT_EQ(plan.find("Sort"), std::string::npos) << name << ": " << plan;
        }
        return;
    }
    EXPECT_NE(plan_of("find_cached").find("USING INDEX samples_by_cache_key"), std::string::npos);
    EXPECT_NE(plan_of("scan_finished").find("USING COVERING INDEX"), std::string::npos);
    for (const std::string_view name : {"scan_samples", "scan_finished", "scan_done"}) {
        const std::string plan = plan_of(name);
        EXPECT_NE(plan.find("(run=? AND sample>?)"), std::string::npos) << name << ": " << plan;
        EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << name << ": " << plan;
    }
}

LAB_ALL_BACKENDS(Plans);

}  // namespace
}  // namespace lab::storage
