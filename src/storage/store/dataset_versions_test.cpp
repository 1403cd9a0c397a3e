#include "storage/store/dataset_versions.h"

#include "storage/store/datasets.h"
#include "storage/store/impl/test_store.h"
#include "storage/store/resources.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class DatasetVersionsContract : public test::StoreTest {
  protected:
    std::int64_t make_dataset(const std::string& id) {
        Resource out;
        out.id = out.name = id;
        out.access.owner = "ann";
        EXPECT_TRUE(Resources(*session_, ResourceKind::dataset).create(ctx_, out));
        return out.key;
    }
    static StoredRows rows(const std::string& hash, const std::string& label = "") {
        return {
            .label = label,
            .content_hash = hash,
            .rows = 3,
            .bytes = 70,
            .fields = {"id", "a \"b\""},
            .source = "x.jsonl",
            .body = R"({"changelog":"more"})",
            .created_at = "2026-01-01T00:00:00.000000Z",
        };
    }
    DatasetVersions versions_{*session_};
};

TEST_P(DatasetVersionsContract, ComeBackAsTheyWere) {
    const std::int64_t dataset = make_dataset("d");
    const auto added = versions_.add(ctx_, dataset, rows("h1", "1.0"));
    ASSERT_TRUE(added) << added.error().cause;
    EXPECT_TRUE(added->is_new);
    const auto found = versions_.find_number(ctx_, dataset, 1);
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    const StoredRows& got = **found;
    EXPECT_EQ(got.version, 1);
    EXPECT_EQ(got.label, "1.0");
    EXPECT_EQ(got.content_hash, "h1");
    EXPECT_EQ(got.rows, 3);
    EXPECT_EQ(got.bytes, 70);
    EXPECT_EQ(got.fields, (std::vector<std::string>{"id", "a \"b\""}));
    EXPECT_EQ(got.source, "x.jsonl");
    EXPECT_EQ(got.body, R"({"changelog":"more"})");
    EXPECT_EQ(got.created_at, "2026-01-01T00:00:00.000000Z");
}

TEST_P(DatasetVersionsContract, TheSameRowsAreTheSameVersion) {
    const std::int64_t dataset = make_dataset("d");
    ASSERT_TRUE(versions_.add(ctx_, dataset, rows("h1", "old")));
    ASSERT_EQ(versions_.add(ctx_, dataset, rows("h2"))->rows.version, 2);
    const auto again = versions_.add(ctx_, dataset, rows("h1", "new"));
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->is_new);
    EXPECT_EQ(again->rows.version, 1);
    EXPECT_EQ(again->rows.label, "old") << "a version never changes";
    const auto other = versions_.add(ctx_, make_dataset("other"), rows("h1"));
    EXPECT_TRUE(other->is_new) << "each dataset counts for itself";
    EXPECT_EQ(other->rows.version, 1);
}

TEST_P(DatasetVersionsContract, AreFoundByNumberLabelAndAge) {
    const std::int64_t dataset = make_dataset("d");
    EXPECT_FALSE(*versions_.find_latest(ctx_, dataset));
    for (const char* hash : {"h1", "h2", "h3"}) {
        ASSERT_TRUE(versions_.add(ctx_, dataset, rows(hash, hash[1] == '3' ? "z" : "a")));
    }
    EXPECT_EQ((*versions_.find_latest(ctx_, dataset))->content_hash, "h3");
    EXPECT_EQ((*versions_.find_labelled(ctx_, dataset, "a"))->content_hash, "h2");
    EXPECT_FALSE(*versions_.find_labelled(ctx_, dataset, "b"));
    EXPECT_FALSE(*versions_.find_number(ctx_, dataset, 4));
    const auto page = versions_.list(ctx_, dataset, 2, 1);
    ASSERT_TRUE(page);
    ASSERT_EQ(page->size(), 2U);
    EXPECT_EQ((*page)[0].version, 2);
    EXPECT_EQ((*page)[1].version, 1);
}

TEST_P(DatasetVersionsContract, WhatTheCommandLineImportedIsThere) {
    domain::DatasetVersion imported;
    imported.dataset_id = "id";
    imported.name = "qa";
    imported.content_hash = "h1";
    imported.rows = 2;
    imported.created_at = "2026-01-01T00:00:00.000000Z";
    ASSERT_TRUE(Datasets(*session_).add_version(ctx_, imported));
    const auto dataset = Resources(*session_, ResourceKind::dataset).find(ctx_, {}, "id");
    ASSERT_TRUE(dataset);
    ASSERT_TRUE(*dataset);
    const auto rows = versions_.find_latest(ctx_, (*dataset)->key);
    ASSERT_TRUE(*rows);
    EXPECT_EQ((*rows)->rows, 2);
    EXPECT_EQ((*rows)->label, "");
}

LAB_ALL_BACKENDS(DatasetVersionsContract);

}  // namespace
}  // namespace lab::storage
