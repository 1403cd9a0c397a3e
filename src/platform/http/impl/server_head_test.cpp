#include "platform/http/impl/server_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lab::http {
namespace {

using State = HeadReader::State;
using std::string_literals::operator""s;

/// The verdict on a head that is all there: 0 = taken, -1 = not complete, else the status.
int verdict(std::string_view bytes, const HeadLimits& limits = {}) {
    HeadReader reader(limits);
    switch (reader.read(bytes)) {
        case State::complete:
            return 0;
        case State::more:
            return -1;
        case State::refused:
            return reader.refusal().status;
    }
    return -2;
}

/// The same when it comes byte by byte: the first verdict that is not "more".
int verdict_in_bytes(std::string_view bytes, const HeadLimits& limits = {}) {
    HeadReader reader(limits);
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
        const State state = reader.read(bytes.substr(0, size));
        if (state != State::more) {
            return state == State::complete ? 0 : reader.refusal().status;
        }
    }
    return -1;
}

struct Case {
    std::string name;
    std::string bytes;
    int status;
};

std::string get(std::string_view fields) {
    return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view fields) {
    return "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}
std::string line(std::string_view request_line) {
    return std::string(request_line) + "\r\nHost: x\r\n\r\n";
}

const std::vector<Case>& cases() {
    static const std::vector<Case> kCases = {
        // Request line (RFC 9112, 3).
        {"plain", line("GET / HTTP/1.1"), 0},
        {"empty line in front", "\r\n" + line("GET / HTTP/1.1"), 0},
        {"two empty lines in front", "\r\n\r\n" + line("GET / HTTP/1.1"), 400},
        {"unknown method", line("BREW / HTTP/1.1"), 0},
        {"lower-case method", line("get / HTTP/1.1"), 0},
        {"method of every token character", line("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1"), 0},
        {"method with a bracket", line("GE(T / HTTP/1.1"), 400},
        {"method with a colon", line("GET: / HTTP/1.1"), 400},
        {"no method", line(" / HTTP/1.1"), 400},
        {"method of 32 bytes", line(std::string(32, 'M') + " / HTTP/1.1"), 0},
        {"method of 33 bytes", line(std::string(33, 'M') + " / HTTP/1.1"), 501},
        {"method without end", std::string(5'000, 'M'), 501},
        {"CONNECT", line("CONNECT x:443 HTTP/1.1"), 501},
        {"no target", line("GET HTTP/1.1"), 400},
        {"only a method", line("GET"), 400},
        {"two spaces before the target", line("GET  / HTTP/1.1"), 400},
        {"two spaces before the version", line("GET /  HTTP/1.1"), 400},
        {"space behind the version", line("GET / HTTP/1.1 "), 400},
        {"tab between", line("GET\t/ HTTP/1.1"), 400},
        {"tab before the version", line("GET /\tHTTP/1.1"), 400},
        {"space in the target", line("GET /a b HTTP/1.1"), 400},
        {"space in front", line(" GET / HTTP/1.1"), 400},
        {"only blanks", " \r\n", 400},
        // Version (RFC 9112, 2.3).
        {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0},
        {"HTTP/1.2 is 1.1 to us", line("GET / HTTP/1.2"), 0},
        {"HTTP/0.9", "GET /\r\n", 400},
        {"HTTP/0.9 with a version", line("GET / HTTP/0.9"), 505},
        {"HTTP/2.0", line("GET / HTTP/2.0"), 505},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"HTTP/3.0", line("GET / HTTP/3.0"), 505},
        {"lower-case version", line("GET / http/1.1"), 400},
        {"no minor version", line("GET / HTTP/1"), 400},
        {"two digits", line("GET / HTTP/1.10"), 400},
        {"leading zero", line("GET / HTTP/01.1"), 400},
        {"blank in the version", line("GET / HTTP/ 1.1"), 400},
        {"another protocol", line("GET / RTSP/1.0"), 400},
        {"comma for a point", line("GET / HTTP/1,1"), 400},
        // Target (RFC 9112, 3.2).
        {"query", line("GET /a?b=c&d HTTP/1.1"), 0},
        {"every visible character but #", line("GET /!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~ HTTP/1.1"), 0
        },
        {"broken percent-encoding is the application's", line("GET /%zz%2 HTTP/1.1"), 0},
        {"fragment", line("GET /a#b HTTP/1.1"), 400},
        {"fragment in the query", line("GET /a?b#c HTTP/1.1"), 400},
        {"NUL in the target", line("GET /a\0b HTTP/1.1"s), 400},
        {"DEL in the target", line("GET /a\x7F HTTP/1.1"), 400},
        {"escape in the target", line("GET /a\x1B HTTP/1.1"), 400},
        {"bytes beyond ASCII in the target", line("GET /\xC3\xA4 HTTP/1.1"), 400},
        {"overlong UTF-8 in the target", line("GET /\xC0\xAF HTTP/1.1"), 400},
        {"relative path", line("GET a HTTP/1.1"), 400},
        {"OPTIONS *", line("OPTIONS * HTTP/1.1"), 0},
        {"GET *", line("GET * HTTP/1.1"), 400},
        {"OPTIONS *x", line("OPTIONS *x HTTP/1.1"), 400},
        {"absolute", line("GET http://x/a HTTP/1.1"), 0},
        {"absolute, other scheme", line("GET ftp://x/a HTTP/1.1"), 400},
        {"absolute, no authority", line("GET http:///a HTTP/1.1"), 400},
        {"absolute, user", line("GET http://u@x/a HTTP/1.1"), 400},
        {"absolute, fragment", line("GET http://x/a#b HTTP/1.1"), 400},
        {"absolute, broken port", line("GET http://x:8o/ HTTP/1.1"), 400},
        {"absolute without Host", "GET http://x/ HTTP/1.1\r\n\r\n", 400},
        {"authority form", line("GET x:80 HTTP/1.1"), 400},
        // Line ends (RFC 9112, 2.2).
        {"bare LF behind the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
        {"bare LF behind a field", "GET / HTTP/1.1\r\nHost: x\n\r\n", 400},
        {"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: x\r\n\n", 400},
        {"bare LF in front", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"CR alone ends lines", "GET / HTTP/1.1\rHost: x\r\r", 400},
        {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400},
        {"CR in a value", get("Host: x\r\nA: b\rc\r\n"), 400},
        {"CR in a name", get("Host: x\r\nA\r: b\r\n"), 400},
        {"CR CR LF behind a field", get("Host: x\r\nA: b\r\r\n"), 400},
        // Fields (RFC 9112, 5; RFC 9110, 5.5 and 5.6).
        {"no blank behind the colon", get("Host:x\r\n"), 0},
        {"tabs around the value", get("Host:\tx\t\r\n"), 0},
        {"empty value", get("Host: x\r\nA:\r\n"), 0},
        {"obs-text in a value", get("Host: x\r\nA: \xC3\xA4\x80\xFF\r\n"), 0},
        {"blank before the colon", get("Host : x\r\n"), 400},
        {"tab before the colon", get("Host\t: x\r\n"), 400},
        {"no colon", get("Host: x\r\nA\r\n"), 400},
        {"empty name", get("Host: x\r\n: a\r\n"), 400},
        {"bracket in a name", get("Host: x\r\nA[0]: b\r\n"), 400},
        {"bytes beyond ASCII in a name", get("Host: x\r\n\xC3\xA4: b\r\n"), 400},
        {"NUL in a name", get("Host: x\r\nA\0: b\r\n"s), 400},
        {"tab in a name", get("Host: x\r\nA\tB: c\r\n"), 400},
        {"NUL in a value", get("Host: x\r\nA: b\0c\r\n"s), 400},
        {"bell in a value", get("Host: x\r\nA: \a\r\n"), 400},
        {"DEL in a value", get("Host: x\r\nA: \x7F\r\n"), 400},
        {"vertical tab in a value", get("Host: x\r\nA: b\vc\r\n"), 400},
        {"folded line", get("Host: x\r\nA: b\r\n c\r\n"), 400},
        {"folded line with a tab", get("Host: x\r\nA: b\r\n\tc\r\n"), 400},
        {"folded empty line", get("Host: x\r\nA: b\r\n \r\n"), 400},
        {"blank before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
        // Host (RFC 9112, 3.2; RFC 9110, 7.2).
        {"no Host", get(""), 400},
        {"no Host on HTTP/1.0", "GET / HTTP/1.0\r\nA: b\r\n\r\n", 0},
        {"two Hosts", get("Host: x\r\nHost: y\r\n"), 400},
        {"two equal Hosts", get("Host: x\r\nhost: x\r\n"), 400},
        {"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"empty Host", get("Host:\r\n"), 400},
        {"Host with a port", get("Host: example.org:8080\r\n"), 0},
        {"Host with an empty port", get("Host: x:\r\n"), 0},
        {"Host with an address", get("Host: 127.0.0.1:1\r\n"), 0},
        {"Host with an IPv6 address", get("Host: [::1]:8080\r\n"), 0},
        {"Host with an IPv6 address alone", get("Host: [2001:db8::1]\r\n"), 0},
        {"Host with a broken IPv6 address", get("Host: [::x]\r\n"), 400},
        {"Host without a bracket", get("Host: [::1\r\n"), 400},
        {"Host with empty brackets", get("Host: []\r\n"), 400},
        {"Host with something behind brackets", get("Host: [::1]x\r\n"), 400},
        {"Host with a bare IPv6 address", get("Host: ::1\r\n"), 400},
        {"Host with a port that is too large", get("Host: x:65536\r\n"), 400},
        {"Host with the largest port", get("Host: x:65535\r\n"), 0},
        {"Host with a signed port", get("Host: x:+80\r\n"), 400},
        {"Host with a user", get("Host: u@x\r\n"), 400},
        {"Host with a path", get("Host: x/y\r\n"), 400},
        {"Host with a blank", get("Host: x y\r\n"), 400},
        {"Host as a list", get("Host: x, y\r\n"), 400},
        {"Host as a list without a blank", get("Host: x,y\r\n"), 400},
        {"Host with a query", get("Host: x?y\r\n"), 400},
        {"Host with percent-encoding", get("Host: a%20b\r\n"), 0},
        {"Host with broken percent-encoding", get("Host: a%2\r\n"), 400},
        {"Host of a port alone", get("Host: :80\r\n"), 400},
        // Content-Length (RFC 9112, 6.2 and 6.3; RFC 9110, 8.6).
        {"length", post("Content-Length: 5\r\n"), 0},
        {"length with blanks around", post("Content-Length: \t 5 \r\n"), 0},
        {"length zero", post("Content-Length: 0\r\n"), 0},
        {"length of 18 digits", post("Content-Length: 999999999999999999\r\n"), 0},
        {"length of 19 digits", post("Content-Length: 9999999999999999999\r\n"), 400},
        {"length that wraps round", post("Content-Length: 18446744073709551621\r\n"), 400},
        {"empty length", post("Content-Length:\r\n"), 400},
        {"signed length", post("Content-Length: +5\r\n"), 400},
        {"negative length", post("Content-Length: -5\r\n"), 400},
        {"negative zero", post("Content-Length: -0\r\n"), 400},
        {"hexadecimal length", post("Content-Length: 0x5\r\n"), 400},
        {"octal length", post("Content-Length: 0o5\r\n"), 400},
        {"length with a leading zero", post("Content-Length: 05\r\n"), 400},
        {"length of two zeros", post("Content-Length: 00\r\n"), 400},
        {"length with an underscore", post("Content-Length: 1_0\r\n"), 400},
        {"length with a point", post("Content-Length: 5.0\r\n"), 400},
        {"length with a blank within", post("Content-Length: 1 0\r\n"), 400},
        {"length as letters", post("Content-Length: five\r\n"), 400},
        {"equal lengths in a list", post("Content-Length: 5, 5\r\n"), 400},
        {"lengths in a list", post("Content-Length: 5, 6\r\n"), 400},
        {"length with a comma behind", post("Content-Length: 5,\r\n"), 400},
        {"two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
        {"two lengths", post("Content-Length: 5\r\ncontent-length: 6\r\n"), 400},
        {"length with an underscore in its name", post("Content_Length: 5\r\n"), 400},
        // Transfer-Encoding (RFC 9112, 6.1 and 6.3).
        {"chunked", post("Transfer-Encoding: chunked\r\n"), 0},
        {"chunked in capitals", post("TRANSFER-ENCODING: CHUNKED\r\n"), 0},
        {"chunked behind a tab", post("Transfer-Encoding:\tchunked\r\n"), 0},
        {"chunked on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"gzip", post("Transfer-Encoding: gzip\r\n"), 400},
        {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 400},
        {"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 400},
        {"chunked twice in a list", post("Transfer-Encoding: chunked, chunked\r\n"), 400},
        {"identity", post("Transfer-Encoding: identity\r\n"), 400},
        {"xchunked", post("Transfer-Encoding: xchunked\r\n"), 400},
        {"chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), 400},
        {"chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
        {"chunked with a comma behind", post("Transfer-Encoding: chunked,\r\n"), 400},
        {"chunked with a comma in front", post("Transfer-Encoding: ,chunked\r\n"), 400},
        {"chunked behind a vertical tab", post("Transfer-Encoding: \vchunked\r\n"), 400},
        {"chunked behind a form feed", post("Transfer-Encoding: \fchunked\r\n"), 400},
        {"chunked and NUL", post("Transfer-Encoding: chunked\0\r\n"s), 400},
        {"chunked on a folded line", post("Transfer-Encoding:\r\n chunked\r\n"), 400},
        {"empty coding", post("Transfer-Encoding:\r\n"), 400},
        {"two codings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"two codings, one unknown",
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
         400},
        {"coding before length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
        {"length before coding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"length zero and coding", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400
        },
        {"gzip and length", post("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), 400},
        {"coding with a blank before the colon", post("Transfer-Encoding : chunked\r\n"), 400},
        {"coding with an underscore in its name", post("Transfer_Encoding: chunked\r\n"), 400},
        // Connection (RFC 9110, 7.6.1).
        {"options", get("Host: x\r\nConnection: a , b,,c\r\n"), 0},
        {"an option that is no token", get("Host: x\r\nConnection: close, \"a\"\r\n"), 400},
        // Expect (RFC 9110, 10.1.1).
        {"100-continue", post("Expect: 100-Continue\r\n"), 0},
        {"another expectation", post("Expect: payment\r\n"), 417},
        {"another expectation on HTTP/1.0", "POST / HTTP/1.0\r\nExpect: payment\r\n\r\n", 0},
        // What never was HTTP.
        {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"s, 400},
        {"bytes beyond ASCII", "\xFF\xFE\xFD", 400},
        {"no line end, so far", "GET /", -1},
        {"nothing but the start of a line end", "\r", -1},
        {"fields without end, so far", "GET / HTTP/1.1\r\nHost: x\r\nA: b", -1},
        {"garbage in an unfinished field", "GET / HTTP/1.1\r\nA: \x01", 400},
    };
    return kCases;
}

TEST(HeadReader, TakesWhatAllUnderstandAlikeAndRefusesTheRest) {
    for (const Case& c : cases()) {
        EXPECT_EQ(verdict(c.bytes), c.status) << c.name;
    }
}

TEST(HeadReader, ThePiecesInWhichAHeadComesDoNotMatter) {
    for (const Case& c : cases()) {
        EXPECT_EQ(verdict_in_bytes(c.bytes), c.status) << c.name;
        for (std::size_t cut = 1; cut < c.bytes.size(); ++cut) {
            HeadReader reader({});
            State state = reader.read(std::string_view(c.bytes).substr(0, cut));
            if (state == State::more) {
                state = reader.read(c.bytes);
            }
            const int status = state == State::complete  ? 0
                               : state == State::refused ? reader.refusal().status
                                                         : -1;
            EXPECT_EQ(status, c.status) << c.name << ", cut at " << cut;
        }
    }
}

TEST(HeadReader, GivesWhatItRead) {
    HeadReader reader({});
    const std::string bytes =
        "POST /a%20b?c=d?e HTTP/1.1\r\nHost: x:80\r\nX-A:  b c\t\r\nx-a:\r\nContent-Length: 12\r\n"
        "Expect: 100-continue\r\nConnection: x, close\r\n\r\nbody";
    ASSERT_EQ(reader.read(bytes), State::complete);
    EXPECT_EQ(reader.size(), bytes.size() - 4);
    const Head& head = reader.head();
    EXPECT_EQ(head.request.method, "POST");
    EXPECT_EQ(head.request.target, "/a%20b?c=d?e");
    EXPECT_EQ(head.request.path, "/a%20b");
    EXPECT_EQ(head.request.query, "c=d?e");
    EXPECT_EQ(head.request.version_minor, 1);
    const Headers expected = {
        {"Host", "x:80"},
        {"X-A", "b c"},
        {"x-a", ""},
        {"Content-Length", "12"},
        {"Expect", "100-continue"},
        {"Connection", "x, close"},
    };
    EXPECT_EQ(head.request.headers, expected);
    EXPECT_EQ(head.framing, Framing::length);
    EXPECT_EQ(head.content_length, 12);
    EXPECT_TRUE(head.expects_continue);
    EXPECT_FALSE(head.keep_alive);
}

TEST(HeadReader, TheAuthorityOfTheTargetReplacesHost) {
    HeadReader reader({});
    ASSERT_EQ(
        reader.read("GET HTTP://a.example:81?q HTTP/1.1\r\nhost: b.example\r\n\r\n"),
        State::complete
    );
    EXPECT_EQ(reader.head().request.target, "HTTP://a.example:81?q");
    EXPECT_EQ(reader.head().request.path, "/");
    EXPECT_EQ(reader.head().request.query, "q");
    EXPECT_EQ(find_header(reader.head().request.headers, "Host"), "a.example:81");
    HeadReader old({});
    ASSERT_EQ(old.read("GET http://a/b HTTP/1.0\r\n\r\n"), State::complete);
    EXPECT_EQ(find_header(old.head().request.headers, "Host"), "a");
    EXPECT_EQ(old.head().request.path, "/b");
}

TEST(HeadReader, ConnectionsAreKeptAsVersionAndOptionsSay) {
    const auto kept = [](std::string_view version, std::string_view fields) {
        HeadReader reader({});
        const std::string bytes =
            "GET / " + std::string(version) + "\r\nHost: x\r\n" + std::string(fields) + "\r\n";
        EXPECT_EQ(reader.read(bytes), State::complete);
        return reader.head().keep_alive;
    };
    EXPECT_TRUE(kept("HTTP/1.1", ""));
    EXPECT_FALSE(kept("HTTP/1.1", "Connection: Close\r\n"));
    EXPECT_FALSE(kept("HTTP/1.1", "Connection: keep-alive,close\r\n"));
    EXPECT_FALSE(kept("HTTP/1.1", "Connection: a\r\nConnection: , close ,\r\n"));
    EXPECT_TRUE(kept("HTTP/1.1", "Connection: closed\r\n"));
    EXPECT_FALSE(kept("HTTP/1.0", ""));
    EXPECT_TRUE(kept("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    EXPECT_FALSE(kept("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(HeadReader, CanReadTheNextHead) {
    HeadReader reader({});
    ASSERT_EQ(
        reader.read(post("Transfer-Encoding: chunked\r\nConnection: close\r\n")), State::complete
    );
    reader.reset();
    ASSERT_EQ(reader.read(line("GET / HTTP/1.1")), State::complete);
    EXPECT_EQ(reader.head().framing, Framing::none);
    EXPECT_TRUE(reader.head().keep_alive);
    EXPECT_EQ(reader.head().request.headers.size(), 1);
}

// --- Limits: at n - 1, n and n + 1 -------------------------------------------------------------

TEST(HeadReader, LimitsTheTarget) {
    const HeadLimits limits{.uri_bytes_max = 100};
    const auto with = [](std::size_t bytes) {
        return line("GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1");
    };
    EXPECT_EQ(verdict(with(99), limits), 0);
    EXPECT_EQ(verdict(with(100), limits), 0);
    EXPECT_EQ(verdict(with(101), limits), 414);
    EXPECT_EQ(verdict_in_bytes(with(100), limits), 0);
    EXPECT_EQ(verdict_in_bytes(with(101), limits), 414);
    // Known before the line is complete.
    EXPECT_EQ(verdict("GET /" + std::string(99, 'a'), limits), -1);
    EXPECT_EQ(verdict("GET /" + std::string(100, 'a'), limits), 414);
}

TEST(HeadReader, LimitsTheFieldsInBytes) {
    const HeadLimits limits{.header_bytes_max = 100};
    const auto with = [](std::size_t bytes) {
        return get("Host: x\r\nA: " + std::string(bytes - 14, 'b') + "\r\n");
    };
    ASSERT_EQ(with(100).size() - get("").size(), 100);
    EXPECT_EQ(verdict(with(99), limits), 0);
    EXPECT_EQ(verdict(with(100), limits), 0);
    EXPECT_EQ(verdict(with(101), limits), 431);
    EXPECT_EQ(verdict_in_bytes(with(99), limits), 0);
    EXPECT_EQ(verdict_in_bytes(with(100), limits), 0);
    EXPECT_EQ(verdict_in_bytes(with(101), limits), 431);
    EXPECT_EQ(verdict("GET / HTTP/1.1\r\nA: " + std::string(200, 'b'), limits), 431);
}

TEST(HeadReader, LimitsTheFieldsInNumber) {
    const HeadLimits limits{.header_count_max = 10};
    const auto with = [](int count) {
        std::string fields = "Host: x\r\n";
        for (int i = 1; i < count; ++i) {
            fields += "A: b\r\n";
        }
        return get(fields);
    };
    EXPECT_EQ(verdict(with(9), limits), 0);
    EXPECT_EQ(verdict(with(10), limits), 0);
    EXPECT_EQ(verdict(with(11), limits), 431);
    EXPECT_EQ(verdict_in_bytes(with(10), limits), 0);
    EXPECT_EQ(verdict_in_bytes(with(11), limits), 431);
}

TEST(HeadReader, TheLargestHeadFitsTheBufferThatIsAskedFor) {
    const HeadLimits limits{.header_bytes_max = 50, .uri_bytes_max = 20};
    const std::string largest = "\r\n" + std::string(32, 'M') + " /" + std::string(19, 'a') +
                                " HTTP/1.1\r\nHost: x\r\nA: " + std::string(36, 'b') + "\r\n\r\n";
    EXPECT_EQ(verdict(largest, limits), 0);
    EXPECT_EQ(largest.size(), head_bytes_max(limits));
}

}  // namespace
}  // namespace lab::http
