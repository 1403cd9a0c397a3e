#include "base/uuid.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(Uuid, HasVersionFourShape) {
    RandomUuids uuids;
    const std::string id = uuids.next();
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_NE(id, uuids.next());
    EXPECT_EQ(make_uuid(0, 0), "00000000-0000-4000-8000-000000000000");
}

TEST(Uuid, RefusesOtherShapes) {
    EXPECT_TRUE(is_uuid("ABCDEF01-2345-6789-abcd-ef0123456789"));
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid("abcdef0123456789abcdef0123456789abcd"));
    EXPECT_FALSE(is_uuid("gbcdef01-2345-6789-abcd-ef0123456789"));
}

TEST(Uuid, HasTwoHalves) {
    const auto halves = uuid_halves("ABCDEF01-2345-6789-abcd-ef0123456789");
    ASSERT_TRUE(halves);
    EXPECT_EQ(halves->high, 0xabcdef0123456789ULL);
    EXPECT_EQ(halves->low, 0xabcdef0123456789ULL);
    const auto made = uuid_halves(make_uuid(1, 2));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->high, 0x4001ULL);
    EXPECT_EQ(made->low, 0x8000000000000002ULL);
    EXPECT_FALSE(uuid_halves("abcdef01"));
}

}  // namespace
}  // namespace lab
