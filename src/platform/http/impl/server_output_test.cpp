#include "platform/http/impl/server_output.h"

#include <gtest/gtest.h>

#include <array>

namespace lab::http {
namespace {

std::string content(const OutBuffer& buffer, std::size_t parts_max = 16) {
    std::vector<iovec> parts(parts_max);
    std::string bytes;
    for (std::size_t i = 0; i < buffer.parts(parts); ++i) {
        EXPECT_GT(parts[i].iov_len, 0);
        bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    return bytes;
}

TEST(OutBuffer, KeepsTheOrderOfSmallAndLargePieces) {
    OutBuffer buffer;
    const std::string large(100'000, 'x');
    buffer.append(std::string_view("a"));
    buffer.append(std::string("b"));
    buffer.append(std::string(large));
    buffer.append_with([](std::string& out) { out += "cd"; });
    EXPECT_EQ(buffer.size(), 100'004);
    EXPECT_EQ(content(buffer), "ab" + large + "cd");
    EXPECT_EQ(content(buffer, 1), "ab");
}

TEST(OutBuffer, IsConsumedInAnySteps) {
    for (const std::size_t step : std::to_array<std::size_t>({499, 4'096, 50'000})) {
        OutBuffer buffer;
        std::string expected;
        for (int i = 0; i < 5; ++i) {
            buffer.append(std::string_view("small"));
            buffer.append(std::string(20'000, static_cast<char>('a' + i)));
            expected += "small" + std::string(20'000, static_cast<char>('a' + i));
        }
        std::string got;
        while (!buffer.empty()) {
            const std::string part = content(buffer).substr(0, step);
            got += part;
            buffer.consume(part.size());
            if (got.size() % 3 == 0 && got.size() < 60'000) {
                buffer.append(std::string_view("!"));
                expected += "!";
            }
        }
        EXPECT_EQ(got, expected) << step;
    }
}

TEST(Date, IsAsTheStandardWritesIt) {
    // The example of RFC 9110, 5.6.7.
    EXPECT_EQ(
        date_line(WallTime(std::chrono::seconds(784'111'777))),
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    );
    EXPECT_EQ(
        date_line(WallTime(std::chrono::microseconds(1'709'251'199'999'999))),
        "Date: Thu, 29 Feb 2024 23:59:59 GMT\r\n"
    );
}

TEST(ResponseHead, SaysWhatEndsTheBody) {
    const auto head = [](const HeadToSend& to_send) {
        std::string out;
        append_head(out, to_send, {{"A", "b"}}, "Date: x\r\n");
        return out;
    };
    EXPECT_EQ(
        head({.status = 200, .length = 12}),
        "HTTP/1.1 200 OK\r\nDate: x\r\nA: b\r\nContent-Length: 12\r\n\r\n"
    );
    EXPECT_EQ(
        head({.status = 200, .end = BodyEnd::chunked}),
        "HTTP/1.1 200 OK\r\nDate: x\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    EXPECT_EQ(
        head({.status = 204, .end = BodyEnd::none, .close = true, .says_keep_alive = true}),
        "HTTP/1.1 204 No Content\r\nDate: x\r\nA: b\r\nConnection: close\r\n\r\n"
    );
    EXPECT_EQ(
        head({.status = 299, .end = BodyEnd::close, .says_keep_alive = true}),
        "HTTP/1.1 299 \r\nDate: x\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
    );
}

}  // namespace
}  // namespace lab::http
