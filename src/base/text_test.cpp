#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace lab {
namespace {

TEST(Text, FindsInvalidUtf8) {
    EXPECT_TRUE(is_utf8("a\u00e4\u20ac\U0001f600"));
    EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
    EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U) << "overlong";
    EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U) << "surrogate";
    EXPECT_EQ(find_invalid_utf8("x\xe2\x82"), 1U) << "cut short";
    EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0U) << "beyond U+10FFFF";
    EXPECT_EQ(
        sanitize_utf8("a\xff"
                      "b"),
        "a\ufffd"
        "b"
    );
}

TEST(Text, CodePointsGoThereAndBack) {
    const std::string text = "z\u00df\u6c34\U0001f34c";
    EXPECT_EQ(to_utf8(to_code_points(text)), text);
    EXPECT_EQ(count_code_points(text), 4U);
}

TEST(Text, TrimsTheWhitespacePythonTrims) {
    EXPECT_EQ(trim(" \t\u00a0\u3000a b\u2028\x1c"), "a b");
    EXPECT_EQ(trim("\u200b"), "\u200b");
    EXPECT_EQ(trim(" \u00a0 "), "");
}

TEST(Text, LowersAsPythonDoes) {
    EXPECT_EQ(to_lower("ABC"), "abc");
    EXPECT_EQ(to_lower("\u0130"), "i\u0307");
    EXPECT_EQ(to_lower("\u039f\u0394\u039f\u03a3"), "\u03bf\u03b4\u03bf\u03c2") << "final sigma";
    // Past an apostrophe too, as CPython 3.11 has it: final at the end, not before a letter.
    EXPECT_EQ(to_lower("e'\u03a3."), "e'\u03c2.");
    EXPECT_EQ(to_lower("e\u03a3'a"), "e\u03c3'a");
    EXPECT_EQ(to_lower("\u03a3"), "\u03c3");
}

TEST(Text, NearestFindsTypos) {
    const std::vector<std::string> names{"concurrency", "temperature", "seed"};
    EXPECT_EQ(nearest("concurency", names), "concurrency");
    EXPECT_EQ(nearest("temprature", names), "temperature");
    EXPECT_EQ(nearest("temp", names), "temperature");
    EXPECT_EQ(nearest("banana", names), "");
}

TEST(Text, ShortenKeepsCodePointsWhole) {
    EXPECT_EQ(shorten("\u20ac\u20ac\u20ac\u20ac", 8), "\u20ac...");
    EXPECT_EQ(shorten("abc", 8), "abc");
}

TEST(Text, DoublesReadBackAsTheyWere) {
    EXPECT_EQ(format_double(0.1), "0.1");
    EXPECT_EQ(format_double(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(Text, SplitsAndJoins) {
    EXPECT_EQ(split("a,,b", ',').size(), 3U);
    EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
    EXPECT_EQ(to_hex("\x01\xff"), "01ff");
}

}  // namespace
}  // namespace lab
