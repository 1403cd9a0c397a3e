#include "platform/otlp/impl/wire.h"

#include <gtest/gtest.h>

#include <limits>

namespace lab::otlp {
namespace {

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) {
        out += static_cast<char>(value);
    }
    return out;
}

// The examples of protobuf.dev, "Encoding".
TEST(Wire, WritesTheExamplesOfTheDocumentation) {
    EXPECT_EQ(Message().varint(1, 150).str(), bytes({0x08, 0x96, 0x01}));
    EXPECT_EQ(
        Message().text(2, "testing").str(),
        bytes({0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67})
    );
    EXPECT_EQ(
        Message().message(3, Message().varint(1, 150)).str(), bytes({0x1a, 0x03, 0x08, 0x96, 0x01})
    );
    EXPECT_EQ(
        Message().varint_always(1, static_cast<std::uint64_t>(std::int64_t{-2})).str(),
        bytes({0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
    );
}

TEST(Wire, WritesFixedNumbersWithTheLowestByteFirst) {
    EXPECT_EQ(
        Message().fixed64(7, 0x0102030405060708).str(), bytes({0x39, 8, 7, 6, 5, 4, 3, 2, 1})
    );
    EXPECT_EQ(Message().fixed32(16, 0x01020304).str(), bytes({0x85, 0x01, 4, 3, 2, 1}));
    EXPECT_EQ(Message().number_always(4, 1.0).str(), bytes({0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}));
}

TEST(Wire, LeavesDefaultsOutUnlessTold) {
    EXPECT_EQ(
        Message().varint(1, 0).fixed64(2, 0).fixed32(3, 0).text(4, "").bytes(5, "").str(), ""
    );
    EXPECT_EQ(Message().varint_always(2, 0).str(), bytes({0x10, 0}));
    EXPECT_EQ(Message().text_always(1, "").str(), bytes({0x0a, 0}));
    EXPECT_EQ(Message().message(1, Message()).str(), bytes({0x0a, 0}));
}

TEST(Wire, MendsTextThatIsNoUtf8) {
    EXPECT_EQ(
        Message().text(1, "a\xff").str(),
        "\x0a\x04"
        "a\xEF\xBF\xBD"
    );
}

TEST(Wire, ReadsWhatItWrites) {
    Message in;
    in.varint(1, std::numeric_limits<std::uint64_t>::max())
        .fixed64(2, 5)
        .fixed32(3, 6)
        .text(4, "four")
        .varint(16, 1);
    Reader reader(in.str());
    EXPECT_EQ(reader.next()->value, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(reader.next()->value, 5U);
    EXPECT_EQ(reader.next()->value, 6U);
    EXPECT_EQ(reader.next()->bytes, "four");
    EXPECT_EQ(reader.next()->number, 16);
    EXPECT_FALSE(reader.next());
}

TEST(Wire, EndsWhereItIsBroken) {
    const std::string good = Message().text(4, "four").fixed64(2, 5).varint(1, 300).str();
    for (std::size_t size = 0; size < good.size(); ++size) {
        Reader reader(std::string_view(good).substr(0, size));
        int fields = 0;
        while (reader.next()) {
            ++fields;
        }
        EXPECT_LE(fields, 2) << size;
    }
    for (const std::string& bad :
         {bytes({0x00, 0x01}),                          // field 0
          bytes({0x0b}),                                // a group
          bytes({0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}),  // longer than all
          bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})}) {
        EXPECT_FALSE(Reader(bad).next());
    }
}

}  // namespace
}  // namespace lab::otlp
