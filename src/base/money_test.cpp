#include "base/money.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(Money, ParsesAndPrintsExactly) {
    for (const char* text : {"0", "0.15", "12", "0.000000000001", "9000000", "-0.5"}) {
        EXPECT_EQ(Money::parse(text).value().exact(), text);
    }
    EXPECT_EQ(Money::parse("1.50").value().exact(), "1.5");
    EXPECT_EQ(Money::parse(".5").value().exact(), "0.5");
}

TEST(Money, RefusesWhatIsNotADecimal) {
    for (const char* text :
         {"",
          ".",
          "-",
          "1e3",
          "1,5",
          "0x1",
          " 1",
          "1.2.3",
          "0.0000000000001",
          "99999999999999999999",
          "9300000"}) {
        EXPECT_FALSE(Money::parse(text)) << text;
    }
}

TEST(Money, RoundsHalfAwayFromZeroOnlyWhenPrinted) {
    EXPECT_EQ(Money::parse("0.125").value().rounded(2), "0.13");
    EXPECT_EQ(Money::parse("-0.125").value().rounded(2), "-0.13");
    EXPECT_EQ(Money::parse("0.0049").value().rounded(2), "0.00");
    EXPECT_EQ(Money::parse("-0.0049").value().rounded(2), "0.00");
    EXPECT_EQ(Money::parse("1.999").value().rounded(0), "2");
    EXPECT_EQ(Money::parse("3").value().rounded(4), "3.0000");
}

TEST(Money, PricesTokensExactly) {
    const Money price = Money::parse("0.15").value();
    EXPECT_EQ(per_million(price, 98565).exact(), "0.01478475");
    EXPECT_EQ(per_million(price, 0).pico(), 0);
    // Seven decimals per million leave a remainder: rounded up, so that a bill is never
    // understated.
    EXPECT_EQ(per_million(Money::parse("0.0000001").value(), 1).pico(), 1);
}

TEST(Money, SumsSaturateInsteadOfWrapping) {
    const Money large = Money::from_pico(INT64_MAX);
    EXPECT_EQ((large + large).pico(), INT64_MAX);
    EXPECT_EQ(per_million(large, INT64_MAX).pico(), INT64_MAX);
}

}  // namespace
}  // namespace lab
