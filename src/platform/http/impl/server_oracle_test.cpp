#include "base/rng.h"
#include "platform/http/impl/server_chunks.h"
#include "platform/http/impl/server_head.h"

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>

// Beast as a second opinion: whatever our readers take, it takes too, and reads the same in it. The
// other way round it takes much that they refuse.

namespace lab::http {
namespace {

namespace beast = boost::beast::http;

using Parser = beast::request_parser<beast::string_body>;

/// By name: Beast keeps fields of one name together.
using Fields = std::map<std::string, std::vector<std::string>>;

void add_field(Fields& fields, std::string_view name, std::string_view value) {
    std::string key(name);
    std::ranges::transform(key, key.begin(), [](unsigned char c) { return std::tolower(c); });
    fields[key].emplace_back(value);
}

struct Opinion {
    bool complete = false;
    std::string method;
    std::string target;
    int version_minor = 0;
    Fields headers;
    bool chunked = false;
    std::string body;
    std::size_t head_size = 0;
    std::size_t taken = 0;
};

Opinion ask_beast(std::string_view bytes) {
    Parser parser;
    parser.header_limit(100'000);
    parser.body_limit(1'000'000);
    parser.eager(true);
    Opinion opinion;
    boost::beast::error_code error;
    opinion.taken = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    opinion.complete = !error && parser.is_done();
    const auto& message = parser.get();
    opinion.method = message.method_string();
    opinion.target = message.target();
    opinion.version_minor = static_cast<int>(message.version()) % 10;
    for (const auto& field : message) {
        add_field(opinion.headers, field.name_string(), field.value());
    }
    opinion.chunked = message.chunked();
    opinion.body = message.body();
    return opinion;
}

/// What ours say of a whole message.
Opinion ask_us(std::string_view bytes) {
    Opinion opinion;
    HeadReader reader({});
    if (reader.read(bytes) != HeadReader::State::complete) {
        return opinion;
    }
    Head& head = reader.head();
    opinion.method = head.request.method;
    opinion.target = head.request.target;
    opinion.version_minor = head.request.version_minor;
    for (const auto& [name, value] : head.request.headers) {
        add_field(opinion.headers, name, value);
    }
    opinion.head_size = reader.size();
    opinion.chunked = head.framing == Framing::chunked;
    std::string rest(bytes.substr(reader.size()));
    if (opinion.chunked) {
        ChunkReader chunks(16'000);
        ChunkReader::Step step;
        opinion.complete =
            chunks.read(rest.data(), rest.size(), step) == ChunkReader::State::complete;
        opinion.taken = reader.size() + step.taken;
        opinion.body = rest.substr(0, step.size);
    } else {
        opinion.complete = rest.size() >= head.content_length;
        opinion.body = rest.substr(0, head.content_length);
        opinion.taken = reader.size() + opinion.body.size();
    }
    return opinion;
}

template <std::size_t kSize>
std::string_view any(Rng& rng, const std::array<std::string_view, kSize>& choices) {
    return choices[rng.below(kSize)];
}

std::string random_message(Rng& rng) {
    static constexpr std::array<std::string_view, 6> kLines = {
        "GET / HTTP/1.1\r\n",
        "POST /a?b=c HTTP/1.1\r\n",
        "PUT /%41/;x HTTP/1.0\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "DELETE /x~y HTTP/1.1\r\n",
        "X!#$ /\"<>\\^`{|} HTTP/1.1\r\n",
    };
    static constexpr std::array<std::string_view, 24> kFields = {
        "Host: x\r\n",
        "Host: a.example:80\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length:\t5 \r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding:chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, x\r\n",
        "Expect: 100-continue\r\n",
        "A: b\r\n",
        "A:\r\n",
        "A: b\tc  d \t\r\n",
        "X-Long: 0123456789012345678901234567890123456789\r\n",
        "a: \xC3\xA4\r\n",
        " folded\r\n",
        "B : c\r\n",
        "Accept: */*\r\n",
        "User-Agent: x/1.0 (y; z)\r\n",
        "Cookie: a=b; c=d\r\n",
        "Upgrade: h2c\r\n",
    };
    static constexpr std::array<std::string_view, 8> kBodies = {
        "",
        "hello",
        "hello, and more",
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=b;c\r\nhello\r\n1\r\n \r\n0\r\n\r\nGET / HTTP/1.1\r\n",
        "2 ; a = b\r\nhe\r\n00003\r\nllo\r\n0;x\r\nA: b\r\n\r\n",
        "5;a=\"b\"\r\nhello\r\n0\r\n\r\n",
    };
    std::string message(any(rng, kLines));
    if (rng.below(8) > 0) {
        message += "Host: x\r\n";
    }
    for (std::uint64_t i = rng.below(4); i > 0; --i) {
        message += any(rng, kFields);
    }
    message += "\r\n";
    message += any(rng, kBodies);
    // Small damage, in half of them.
    static constexpr std::string_view kBytes("\r\n \t:;,=\"\0\x01\x7F\x80/0aA#", 17);
    for (std::uint64_t i = rng.below(4); i > 1; --i) {
        const std::size_t at = rng.below(message.size());
        const char byte = kBytes[rng.below(kBytes.size())];
        switch (rng.below(3)) {
            case 0:
                message[at] = byte;
                break;
            case 1:
                message.insert(at, 1, byte);
                break;
            default:
                message.erase(at, 1);
                break;
        }
    }
    return message;
}

TEST(Oracle, BeastReadsTheSameInWhatWeTake) {
    Rng rng(20'260'727);
    int taken = 0;
    int taken_by_beast_alone = 0;
    for (int i = 0; i < 30'000; ++i) {
        const std::string message = random_message(rng);
        const Opinion ours = ask_us(message);
        const Opinion theirs = ask_beast(message);
        taken_by_beast_alone += theirs.complete && !ours.complete ? 1 : 0;
        if (!ours.complete) {
            continue;
        }
        ++taken;
        ASSERT_TRUE(theirs.complete) << "number " << i << ":\n" << message;
        EXPECT_EQ(ours.method, theirs.method) << message;
        EXPECT_EQ(ours.target, theirs.target) << message;
        EXPECT_EQ(ours.version_minor, theirs.version_minor) << message;
        // Of the head alone: Beast makes header fields of trailers.
        const Opinion their_head = ask_beast(std::string_view(message).substr(0, ours.head_size));
        EXPECT_EQ(ours.headers, their_head.headers) << message;
        EXPECT_EQ(ours.chunked, theirs.chunked) << message;
        EXPECT_EQ(ours.body, theirs.body) << message;
        EXPECT_EQ(ours.taken, theirs.taken) << message;
    }
    // The comparison has something to compare.
    EXPECT_GT(taken, 3'000);
    EXPECT_GT(taken_by_beast_alone, 1'000);
}

}  // namespace
}  // namespace lab::http
