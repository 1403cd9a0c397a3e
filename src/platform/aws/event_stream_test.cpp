#include "platform/aws/event_stream.h"

#include "support/event_stream_writer.h"

#include <gtest/gtest.h>

namespace lab::aws {
namespace {

using namespace std::string_literals;
using test::big_endian;
using test::event_message;
using test::event_message_of;

/// "name=value;...|payload" of each message, then the problem.
std::string read(std::string_view bytes, std::size_t step = 1'000'000, std::size_t max = 1 << 20) {
    EventStreamParser parser(max);
    std::string out;
    while (!bytes.empty()) {
        const std::string piece(bytes.substr(0, step));
        bytes.remove_prefix(piece.size());
        parser.feed(piece);
        while (const auto message = parser.next()) {
            for (const auto& [name, value] : message->headers) {
                out += std::string(name) + "=" + std::string(value) + ";";
            }
            out += "|" + std::string(message->payload) + "\n";
        }
    }
    return out + std::string(parser.problem()) + (parser.is_inside() ? "(more)" : "");
}

// Vectors of the tests of botocore 1.44 (tests/unit/test_eventstream.py), which its reader takes.
TEST(EventStream, ReadsWhatAmazonsClientsRead) {
    EXPECT_EQ(read("\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff"s), "|\n");
    EXPECT_EQ(
        read("\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36"s),
        "|{'foo':'bar'}\n"
    );
    EXPECT_EQ(
        read(
            "\x00\x00\x00+\x00\x00\x00\x0e\x34\x8b\xec{\x08"s +
            "event-id\x04\x00\x00\xa0\x0c{'foo':'bar'}\xd3\x89\x02\x85"s
        ),
        "|{'foo':'bar'}\n"
    );
}

TEST(EventStream, MessagesAreTheSameHoweverTheyCome) {
    const std::string bytes = event_message({{":event-type", "a"}, {"x", ""}}, "one") +
                              event_message({}, "") +
                              event_message({{":event-type", "b"}}, std::string(5000, 'z'));
    const std::string whole = read(bytes);
    EXPECT_EQ(whole, ":event-type=a;x=;|one\n|\n:event-type=b;|" + std::string(5000, 'z') + "\n");
    for (std::size_t step = 1; step < 40; ++step) {
        EXPECT_EQ(read(bytes, step), whole) << step;
    }
    EXPECT_EQ(
        read(std::string_view(bytes).substr(0, bytes.size() - 1), 7),
        ":event-type=a;x=;|one\n|\n(more)"
    );
}

TEST(EventStream, HeadersOfEveryTypeAreRead) {
    const std::string headers =
        "\x01"
        "a\x00"s +
        "\x01"
        "b\x01"s +
        "\x01"
        "c\x02"
        "1"s +
        "\x01"
        "d\x03"
        "12"s +
        "\x01"
        "e\x04"
        "1234"s +
        "\x01"
        "f\x05"
        "12345678"s +
        "\x01"
        "g\x06\x00\x03xyz"s +
        "\x01"
        "h\x07\x00\x02hi"s +
        "\x01"
        "i\x08"
        "12345678"s +
        "\x01"
        "j\x09"
        "1234567890123456"s;
    EXPECT_EQ(read(event_message_of(headers, "p")), "h=hi;|p\n");
}

TEST(EventStream, EveryDamagedByteIsNoticed) {
    const std::string good = event_message({{":event-type", "a"}}, "payload");
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const int flip : {1, 0x80}) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ flip);
            const std::string said = read(bad + good);
            EXPECT_EQ(said.find("payload"), std::string::npos) << i;
            EXPECT_NE(said.find(" is wrong"), std::string::npos) << i << said;
        }
    }
}

TEST(EventStream, WhatCannotBeIsRefused) {
    constexpr const char* kHeaders = "the headers of a message cannot be read";
    EXPECT_EQ(
        read(event_message_of(
            "\x05"
            "a\x07\x00\x01x"s,
            ""
        )),
        kHeaders
    ) << "cut name";
    EXPECT_EQ(
        read(event_message_of(
            "\x01"
            "a\x07\x00\x05x"s,
            ""
        )),
        kHeaders
    ) << "cut value";
    EXPECT_EQ(
        read(event_message_of(
            "\x01"
            "a\x0a"s,
            ""
        )),
        kHeaders
    ) << "no such type";
    EXPECT_EQ(read(event_message_of("\x00\x00"s, "")), kHeaders) << "no name";
    EXPECT_EQ(
        read(event_message_of(
            "\x01"
            "a"s,
            ""
        )),
        kHeaders
    ) << "no type";
    EXPECT_EQ(read(event_message({{"a", "1"}, {"a", "2"}}, "")), kHeaders) << "twice";
    std::string many;
    for (int i = 0; i < 300; ++i) {
        many += "\x03" + std::to_string(100 + i) + "\x00"s;
    }
    EXPECT_EQ(read(event_message_of(many, "")), kHeaders) << "too many";
}

TEST(EventStream, LengthsHaveTheirLimits) {
    constexpr const char* kLength = "a message says a length that it cannot have";
    const auto prelude = [](std::size_t total, std::size_t headers) {
        const std::string lengths = big_endian(total, 4) + big_endian(headers, 4);
        return lengths + big_endian(test::plain_crc32(lengths), 4);
    };
    EXPECT_EQ(read(prelude(15, 0)), kLength);
    EXPECT_EQ(read(prelude(20, 5)), kLength);
    EXPECT_EQ(read(prelude(0xffffffff, 0)), kLength);
    EXPECT_EQ(read(prelude(1 << 20, 200'000)), kLength);
    EXPECT_EQ(read(prelude(1001, 0), 7, 1000), kLength);
    EXPECT_EQ(read(prelude(1000, 0), 7, 1000), "(more)");
}

}  // namespace
}  // namespace lab::aws
