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

TEST(Percent, DecodesWhatItEncodes) {
    const std::string all = std::string("a+b c%\0", 7) + "\xC3\xA9";
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    EXPECT_EQ(percent_decode("%c3%A9+"), "\xC3\xA9+");
    EXPECT_EQ(percent_decode(""), "");
}

TEST(Percent, DecodesNothingThatIsCutOrNoDigits) {
    for (const char* bad : {"%", "%4", "a%4", "%4g", "%g4", "%+4", "% 4", "%-1"}) {
        EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace lab
