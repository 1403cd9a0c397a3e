#include "base/percent.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(Percent, EncodesAllButUnreservedCharacters) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a b+c/d%&="), "a%20b%2Bc%2Fd%25%26%3D");
    EXPECT_EQ(percent_encode("\xC3\xA9\n"), "%C3%A9%0A");
    EXPECT_EQ(percent_encode(std::string_view("\0", 1)), "%00");
    EXPECT_EQ(percent_encode(""), "");
}

}  // namespace
}  // namespace lab
