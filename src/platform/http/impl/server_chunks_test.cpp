#include "platform/http/impl/server_chunks.h"

#include <gtest/gtest.h>

#include <string>

namespace lab::http {
namespace {

using State = ChunkReader::State;
using std::string_literals::operator""s;

struct Read {
    State state = State::more;
    std::string body;
    std::size_t taken = 0;
    std::string_view why;
};

/// Reads `bytes` in pieces of `piece`.
Read read(std::string_view bytes, std::size_t piece, std::size_t trailer_bytes_max = 100) {
    ChunkReader reader(trailer_bytes_max);
    Read result;
    while (result.state == State::more && result.taken < bytes.size()) {
        std::string part(bytes.substr(result.taken, piece));
        ChunkReader::Step step;
        result.state = reader.read(part.data(), part.size(), step);
        result.body += part.substr(0, step.size);
        result.taken += step.taken;
    }
    result.why = reader.why();
    return result;
}

struct Case {
    const char* name;
    std::string bytes;
    State state;
};

const std::vector<Case>& cases() {
    constexpr State kRefused = State::refused;
    static const std::vector<Case> kCases = {
        {"empty", "0\r\n\r\n", State::complete},
        {"one chunk", "5\r\nhello\r\n0\r\n\r\n", State::complete},
        {"capitals", "A\r\n0123456789\r\n0\r\n\r\n", State::complete},
        {"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", State::complete},
        {"extension", "5;a\r\nhello\r\n0\r\n\r\n", State::complete},
        {"extension with a value", "5;a=b\r\nhello\r\n0;c\r\n\r\n", State::complete},
        {"extensions with blanks", "5 ; a = b ;c\r\nhello\r\n0\r\n\r\n", State::complete},
        {"trailer", "0\r\nA: b\r\nC:\r\n\r\n", State::complete},
        {"trailers that frame nothing", "0\r\nContent-Length: 9\r\nHost: y\r\n\r\n", State::complete
        },
        {"no end yet", "5\r\nhello\r\n", State::more},
        {"no last line yet", "0\r\n", State::more},
        {"no size", "\r\nhello\r\n", kRefused},
        {"blank before the size", " 5\r\nhello\r\n", kRefused},
        {"blank behind the size", "5 \r\nhello\r\n", kRefused},
        {"blank behind an extension", "5;a \r\nhello\r\n", kRefused},
        {"blank behind a value", "5;a=b \r\nhello\r\n", kRefused},
        {"prefix", "0x5\r\nhello\r\n", kRefused},
        {"sign", "+5\r\nhello\r\n", kRefused},
        {"negative", "-5\r\nhello\r\n", kRefused},
        {"underscore", "1_0\r\nhello\r\n", kRefused},
        {"letter", "5g\r\nhello\r\n", kRefused},
        {"12 digits",
         "00000000000"
         "5\r\nhello\r\n0\r\n\r\n",
         State::complete},
        {"13 digits",
         "000000000000"
         "5\r\nhello\r\n0\r\n\r\n",
         kRefused},
        {"size that wraps round", "10000000000000005\r\nhello\r\n", kRefused},
        {"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", kRefused},
        {"CR without LF behind the size", "5\rhello", kRefused},
        {"bare LF behind the chunk", "5\r\nhello\n0\r\n\r\n", kRefused},
        {"nothing behind the chunk", "5\r\nhello0\r\n\r\n", kRefused},
        {"CR and something behind the chunk", "5\r\nhello\rx", kRefused},
        {"more than the size says", "5\r\nhello!!\r\n0\r\n\r\n", kRefused},
        {"less than the size says", "7\r\nhello\r\n0\r\n\r\n", kRefused},
        {"semicolon alone", "5;\r\nhello\r\n", kRefused},
        {"two semicolons", "5;;a\r\nhello\r\n", kRefused},
        {"extension without a name", "5;=b\r\nhello\r\n", kRefused},
        {"extension without a value", "5;a=\r\nhello\r\n", kRefused},
        {"two equal signs", "5;a==b\r\nhello\r\n", kRefused},
        {"quoted value", "5;a=\"b\"\r\nhello\r\n", kRefused},
        {"line end in a quoted value", "5;a=\"\n\"\r\nhello\r\n", kRefused},
        {"LF in an extension", "5;a\nb\r\nhello\r\n", kRefused},
        {"CR in an extension", "5;a\rb\r\nhello\r\n", kRefused},
        {"NUL in an extension", "5;a\0b\r\nhello\r\n"s, kRefused},
        {"bare LF behind the last chunk", "0\n\r\n", kRefused},
        {"bare LF as the last line", "0\r\n\n", kRefused},
        {"bare LF behind a trailer", "0\r\nA: b\n\r\n", kRefused},
        {"CR in a trailer", "0\r\nA: b\rc\r\n\r\n", kRefused},
        {"trailer without a colon", "0\r\nA\r\n\r\n", kRefused},
        {"trailer without a name", "0\r\n: b\r\n\r\n", kRefused},
        {"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", kRefused},
        {"blank in a trailer's name", "0\r\nA : b\r\n\r\n", kRefused},
        {"NUL in a trailer", "0\r\nA: \0\r\n\r\n"s, kRefused},
    };
    return kCases;
}

TEST(ChunkReader, TakesWhatAllUnderstandAlikeAndRefusesTheRest) {
    for (const Case& c : cases()) {
        const Read result = read(c.bytes, c.bytes.size());
        EXPECT_EQ(result.state, c.state) << c.name;
        EXPECT_EQ(result.why.empty(), c.state != State::refused) << c.name;
    }
}

TEST(ChunkReader, ThePiecesInWhichABodyComesDoNotMatter) {
    for (const Case& c : cases()) {
        const Read whole = read(c.bytes, c.bytes.size());
        for (std::size_t piece = 1; piece < c.bytes.size(); ++piece) {
            const Read result = read(c.bytes, piece);
            EXPECT_EQ(result.state, c.state) << c.name << " in pieces of " << piece;
            EXPECT_EQ(result.body, whole.body) << c.name << " in pieces of " << piece;
            EXPECT_EQ(result.taken, whole.taken) << c.name << " in pieces of " << piece;
        }
    }
}

TEST(ChunkReader, GivesTheBodyAndLeavesWhatIsBehindIt) {
    const std::string bytes = "3\r\nabc\r\n4;x\r\nd\r\nf\r\n0\r\nA: b\r\n\r\n";
    const Read result = read(bytes + "GET / HTTP/1.1", 1'000);
    EXPECT_EQ(result.state, State::complete);
    EXPECT_EQ(result.body, "abcd\r\nf");
    EXPECT_EQ(result.taken, bytes.size());
}

TEST(ChunkReader, LimitsExtensionsOverTheWholeBody) {
    const auto with = [](int extensions) {
        std::string bytes;
        for (int i = 0; i < extensions; ++i) {
            bytes += "1;abcdefghi\r\nx\r\n";  // 10 bytes: the name and what ends it
        }
        return bytes + "0\r\n\r\n";
    };
    EXPECT_EQ(read(with(9), 1'000, 92).state, State::complete);
    EXPECT_EQ(read(with(9), 1'000, 90).state, State::refused);
    EXPECT_EQ(read(with(1'000), 1'000, 92).state, State::refused);
}

TEST(ChunkReader, LimitsTrailers) {
    EXPECT_EQ(read("0\r\nA: " + std::string(90, 'b') + "\r\n\r\n", 1'000).state, State::complete);
    EXPECT_EQ(read("0\r\nA: " + std::string(100, 'b') + "\r\n\r\n", 1'000).state, State::refused);
}

}  // namespace
}  // namespace lab::http
