#include "science/metrics/numeric.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

namespace lab::science {
namespace {

using nlohmann::json;

std::string number_in(std::string_view text, NumberRule rule = NumberRule::last_number) {
    const auto number = extract_number(text, rule);
    return number ? number->text() : "none";
}

json or_null(const std::optional<std::string>& text) { return text ? json(*text) : json(); }

TEST(Numeric, AgreesWithTheRulesKnownFromGsm8k) {
    test::for_each_vector(
        "gsm8k_extract",
        [](const json& in, const json&, const json& want, auto& check) {
            const auto text = in.at("text").get<std::string>();
            check.equal("strict", or_null(find_gsm8k_strict(text)), want.at("strict"));
            check.equal("flexible", or_null(find_gsm8k_flexible(text)), want.at("flexible_last"));
            const auto number = extract_number(text, NumberRule::gsm8k_flexible);
            check.equal(
                "number", number ? json(number->text()) : json(), want.at("flexible_numeric")
            );
        }
    );
}

TEST(Numeric, FindsTheLastNumber) {
    const std::pair<const char*, const char*> cases[] = {
        {"18", "18"},
        {"  18.0 \n", "18"},
        {"$1,234.50.", "1234.5"},
        {"The total is $1,234,567.89 today", "1234567.89"},
        {"12-5", "5"},
        {"12 - 5 = 7", "7"},
        {"x = -7", "-7"},
        {"it fell to -$3.50!", "-3.5"},
        {"it fell to $-3.50!", "-3.5"},
        {"(4)-2", "2"},
        {"about \xe2\x88\x92"
         "42 degrees",
         "-42"},
        {"COVID-19", "19"},
        {"values 1, 2, 3 only", "3"},
        {"between 1,000 and 2,50", "50"},
        {"1,2345 units", "2345"},
        {"a.5 b", "0.5"},
        {"\\boxed{42}", "42"},
        {"50%", "50"},
        {"1e3", "1000"},
        {"roughly 2.5e-3 m", "0.0025"},
        {"model 3e is out", "3"},
        {"no number", "none"},
        {"", "none"},
        {"-", "none"},
        {"$", "none"},
        {"...", "none"},
        {"\xd9\xa1\xd9\xa2", "none"},
    };
    for (const auto& [text, number] : cases) {
        EXPECT_EQ(number_in(text), number) << text;
    }
}

TEST(Numeric, TheWholeTextCanBeRequiredToBeTheNumber) {
    EXPECT_EQ(number_in(" $1,200.00. ", NumberRule::whole), "1200");
    EXPECT_EQ(number_in("18 apples", NumberRule::whole), "none");
}

TEST(Decimal, ComparesAsNumbersAndNotAsText) {
    EXPECT_EQ(Decimal::parse("18.0"), Decimal::parse("18"));
    EXPECT_EQ(Decimal::parse("1234.50"), Decimal::parse("+01234.5"));
    EXPECT_EQ(Decimal::parse("-0.0"), Decimal::parse("0"));
    EXPECT_EQ(Decimal::parse("1.5e3"), Decimal::parse("1500"));
    EXPECT_EQ(Decimal::parse(".5"), Decimal::parse("5e-1"));
    EXPECT_NE(Decimal::parse("9007199254740993"), Decimal::parse("9007199254740992"));
    EXPECT_NE(
        Decimal::parse("123456789012345678901234567890.1"),
        Decimal::parse("123456789012345678901234567890.2")
    );
}

TEST(Decimal, RefusesWhatIsNotADecimal) {
    for (const char* text :
         {"",
          ".",
          "-",
          "1e",
          "1e+",
          "e5",
          "1.2.3",
          "0x10",
          "1_000",
          " 1",
          "inf",
          "NaN",
          "1e99999",
          "1e+-5"}) {
        EXPECT_FALSE(Decimal::parse(text)) << text;
    }
}

TEST(Decimal, PrintsTheSameNumberItReads) {
    for (const char* text :
         {"0", "18", "-0.5", "1200", "0.00012", "1234567.89", "-7", "1e+400", "1.25e-300"}) {
        const auto number = Decimal::parse(text);
        ASSERT_TRUE(number) << text;
        EXPECT_EQ(number->text(), text);
        EXPECT_EQ(Decimal::parse(number->text()), number);
    }
    EXPECT_EQ(Decimal::from_double(0.1).text(), "0.1");
    EXPECT_EQ(Decimal::from_double(1e300).text(), "1e+300");
}

TEST(Decimal, CalculatesExactly) {
    const auto d = [](const char* text) { return Decimal::parse(text).value(); };
    EXPECT_EQ(distance(d("1.11"), d("1.10")), d("0.01"));
    EXPECT_EQ(distance(d("-2"), d("3.5")), d("5.5"));
    EXPECT_EQ(distance(d("0"), d("1e-20")), d("1e-20"));
    EXPECT_EQ(distance(d("1e20"), d("1")), d("99999999999999999999"));
    EXPECT_EQ(distance(d("7"), d("7")), d("0"));
    EXPECT_EQ(multiply(d("0.05"), d("-120")), d("-6"));
    EXPECT_EQ(multiply(d("99999999999"), d("99999999999")), d("9999999999800000000001"));
    EXPECT_EQ(multiply(d("0"), d("5")), d("0"));
    EXPECT_TRUE(is_within(d("-5"), d("5")));
    EXPECT_FALSE(is_within(d("5.0001"), d("5")));
    EXPECT_TRUE(is_within(d("0"), d("0")));
    EXPECT_FALSE(is_within(d("1e-9"), d("0")));
    EXPECT_TRUE(is_within(d("9"), d("10")));
    EXPECT_TRUE(is_within(d("1e2"), d("101")));
}

TEST(Numeric, TolerancesAreExactDecimals) {
    const auto d = [](const char* text) { return Decimal::parse(text).value(); };
    // In doubles |1.11 - 1.10| is a little more than 0.01.
    EXPECT_TRUE(is_close(d("1.11"), d("1.10"), d("0.01"), d("0")));
    EXPECT_FALSE(is_close(d("1.1101"), d("1.10"), d("0.01"), d("0")));
    EXPECT_TRUE(is_close(d("105"), d("100"), d("0"), d("0.05")));
    EXPECT_TRUE(is_close(d("-105"), d("-100"), d("0"), d("0.05")));
    EXPECT_FALSE(is_close(d("105.1"), d("100"), d("0"), d("0.05")));
    EXPECT_FALSE(is_close(d("9007199254740993"), d("9007199254740992"), d("0"), d("0")));
}

TEST(Numeric, LongTextsTakeLinearTime) {
    std::string text = "1";
    for (int i = 0; i < 200'000; ++i) {
        text += ",111";
    }
    ASSERT_TRUE(extract_number(text + " x", NumberRule::last_number));
    EXPECT_EQ(extract_number(text + " x", NumberRule::last_number)->text().size(), 600'001);
    EXPECT_FALSE(extract_number(std::string(1'000'000, '#'), NumberRule::gsm8k_strict));
    EXPECT_FALSE(extract_number(std::string(1'000'000, '-'), NumberRule::gsm8k_flexible));
}

}  // namespace
}  // namespace lab::science
