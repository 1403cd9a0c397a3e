#include "storage/store/artifacts.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class ArtifactsContract : public test::StoreTest {
  protected:
    static Artifact named(const std::string& id, const std::string& hash, std::int64_t bytes) {
        return {
            .id = id,
            .type = "log",
            .name = id + ".txt",
            .path = "p/" + id,
            .content_hash = hash,
            .bytes = bytes,
            .mime_type = "text/plain",
            .created_at = "t",
        };
    }
    std::int64_t run_ = Runs(*session_).create(ctx_, test::new_run("a")).value().key;
    std::int64_t other_ = Runs(*session_).create(ctx_, test::new_run("b")).value().key;
    Artifacts artifacts_{*session_};
};

TEST_P(ArtifactsContract, BelongToOneRunAndComeNewestFirst) {
    EXPECT_TRUE(artifacts_.create(ctx_, run_, named("one", "h1", 5)));
    EXPECT_TRUE(artifacts_.create(ctx_, run_, named("two", "h2", 7)));
    EXPECT_FALSE(artifacts_.create(ctx_, other_, named("two", "h2", 7)));
    const auto listed = artifacts_.list(ctx_, run_, 10, 0).value();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].id, "two");
    EXPECT_EQ(listed[0].name, "two.txt");
    EXPECT_EQ(listed[0].bytes, 7);
    const auto rest = artifacts_.list(ctx_, run_, 10, 0, listed[0].key).value();
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].id, "one");
    const ArtifactTotals totals = artifacts_.totals(ctx_, run_).value();
    EXPECT_EQ(totals.count, 2);
    EXPECT_EQ(totals.bytes, 12);
    EXPECT_TRUE(artifacts_.find(ctx_, run_, "one").value());
    EXPECT_FALSE(artifacts_.find(ctx_, other_, "one").value());
}

TEST_P(ArtifactsContract, ObjectsAreNeededAsLongAsOneOfThemIsThere) {
    EXPECT_TRUE(artifacts_.create(ctx_, run_, named("one", "same", 5)));
    EXPECT_TRUE(artifacts_.create(ctx_, other_, named("two", "same", 5)));
    EXPECT_FALSE(artifacts_.is_needed(ctx_, "else").value());
    EXPECT_TRUE(artifacts_.remove(ctx_, run_, "one").value());
    EXPECT_TRUE(artifacts_.is_needed(ctx_, "same").value());
    EXPECT_FALSE(artifacts_.remove(ctx_, run_, "two").value()) << "it is the other run's";
    EXPECT_TRUE(artifacts_.remove(ctx_, other_, "two").value());
    EXPECT_FALSE(artifacts_.is_needed(ctx_, "same").value());
}

TEST_P(ArtifactsContract, TheRowsOfARunAreNeeded) {
    const std::string hash = test::new_run("c").dataset_hash;
    ASSERT_FALSE(hash.empty());
    EXPECT_TRUE(artifacts_.is_needed(ctx_, hash).value());
}

LAB_ALL_BACKENDS(ArtifactsContract);

}  // namespace
}  // namespace lab::storage
