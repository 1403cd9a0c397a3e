#include "platform/http/sse.h"

#include <gtest/gtest.h>

#include <vector>

namespace lab::http {
namespace {

/// All events of a stream that comes in pieces of `step` bytes, as "type|data|id".
std::vector<std::string> parse(std::string_view stream, std::size_t step = 1'000'000) {
    SseParser parser;
    std::vector<std::string> events;
    while (!stream.empty()) {
        const std::string piece(stream.substr(0, step));
        stream.remove_prefix(piece.size());
        parser.feed(piece);
        while (const auto event = parser.next()) {
            events.push_back(
                std::string(event->type) + "|" + std::string(event->data) + "|" +
                std::string(event->id)
            );
        }
    }
    return events;
}

using Events = std::vector<std::string>;

TEST(Sse, ReadsDataEventAndIdFields) {
    EXPECT_EQ(parse("data: one\n\n"), Events{"message|one|"});
    EXPECT_EQ(
        parse("event: add\ndata: 7\nid: 3\n\ndata: 8\n\n"), (Events{"add|7|3", "message|8|3"})
    );
    EXPECT_EQ(parse("id: 3\ndata: 1\n\nid\ndata: 2\n\n"), (Events{"message|1|3", "message|2|"}));
}

TEST(Sse, JoinsDataLinesAndTakesOneSpaceOff) {
    EXPECT_EQ(parse("data: YHOO\ndata: +2\ndata:  10\n\n"), Events{"message|YHOO\n+2\n 10|"});
    EXPECT_EQ(parse("data:x\n\n"), Events{"message|x|"});
}

TEST(Sse, FollowsTheExamplesOfTheStandard) {
    EXPECT_EQ(parse("data\n\ndata\ndata\n\ndata:"), (Events{"message||", "message|\n|"}));
    EXPECT_EQ(parse("data:test\n\ndata: test\n\n"), (Events{"message|test|", "message|test|"}));
    EXPECT_EQ(
        parse(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n"
        ),
        (Events{"message|first event|1", "message|second event|", "message| third|"})
    );
}

TEST(Sse, TakesEveryLineEndAndAByteOrderMark) {
    for (const char* end : {"\n", "\r", "\r\n"}) {
        const std::string e = end;
        EXPECT_EQ(
            parse(
                "\xEF\xBB\xBF"
                "data: a" +
                e + "data: b" + e + e + "data: c" + e + e
            ),
            (Events{"message|a\nb|", "message|c|"})
        );
    }
    EXPECT_EQ(parse("data: \xEF\xBB\xBFx\n\n"), Events{"message|\xEF\xBB\xBFx|"});
}

TEST(Sse, IgnoresCommentsUnknownFieldsAndEventsWithoutData) {
    EXPECT_EQ(parse(": ping\n\nfoo: bar\nevent: x\n\ndata: 1\n\n"), Events{"message|1|"});
    EXPECT_EQ(parse(std::string_view("id: a\0b\ndata: 1\n\n", 17)), Events{"message|1|"});
}

TEST(Sse, NeverReturnsAnEventTheStreamEndsIn) {
    EXPECT_EQ(parse("data: whole\n\ndata: half\n"), Events{"message|whole|"});
    EXPECT_EQ(parse("data: half"), Events{});
}

TEST(Sse, GivesTheSameWhereverTheBytesAreCut) {
    const std::string stream =
        "\xEF\xBB\xBF: hi\r\n\r\nevent: a\rdata: 1\r\rdata: {\"x\":\r\ndata:  2}\r\nid: 9\r\n\r\n"
        "retry: 250\n\nevent: b\ndata\n\ndata: caf\xC3\xA9\n\n";
    const Events whole = parse(stream);
    EXPECT_EQ(whole.size(), 4U);
    for (std::size_t step = 1; step < stream.size(); ++step) {
        EXPECT_EQ(parse(stream, step), whole) << step;
    }
}

TEST(Sse, BoundsTheSizeOfAnEventAndOfALine) {
    for (const std::string& stream :
         {std::string("data: ") + std::string(200, 'x'),
          std::string("data: ") + std::string(200, 'x') + "\n\n",
          [] {
              std::string many;
              for (int i = 0; i < 100; ++i) {
                  many += "data: x\n";
              }
              return many;
          }()}) {
        SseParser parser(100);
        parser.feed(stream);
        EXPECT_FALSE(parser.next());
        EXPECT_TRUE(parser.overflowed());
        parser.feed("data: 1\n\n");
        EXPECT_FALSE(parser.next()) << "it stays ended";
    }
    SseParser parser(100);
    const std::string fits = "data: " + std::string(90, 'x') + "\n\n";
    parser.feed(fits);
    EXPECT_TRUE(parser.next());
    EXPECT_FALSE(parser.overflowed());
}

TEST(Sse, ReadsTheReconnectionTime) {
    SseParser parser;
    parser.feed("retry: 2500\nretry: soon\nretry:\n\n");
    EXPECT_FALSE(parser.next());
    EXPECT_EQ(parser.retry_ms(), 2500);
}

}  // namespace
}  // namespace lab::http
