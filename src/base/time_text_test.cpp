#include "base/time_text.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

std::string again(std::string_view text) {
    const auto time = parse_rfc3339(text);
    return time ? format_rfc3339(*time) : "no time";
}

TEST(Rfc3339, ReadsWhatItWrites) {
    for (const std::string_view text :
         {"1970-01-01T00:00:00.000000Z",
          "2024-02-29T23:59:59.999999Z",
          "0001-01-01T00:00:00.000001Z",
          "9999-12-31T23:59:59.999999Z"}) {
        EXPECT_EQ(again(text), text);
    }
}

TEST(Rfc3339, ReadsEveryFormOfTheStandard) {
    EXPECT_EQ(again("1985-04-12T23:20:50.52Z"), "1985-04-12T23:20:50.520000Z");
    EXPECT_EQ(again("1996-12-19T16:39:57-08:00"), "1996-12-20T00:39:57.000000Z");
    EXPECT_EQ(again("1990-12-31T23:59:60Z"), "1991-01-01T00:00:00.000000Z");
    EXPECT_EQ(again("1937-01-01T12:00:27.87+00:20"), "1937-01-01T11:40:27.870000Z");
    EXPECT_EQ(again("2026-01-02t03:04:05z"), "2026-01-02T03:04:05.000000Z");
    EXPECT_EQ(again("2026-01-02 03:04:05Z"), "2026-01-02T03:04:05.000000Z");
    EXPECT_EQ(again("2026-01-02T03:04:05.1234567Z"), "2026-01-02T03:04:05.123456Z");
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const std::string_view text :
         {"",
          "2026-01-02",
          "2026-01-02T03:04:05",
          "2026-01-02T03:04Z",
          "2026-02-29T00:00:00Z",
          "2026-13-01T00:00:00Z",
          "2026-00-01T00:00:00Z",
          "2026-01-32T00:00:00Z",
          "2026-01-02T24:00:00Z",
          "2026-01-02T03:60:05Z",
          "2026-01-02T03:04:61Z",
          "0000-01-02T03:04:05Z",
          "12026-01-02T03:04:05Z",
          "2026-1-2T03:04:05Z",
          "2026-01-02T03:04:05.Z",
          "2026-01-02T03:04:05,5Z",
          "2026-01-02T03:04:05+0100",
          "2026-01-02T03:04:05+24:00",
          "2026-01-02T03:04:05ZZ",
          " 2026-01-02T03:04:05Z",
          "2026-01-02T03:04:05Z ",
          "+026-01-02T03:04:05Z",
          "2026-01-02T-3:04:05Z"}) {
        EXPECT_EQ(again(text), "no time") << text;
    }
    EXPECT_EQ(again(std::string_view("2026-01-02T03:04:05Z\0", 21)), "no time");
}

}  // namespace
}  // namespace lab
