#include "platform/http/impl/test_server.h"

// What is refused, seen from outside: the status, the end of the connection, and that nothing of it
// reaches the application. impl/server_head_test.cpp and impl/server_chunks_test.cpp have the
// grammar in full.

namespace lab::http {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post(std::string_view fields, std::string_view body) {
    return "POST /a HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

struct Case {
    std::string name;
    std::string bytes;
    int status;
    std::size_t requests;  ///< heads that are good
};

const std::vector<Case>& refused() {
    static const std::vector<Case> kCases = {
        // Two readings of where the body ends (reliability, section 3).
        {"coding and length",
         post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
         400,
         0},
        {"length and coding",
         post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         400,
         0},
        {"gzip and length",
         post("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "hello"),
         400,
         0},
        {"gzip alone", post("Transfer-Encoding: gzip\r\n", "hello"), 400, 0},
        {"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "hello"), 400, 0},
        {"identity, chunked", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 400, 0
        },
        {"coding twice",
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         400,
         0},
        {"chunked on HTTP/1.0",
         "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400,
         0},
        {"lengths in a list", post("Content-Length: 5, 5\r\n", "hello"), 400, 0},
        {"two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, 0},
        {"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, 0},
        {"signed length", post("Content-Length: +5\r\n", "hello"), 400, 0},
        {"length with a leading zero", post("Content-Length: 05\r\n", "hello"), 400, 0},
        {"folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, 0},
        {"folded field", post("A: b\r\n c\r\n", ""), 400, 0},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, 0},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, 0},
        {"broken Host", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400, 0},
        {"blank before a colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, 0},
        {"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400, 0},
        {"bare CR", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400, 0},
        {"NUL", "GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"s, 400, 0},
        {"fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0},
        {"GET *", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0},
        {"method that is no token", "GE@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0},
        {"garbage", "\x16\x03\x01\x02\x00\x01\x00"s, 400, 0},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0},
        {"proxy request", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 501, 0},
        {"unknown expectation", post("Content-Length: 5\r\nExpect: tea\r\n", ""), 417, 0},
        // Within the body: the head has been read by then.
        {"quoted extension", chunked("5;a=\"b\"\r\nhello\r\n0\r\n\r\n"), 400, 1},
        {"line end in a quoted extension", chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), 400, 1},
        {"bare LF in an extension", chunked("5;a\nhello\r\n0\r\n\r\n"), 400, 1},
        {"bare LF behind a size", chunked("5\nhello\r\n0\r\n\r\n"), 400, 1},
        {"size that is too long", chunked("0000000000005\r\nhello\r\n0\r\n\r\n"), 400, 1},
        {"size that overflows", chunked("FFFFFFFFFFFFFFFFF\r\n"), 400, 1},
        {"size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, 1},
        {"size with a sign", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400, 1},
        {"no CRLF behind a chunk", chunked("5\r\nhello0\r\n\r\n"), 400, 1},
        {"more than the size says", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400, 1},
        {"bare LF behind a chunk", chunked("5\r\nhello\n0\r\n\r\n"), 400, 1},
        {"bare LF behind the trailer", chunked("0\r\nA: b\n\r\n"), 400, 1},
        {"broken trailer", chunked("0\r\nA b\r\n\r\n"), 400, 1},
        {"endless extensions",
         chunked("5;" + std::string(20'000, 'a') + "\r\nhello\r\n0\r\n\r\n"),
         400,
         1},
        {"endless trailer", chunked("0\r\nA: " + std::string(20'000, 'a') + "\r\n\r\n"), 400, 1},
    };
    return kCases;
}

TEST_F(ServerTest, BrokenFramingIsRefusedOnceAndReachesNobody) {
    std::atomic<int> reached = 0;
    app.request = [&](const std::shared_ptr<Exchange>& exchange) {
        ++reached;
        exchange->respond({});
    };
    start();
    std::uint64_t requests = 0;
    for (const Case& c : refused()) {
        auto client = connect();
        client.send(c.bytes);
        client.send(kNext);  // must not be read as a request, whatever came before
        const auto response = client.receive();
        ASSERT_TRUE(response) << c.name;
        EXPECT_EQ(response->status, c.status) << c.name;
        EXPECT_EQ(response->header("Connection"), "close") << c.name;
        EXPECT_TRUE(client.is_closed()) << c.name;
        requests += c.requests;
        EXPECT_EQ(server->stats().requests, requests) << c.name;
    }
    EXPECT_EQ(reached, 0);
}

TEST_F(ServerTest, TheSameInPieces) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        ADD_FAILURE() << "reached: " << exchange->head().target;
        exchange->respond({});
    };
    start();
    for (const Case& c : refused()) {
        if (c.bytes.size() > 1'000) {
            continue;
        }
        auto client = connect();
        for (const char byte : c.bytes) {
            if (!client.send({&byte, 1})) {
                break;
            }
        }
        const auto response = client.receive();
        ASSERT_TRUE(response) << c.name;
        EXPECT_EQ(response->status, c.status) << c.name;
        EXPECT_TRUE(client.is_closed()) << c.name;
    }
}

TEST_F(ServerTest, UnusualButGoodFramingIsTaken) {
    start();
    const std::vector<std::pair<std::string, std::string>> good = {
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * "},
        {"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a "},
        {"BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", "BREW /a "},
        {"get /a HTTP/1.1\r\nHost: x\r\n\r\n", "get /a "},
        {"GET http://x/a HTTP/1.1\r\nHost: y\r\n\r\n", "GET http://x/a "},
        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz "},
        {"GET /a HTTP/1.7\r\nHost: x\r\n\r\n", "GET /a "},
        {"GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "GET /a "},
        {post("TRANSFER-ENCODING: CHUNKED\r\n", "A;b=c ;d\r\n0123456789\r\n00\r\nE: f\r\n\r\n"),
         "POST /a 0123456789"},
        {post("Content-Length:\t5\t\r\n", "hello"), "POST /a hello"},
    };
    auto client = connect();
    for (const auto& [bytes, body] : good) {
        client.send(bytes);
        const auto response = client.receive();
        ASSERT_TRUE(response) << bytes;
        EXPECT_EQ(response->status, 200) << bytes;
        EXPECT_EQ(response->body, body);
    }
    EXPECT_EQ(server->stats().accepted, 1);
}

TEST_F(ServerTest, AnEndBeforeTheEndIsABadRequest) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        ADD_FAILURE() << "reached: " << exchange->head().target;
        exchange->respond({});
    };
    start();
    for (const std::string& bytes :
         {"GET / HT"s, post("Content-Length: 5\r\n", "hell"), chunked("5\r\nhello\r\n")}) {
        auto client = connect();
        client.send(bytes);
        client.end_sending();
        const auto response = client.receive();
        ASSERT_TRUE(response) << bytes;
        EXPECT_EQ(response->status, 400) << bytes;
        EXPECT_TRUE(client.is_closed());
    }
    auto silent = connect();
    silent.end_sending();
    EXPECT_TRUE(silent.is_closed());
}

}  // namespace
}  // namespace lab::http
