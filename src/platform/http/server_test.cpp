#include "platform/http/server.h"

#include "platform/http/impl/test_server.h"

namespace lab::http {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerTest, GetIsAnsweredAndTheConnectionKept) {
    start();
    auto client = connect();
    for (int i = 0; i < 3; ++i) {
        client.send(kGet);
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ(response->body, "GET /a ");
        EXPECT_EQ(response->header("Content-Length"), "7");
        EXPECT_EQ(response->count("Date"), 1);
        EXPECT_EQ(response->count("Server"), 0);
        EXPECT_EQ(response->count("Connection"), 0);
    }
    EXPECT_EQ(server->stats().connections, 1);
    EXPECT_EQ(server->stats().accepted, 1);
    EXPECT_EQ(server->stats().requests, 3);
}

TEST_F(ServerTest, ABadRequestIsRefusedAndTheConnectionClosed) {
    start();
    auto client = connect();
    client.send("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 400);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
}

}  // namespace
}  // namespace lab::http
