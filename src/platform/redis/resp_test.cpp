#include "platform/redis/resp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lab::redis {
namespace {

using Kind = Value::Kind;

Value integer(std::int64_t number) {
    Value out;
    out.kind = Kind::integer;
    out.integer = number;
    return out;
}

Value text(std::string words, Kind kind = Kind::text) {
    Value out;
    out.kind = kind;
    out.text = std::move(words);
    return out;
}

Value many(Kind kind, std::vector<Value> items) {
    Value out;
    out.kind = kind;
    out.items = std::move(items);
    return out;
}

/// Every whole reply; "!" and the message when it breaks.
std::vector<Value> read(std::string_view bytes, std::size_t step, ReplyLimits limits = {}) {
    ReplyReader reader(limits);
    std::vector<Value> out;
    while (!bytes.empty()) {
        reader.feed(bytes.substr(0, step));
        bytes.remove_prefix(std::min(step, bytes.size()));
        while (true) {
            auto next = reader.next();
            if (!next) {
                out.push_back(text("!", Kind::error));
                return out;
            }
            if (!*next) {
                break;
            }
            out.push_back(**std::move(next));
        }
    }
    return out;
}

/// However it is cut.
std::vector<Value> read_all_ways(std::string_view bytes, ReplyLimits limits = {}) {
    const std::vector<Value> whole = read(bytes, std::max<std::size_t>(1, bytes.size()), limits);
    for (std::size_t step = 1; step < bytes.size(); ++step) {
        EXPECT_EQ(read(bytes, step, limits), whole) << step;
    }
    return whole;
}

Value only(std::string_view bytes) {
    const std::vector<Value> all = read_all_ways(bytes);
    EXPECT_EQ(all.size(), 1U) << bytes;
    return all.empty() ? text("nothing", Kind::error) : all.front();
}

bool breaks(std::string_view bytes, ReplyLimits limits = {}) {
    const std::vector<Value> all = read_all_ways(bytes, limits);
    return !all.empty() && all.back() == text("!", Kind::error);
}

TEST(Replies, OfBothVersionsAreRead) {
    EXPECT_EQ(only("+OK\r\n"), text("OK"));
    EXPECT_EQ(only("-ERR no\r\n"), text("ERR no", Kind::error));
    EXPECT_EQ(only(":-42\r\n"), integer(-42));
    EXPECT_EQ(only(":+7\r\n"), integer(7));
    EXPECT_EQ(only("$5\r\na\r\nbc\r\n"), text("a\r\nbc"));
    EXPECT_EQ(only("$0\r\n\r\n"), text(""));
    EXPECT_EQ(only("$-1\r\n"), Value());
    EXPECT_EQ(only("*-1\r\n"), Value());
    EXPECT_EQ(only("_\r\n"), Value());
    EXPECT_EQ(only("*0\r\n"), many(Kind::array, {}));
    EXPECT_EQ(
        only("*2\r\n:1\r\n*1\r\n+a\r\n"),
        many(Kind::array, {integer(1), many(Kind::array, {text("a")})})
    );
    EXPECT_EQ(only("~1\r\n:1\r\n"), many(Kind::array, {integer(1)}));
    EXPECT_EQ(only("%1\r\n+a\r\n:1\r\n"), many(Kind::map, {text("a"), integer(1)}));
    EXPECT_EQ(only(">2\r\n+a\r\n+b\r\n"), many(Kind::push, {text("a"), text("b")}));
    EXPECT_EQ(
        only("(3492890328409238509324850943850943825024385\r\n").text,
        "3492890328409238509324850943850943825024385"
    );
    EXPECT_EQ(only("!5\r\nERR x\r\n"), text("ERR x", Kind::error));
    EXPECT_EQ(only("=8\r\ntxt:some\r\n"), text("some"));
    EXPECT_EQ(only("#t\r\n").integer, 1);
    EXPECT_EQ(only("#f\r\n").kind, Kind::boolean);
}

TEST(Replies, RealNumbersAreExact) {
    EXPECT_EQ(only(",0.1\r\n").real, 0.1);
    EXPECT_EQ(only(",-1.5e300\r\n").real, -1.5e300);
    EXPECT_EQ(only(",inf\r\n").real, std::numeric_limits<double>::infinity());
    EXPECT_EQ(only(",-inf\r\n").real, -std::numeric_limits<double>::infinity());
    ReplyReader reader;
    reader.feed(",nan\r\n");
    const auto value = reader.next();
    ASSERT_TRUE(value && *value);
    EXPECT_TRUE(std::isnan((*value)->real));
}

TEST(Replies, FollowEachOther) {
    EXPECT_EQ(
        read_all_ways("+a\r\n:1\r\n$1\r\nb\r\n*1\r\n:2\r\n"),
        (std::vector<Value>{text("a"), integer(1), text("b"), many(Kind::array, {integer(2)})})
    );
}

TEST(Replies, AttributesAreReadAndDropped) {
    EXPECT_EQ(only("|1\r\n+ttl\r\n:3600\r\n+a\r\n"), text("a"));
    EXPECT_EQ(only("|0\r\n+a\r\n"), text("a"));
    EXPECT_EQ(
        only("*2\r\n|1\r\n+x\r\n*1\r\n:1\r\n:5\r\n:6\r\n"),
        many(Kind::array, {integer(5), integer(6)})
    );
}

TEST(Replies, WhatIsNoneBreaksTheStreamForGood) {
    for (const char* bad :
         {"hello\r\n",
          "\r\n",
          ":\r\n",
          ":1x\r\n",
          ":+-1\r\n",
          ":99999999999999999999\r\n",
          ",\r\n",
          ",1e999\r\n",
          "#x\r\n",
          "_x\r\n",
          "$-2\r\n",
          "$x\r\n",
          "$1\r\nabc\r\n",
          "=3\r\nabc\r\n",
          "=5\r\nabcde\r\n",
          "*-2\r\n",
          "%-1\r\n",
          "$?\r\n",
          "*1\r\n>1\r\n:1\r\n"}) {
        EXPECT_TRUE(breaks(bad)) << bad;
    }
    ReplyReader reader;
    reader.feed("nonsense\r\n");
    EXPECT_FALSE(reader.next());
    reader.feed("+OK\r\n");
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.buffered(), 0U);
}

TEST(Replies, AreBounded) {
    const ReplyLimits limits{
        .line_bytes_max = 8, .text_bytes_max = 4, .items_max = 6, .depth_max = 2
    };
    EXPECT_FALSE(breaks("+1234567\r\n", limits));
    EXPECT_TRUE(breaks("+12345678\r\n", limits));
    EXPECT_TRUE(breaks("+123456789 and no end", limits));
    EXPECT_FALSE(breaks("$4\r\nabcd\r\n", limits));
    EXPECT_TRUE(breaks("$5\r\nabcde\r\n", limits));
    EXPECT_FALSE(breaks("*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits));
    EXPECT_TRUE(breaks("*7\r\n", limits));
    EXPECT_TRUE(breaks("%4\r\n", limits)) << "a pair is two";
    EXPECT_TRUE(breaks("*3\r\n*4\r\n", limits)) << "of the whole reply";
    EXPECT_FALSE(breaks("*1\r\n*1\r\n:1\r\n", limits));
    EXPECT_TRUE(breaks("*1\r\n*1\r\n*1\r\n", limits));
}

TEST(Replies, AnErrorIsKnownByItsCode) {
    EXPECT_TRUE(only("-MOVED 1 a:1\r\n").is_error("MOVED"));
    EXPECT_FALSE(only("-MOVEDX 1 a:1\r\n").is_error("MOVED"));
    EXPECT_TRUE(only("-LOADING\r\n").is_error("LOADING"));
    EXPECT_FALSE(only("+MOVED\r\n").is_error("MOVED"));
}

TEST(Commands, AreArraysOfCountedStrings) {
    std::string out;
    append_command(out, std::vector<std::string>{"SET", "a b", ""});
    append_command(out, std::vector<std::string>{"PING"});
    EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n");
}

}  // namespace
}  // namespace lab::redis
