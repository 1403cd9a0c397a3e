#include "storage/store/references.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class ReferencesContract : public test::StoreTest {
  protected:
    void make(ResourceKind kind, const std::string& id, const std::string& body) {
        Resource out;
        out.id = out.name = id;
        out.body = body;
        out.created_at = "2026-01-0" + std::to_string(++made_) + "T00:00:00.000000Z";
        ASSERT_TRUE(Resources(*session_, kind).create(ctx_, out));
    }
    std::string ids(
        ResourceKind kind, std::string_view id, std::int64_t org = 1, std::int64_t limit = 10
    ) {
        const auto found = find_referrers(ctx_, *session_, kind, org, id, limit);
        EXPECT_TRUE(found) << (found ? "" : found.error().cause);
        std::string out;
        for (const Referrer& one : found.value()) {
            out += one.id + " ";
        }
        return out;
    }
    int made_ = 0;
};

TEST_P(ReferencesContract, AreFoundInBodiesWhateverTheCase) {
    make(ResourceKind::experiment, "e1", R"({"config":{"model_ids":["ABC-1"]}})");
    make(ResourceKind::experiment, "e2", R"({"config":{"dataset_id":"abc-1"}})");
    make(ResourceKind::experiment, "e3", R"({"config":{"dataset_id":"abc-2"}})");
    make(ResourceKind::model, "m1", R"({"config":{"replay_dataset":"abc-1"}})");
    make(ResourceKind::evaluation, "v1", R"({"config":{"dataset_id":"abc-2"}})");
    EXPECT_EQ(ids(ResourceKind::experiment, "abc-1"), "e2 e1 ");
    EXPECT_EQ(ids(ResourceKind::experiment, "abc-1", 1, 1), "e2 ");
    EXPECT_EQ(ids(ResourceKind::model, "abc-1"), "m1 ");
    EXPECT_EQ(ids(ResourceKind::evaluation, "abc-2"), "v1 ");
    EXPECT_EQ(ids(ResourceKind::evaluation, "abc-1"), "");
    EXPECT_EQ(ids(ResourceKind::prompt, "abc-1"), "") << "prompts name nothing";
    EXPECT_EQ(ids(ResourceKind::experiment, "abc-1", 2), "") << "another tenant's";
}

TEST_P(ReferencesContract, WildcardsMeanThemselves) {
    make(ResourceKind::experiment, "e1", R"({"config":{"dataset_id":"abc"}})");
    EXPECT_EQ(ids(ResourceKind::experiment, "a%c"), "");
    EXPECT_EQ(ids(ResourceKind::experiment, "a_c"), "");
}

LAB_ALL_BACKENDS(ReferencesContract);

}  // namespace
}  // namespace lab::storage
