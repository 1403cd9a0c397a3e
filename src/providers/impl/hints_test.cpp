#include "providers/impl/hints.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {

using namespace std::chrono_literals;

/// 2025-01-01T00:00:00Z
const WallTime kNow{std::chrono::seconds(1'735'689'600)};

TEST(Hints, ReadsTimeSpans) {
    EXPECT_EQ(parse_duration("6m0s"), 6min);
    EXPECT_EQ(parse_duration("1s"), 1s);
    EXPECT_EQ(parse_duration("20ms"), 20ms);
    EXPECT_EQ(parse_duration("2m59.56s"), 179'560ms);
    EXPECT_EQ(parse_duration("1h2m3s"), 1h + 2min + 3s);
    EXPECT_EQ(parse_duration("1d"), 24h);
    EXPECT_EQ(parse_duration("250us"), 250us);
    EXPECT_EQ(parse_duration(" 30 "), 30s);
    EXPECT_EQ(parse_duration("0.5"), 500ms);
    EXPECT_EQ(parse_duration("0"), 0s);
    EXPECT_EQ(parse_duration("1000000000h"), 240h) << "bounded";
}

TEST(Hints, RefusesWhatIsNoTimeSpan) {
    for (const char* text :
         {"", "s", "-1", "-1s", "1x", "1s2", "1 s", "abc", "1e3s", "nan", "inf"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Hints, ReadsMoments) {
    const WallTime want{std::chrono::seconds(784'111'777)};
    EXPECT_EQ(parse_time("Sun, 06 Nov 1994 08:49:37 GMT"), want);
    EXPECT_EQ(parse_time("1994-11-06T08:49:37Z"), want);
    EXPECT_EQ(parse_time("1994-11-06T08:49:37.250Z"), want);
    EXPECT_EQ(parse_time("1994-11-06T09:49:37+01:00"), want);
    EXPECT_EQ(parse_time("1994-11-06T03:19:37-05:30"), want);
    for (const char* text :
         {"",
          "yesterday",
          "Sun, 06 Foo 1994 08:49:37 GMT",
          "Sun, 31 Feb 1994 08:49:37 GMT",
          "1994-13-06T08:49:37Z",
          "1994-11-06T25:49:37Z",
          "1994-11-06T08:49:37",
          "1994-11-06T08:49:37+1",
          "Sunday, 06-Nov-94 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_time(text)) << text;
    }
}

TEST(Hints, ReadsRetryAfterInAllItsForms) {
    const auto wait = [](const http::Headers& headers) {
        return read_hints(headers, kNow).retry_after;
    };
    EXPECT_EQ(wait({{"Retry-After", "20"}}), 20s);
    EXPECT_EQ(wait({{"retry-after", "1.5"}}), 1500ms);
    EXPECT_EQ(wait({{"Retry-After", "Wed, 01 Jan 2025 00:00:30 GMT"}}), 30s);
    EXPECT_EQ(wait({{"Retry-After", "Tue, 31 Dec 2024 00:00:00 GMT"}}), 0s);
    EXPECT_EQ(wait({{"Retry-After", "20"}, {"retry-after-ms", "250"}}), 250ms);
    EXPECT_EQ(wait({{"retry-after-ms", "250"}, {"Retry-After", "20"}}), 250ms);
    EXPECT_EQ(wait({{"Retry-After", "soon"}}), std::nullopt);
    EXPECT_EQ(wait({}), std::nullopt);
    // The server's own clock counts, not ours.
    EXPECT_EQ(
        wait(
            {{"Retry-After", "Wed, 01 Jan 2025 05:00:30 GMT"},
             {"Date", "Wed, 01 Jan 2025 05:00:00 GMT"}}
        ),
        30s
    );
}

TEST(Hints, ReadsWhatOpenAiSays) {
    const RateHints hints = read_hints(
        {{"x-ratelimit-limit-requests", "60"},
         {"x-ratelimit-remaining-requests", "0"},
         {"x-ratelimit-reset-requests", "1s"},
         {"X-RateLimit-Remaining-Tokens", "149984"},
         {"x-ratelimit-reset-tokens", "6m0s"}},
        kNow
    );
    EXPECT_EQ(hints.requests_remaining, 0);
    EXPECT_EQ(hints.requests_reset, 1s);
    EXPECT_EQ(hints.tokens_remaining, 149984);
    EXPECT_EQ(hints.tokens_reset, 6min);
}

TEST(Hints, ReadsWhatAnthropicSaysAndMomentsInNumbers) {
    const RateHints hints = read_hints(
        {{"anthropic-ratelimit-requests-remaining", "49"},
         {"anthropic-ratelimit-requests-reset", "2025-01-01T00:00:12Z"},
         {"anthropic-ratelimit-tokens-remaining", "40000"},
         {"anthropic-ratelimit-tokens-reset", "2025-01-01T00:01:00Z"}},
        kNow
    );
    EXPECT_EQ(hints.requests_remaining, 49);
    EXPECT_EQ(hints.requests_reset, 12s);
    EXPECT_EQ(hints.tokens_remaining, 40000);
    EXPECT_EQ(hints.tokens_reset, 60s);
    EXPECT_EQ(read_hints({{"x-ratelimit-reset-requests", "1735689605"}}, kNow).requests_reset, 5s);
    EXPECT_EQ(
        read_hints({{"x-ratelimit-reset-requests", "1735689605250"}}, kNow).requests_reset, 5250ms
    );
}

TEST(Hints, IgnoresCountsThatAreNone) {
    for (const char* count : {"", "-1", "many", "1e5", "99999999999999999999999"}) {
        EXPECT_FALSE(
            read_hints({{"x-ratelimit-remaining-requests", count}}, kNow).requests_remaining
        ) << count;
    }
}

TEST(Hints, FindsTheRequestsName) {
    EXPECT_EQ(find_request_id({{"X-Request-Id", "req_1"}}), "req_1");
    EXPECT_EQ(find_request_id({{"request-id", "req_2"}}), "req_2");
    EXPECT_EQ(find_request_id({{"x", "y"}}), "");
    EXPECT_EQ(find_request_id({{"request-id", std::string(1000, 'x')}}).size(), 128U);
}

}  // namespace
}  // namespace lab::providers
