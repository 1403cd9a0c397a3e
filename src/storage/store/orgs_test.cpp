#include "storage/store/orgs.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

constexpr std::string_view kAt = "2026-01-01T00:00:00.000000Z";
constexpr std::string_view kOne = "11111111-1111-4111-8111-111111111111";
constexpr std::string_view kTwo = "22222222-2222-4222-8222-222222222222";

class OrgsContract : public test::StoreTest {
  protected:
    Orgs orgs_{*session_};
};

TEST_P(OrgsContract, OneIsThereFromTheBeginning) {
    const auto found = orgs_.find_by_name(ctx_, "default").value();
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->key, 1);
    EXPECT_FALSE(orgs_.find_by_name(ctx_, "acme").value().has_value());
}

TEST_P(OrgsContract, AreMadeOnceForEachName) {
    const Org made = orgs_.ensure(ctx_, "acme", kOne, kAt).value();
    EXPECT_EQ(made.id, kOne);
    EXPECT_EQ(made.name, "acme");
    EXPECT_NE(made.key, 1);
    const Org again = orgs_.ensure(ctx_, "acme", kTwo, kAt).value();
    EXPECT_EQ(again.key, made.key);
    EXPECT_EQ(again.id, kOne);
    EXPECT_NE(orgs_.ensure(ctx_, "other", kTwo, kAt).value().key, made.key);
}

LAB_ALL_BACKENDS(OrgsContract);

}  // namespace
}  // namespace lab::storage
