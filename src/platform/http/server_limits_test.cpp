#include "platform/http/impl/test_server.h"
#include "support/manual_clock.h"

#include <sys/socket.h>

namespace lab::http {
namespace {

using std::chrono::seconds;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string get_with(std::string_view target, std::string_view fields) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

// --- Sizes, at n - 1, n, n + 1 -----------------------------------------------------------------

TEST_F(ServerTest, TargetsOfEightKibibytes) {
    start();
    for (const auto& [size, status] : {std::pair(8'191, 200), {8'192, 200}, {8'193, 414}}) {
        auto client = connect();
        const std::string target = "/" + std::string(static_cast<std::size_t>(size) - 1, 'a');
        EXPECT_EQ(ask(client, get_with(target, "")), status) << size;
    }
}

TEST_F(ServerTest, FieldsOfSixteenKibibytes) {
    start();
    const std::size_t others = std::string_view("Host: x\r\nA: \r\n").size();
    for (const auto& [size, status] : {std::pair(16'383, 200), {16'384, 200}, {16'385, 431}}) {
        auto client = connect();
        const std::string value(static_cast<std::size_t>(size) - others, 'b');
        EXPECT_EQ(ask(client, get_with("/", "A: " + value + "\r\n")), status) << size;
    }
}

TEST_F(ServerTest, TheLargestHeadFits) {
    start();
    auto client = connect();
    const std::string target = "/" + std::string(8'191, 'a');
    const std::string value(16'384 - std::string_view("Host: x\r\nA: \r\n").size(), 'b');
    EXPECT_EQ(ask(client, get_with(target, "A: " + value + "\r\n")), 200);
    EXPECT_EQ(ask(client, kGet), 200);
}

TEST_F(ServerTest, AHundredFields) {
    start();
    for (const auto& [count, status] : {std::pair(99, 200), {100, 200}, {101, 431}}) {
        auto client = connect();
        std::string fields;
        for (int i = 1; i < count; ++i) {
            fields += "A: b\r\n";
        }
        EXPECT_EQ(ask(client, get_with("/", fields)), status) << count;
    }
}

TEST_F(ServerTest, BodiesUpToWhatThePlanSays) {
    app.plan = [](const RequestHead&) { return BodyPlan{.bytes_max = 10}; };
    start();
    for (const auto& [size, status] : {std::pair(9, 200), {10, 200}, {11, 413}}) {
        const std::string body(static_cast<std::size_t>(size), 'x');
        auto client = connect();
        EXPECT_EQ(
            ask(client,
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) +
                    "\r\n\r\n" + body),
            status
        ) << size;
        auto in_chunks = connect();
        std::string chunks = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (const char byte : body) {
            chunks += std::string("1\r\n") + byte + "\r\n";
        }
        EXPECT_EQ(ask(in_chunks, chunks + "0\r\n\r\n"), status) << size << " in chunks";
    }
}

TEST_F(ServerTest, ATooLargeBodyIsNotReadToTheEndButTheAnswerArrives) {
    start();
    auto client = connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    // A client that sends first and reads later.
    const std::string part(100'000, 'x');
    for (int i = 0; i < 20; ++i) {
        client.send(part);
    }
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 413);
    EXPECT_EQ(response->body, "PAYLOAD_TOO_LARGE");
    client.end_sending();
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, BufferedBodiesOfAllConnectionsHaveALimit) {
    app.plan = [](const RequestHead&) { return BodyPlan{.bytes_max = 1'000}; };
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) {
        if (exchange->head().target == "/waits") {
            waiting.put(std::move(exchange));
        } else {
            exchange->respond({});
        }
    };
    options.bodies_bytes_max = 1'500;
    start();
    const auto post = [](std::string_view target) {
        return "POST " + std::string(target) +
               " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1'000, 'x');
    };
    auto first = connect();
    first.send(post("/waits"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 1; }));
    auto second = connect();
    second.send(post("/a"));
    const auto refusal = second.receive();
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 503);
    EXPECT_EQ(refusal->body, "OVERLOADED");
    waiting.respond("/waits", {});
    EXPECT_EQ(first.receive()->status, 200);
    // Soon there is room again: when the first exchange is gone.
    EXPECT_TRUE(wait_until([&] {
        auto third = connect();
        return ask(third, post("/a")) == 200;
    }));
}

// --- Times -------------------------------------------------------------------------------------

class ServerTimeTest : public ServerTest {
  protected:
    void start_timed() { start(clock); }
    /// Time goes on, and every limit that is over has had its effect.
    void advance(Duration by) {
        clock.advance(by);
        server->check_time();
        ASSERT_TRUE(wait_until([&] { return server->stats().silence_max < seconds(1); }));
    }
    /// Until the server has read what was sent.
    void wait_for_bytes(std::uint64_t count) {
        ASSERT_TRUE(wait_until([&] { return server->stats().bytes_in == count; }));
    }
    void wait_for_connections(std::size_t count) {
        ASSERT_TRUE(wait_until([&] { return server->stats().connections == count; }));
    }
    test::ManualClock clock;
};

TEST_F(ServerTimeTest, AHeadHasTenSeconds) {
    start_timed();
    auto in_time = connect();
    auto late = connect();
    in_time.send("GET /a HTTP/1.1\r\nHo");
    late.send("GET /b HTTP/1.1\r\nHo");
    wait_for_bytes(38);
    advance(std::chrono::milliseconds(9'900));
    EXPECT_EQ(ask(in_time, "st: x\r\n\r\n"), 200);
    late.send("st");  // a byte now and then does not help
    wait_for_bytes(38 + 9 + 2);
    advance(std::chrono::milliseconds(1'000));
    const auto response = late.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 408);
    EXPECT_EQ(response->body, "REQUEST_TIMEOUT");
    EXPECT_TRUE(late.is_closed());
}

TEST_F(ServerTimeTest, AHeadOnAKeptConnectionHasTenSecondsFromItsFirstByte) {
    start_timed();
    auto client = connect();
    EXPECT_EQ(ask(client, kGet), 200);
    advance(seconds(60));
    client.send("GET");
    wait_for_bytes(kGet.size() + 3);
    advance(seconds(9));
    EXPECT_EQ(ask(client, kGet.substr(3)), 200);
    client.send("GET");
    wait_for_bytes(2 * kGet.size() + 3);
    advance(seconds(10));
    EXPECT_EQ(client.receive()->status, 408);
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTimeTest, AConnectionWithoutARequestIsClosedWithoutAWord) {
    start_timed();
    auto client = connect();
    wait_for_connections(1);
    advance(seconds(9));
    EXPECT_EQ(server->stats().connections, 1);
    advance(seconds(1));
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(app.done().empty());
}

TEST_F(ServerTimeTest, AnIdleConnectionIsClosedAfter75Seconds) {
    start_timed();
    auto client = connect();
    EXPECT_EQ(ask(client, kGet), 200);
    advance(seconds(74));
    EXPECT_EQ(ask(client, kGet), 200);
    advance(seconds(74));
    EXPECT_EQ(server->stats().connections, 1);
    advance(seconds(1));
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTimeTest, ARequestInTheApplicationHasNoLimitHere) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start_timed();
    auto client = connect();
    client.send(kGet);
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 1; }));
    advance(std::chrono::hours(1));
    waiting.respond("/a", {});
    EXPECT_EQ(client.receive()->status, 200);
    advance(seconds(74));
    client.send(kGet);
    waiting.respond("/a", {});
    EXPECT_EQ(client.receive()->status, 200);
}

TEST_F(ServerTimeTest, ABodyHasToKeepUpAKilobyteASecond) {
    app.plan = [](const RequestHead&) { return BodyPlan{.bytes_max = 1'000'000}; };
    start_timed();
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
    auto client = connect();
    client.send(head + std::string(20 * 1'024, 'x'));
    wait_for_bytes(head.size() + 20 * 1'024);
    advance(seconds(29));  // ten at the beginning, and twenty for twenty kilobytes
    EXPECT_EQ(server->stats().connections, 1);
    client.send(std::string(1'024, 'x'));
    wait_for_bytes(head.size() + 21 * 1'024);
    advance(seconds(1));
    EXPECT_EQ(server->stats().connections, 1);
    advance(seconds(1));
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 408);
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTimeTest, ABodyThatWasQuickMayNotPauseForEver) {
    app.plan = [](const RequestHead&) { return BodyPlan{.bytes_max = 1'000'000}; };
    start_timed();
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    auto client = connect();
    client.send(head + std::string(900'000, 'x'));
    wait_for_bytes(head.size() + 900'000);
    advance(seconds(74));
    EXPECT_EQ(server->stats().connections, 1);
    advance(seconds(1));
    EXPECT_EQ(client.receive()->status, 408);
}

TEST_F(ServerTimeTest, AClientThatDoesNotReadIsCutOff) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = std::string(30'000'000, 'x')});
    };
    start_timed();
    auto client = connect();
    client.set_receive_buffer(4'096);
    client.send(kGet);
    ASSERT_TRUE(wait_until([&] { return server->stats().bytes_out > 0; }));
    advance(seconds(29));
    EXPECT_EQ(server->stats().connections, 1);
    // Some bytes, but fewer than a kilobyte a second.
    client.receive_bytes(1);
    advance(seconds(31));
    advance(seconds(31));
    wait_for_connections(0);
    ASSERT_TRUE(wait_until([&] { return app.done().size() == 1; }));
    EXPECT_FALSE(app.done()[0].complete);
    EXPECT_LT(app.done()[0].bytes_out, 30'000'000);
}

TEST_F(ServerTimeTest, AClientThatReadsSlowlyEnoughIsServed) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = std::string(20'000'000, 'x'), .close = true});
    };
    start_timed();
    auto client = connect();
    client.send(kGet);
    std::size_t got = 0;
    std::uint64_t sent = 0;
    int pauses = 0;
    while (got < 20'000'000) {
        const std::size_t part = client.receive_bytes(1'000'000).size();
        ASSERT_GT(part, 0);
        got += part;
        // Slow, but there is progress in each half minute.
        const std::uint64_t now_sent = server->stats().bytes_out;
        if (now_sent >= sent + 40'000 && now_sent < 20'000'000) {
            sent = now_sent;
            ++pauses;
            advance(seconds(29));
        }
    }
    EXPECT_GE(pauses, 3);
    ASSERT_TRUE(wait_until([&] { return app.done().size() == 1; }));
    EXPECT_TRUE(app.done()[0].complete);
}

TEST_F(ServerTimeTest, ARefusedClientIsNotHeardForLong) {
    start_timed();
    auto client = connect();
    client.send("nonsense\r\n");
    EXPECT_EQ(client.receive()->status, 400);
    wait_for_connections(1);
    client.send(std::string(1'000, 'x'));
    advance(seconds(1));
    EXPECT_EQ(server->stats().connections, 1);
    advance(seconds(1));
    wait_for_connections(0);
}

// --- Connections -------------------------------------------------------------------------------

TEST_F(ServerTimeTest, TheOldestIncompleteConnectionMakesRoom) {
    options.connections_max = 3;
    start_timed();
    std::vector<test::RawClient> clients;
    for (std::size_t i = 0; i < 3; ++i) {
        clients.push_back(connect());
        clients.back().send("GET /");
        wait_for_bytes(5 * (i + 1));
        advance(seconds(1));
    }
    EXPECT_EQ(server->stats().connections, 3);
    auto good = connect();
    EXPECT_EQ(ask(good, kGet), 200);
    EXPECT_TRUE(clients[0].is_closed());
    EXPECT_EQ(ask(clients[1], "b HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    EXPECT_EQ(ask(clients[2], "c HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    EXPECT_EQ(server->stats().evicted, 1);
    EXPECT_EQ(server->stats().turned_away, 0);
}

TEST_F(ServerTimeTest, AnIdleConnectionMakesRoomWhenNoneIsIncomplete) {
    options.connections_max = 2;
    start_timed();
    auto first = connect();
    EXPECT_EQ(ask(first, kGet), 200);
    advance(seconds(1));
    auto second = connect();
    EXPECT_EQ(ask(second, kGet), 200);
    auto third = connect();
    EXPECT_EQ(ask(third, kGet), 200);
    EXPECT_TRUE(first.is_closed());
    EXPECT_EQ(ask(second, kGet), 200);
}

TEST_F(ServerTimeTest, ASlowBodyMakesRoomButNotAtOnce) {
    options.connections_max = 1;
    start_timed();
    auto slow = connect();
    slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    ASSERT_TRUE(wait_until([&] { return server->stats().requests == 1; }));
    auto turned_away = connect();
    EXPECT_EQ(ask(turned_away, ""), 503);
    advance(seconds(9));
    slow.send("x");
    auto turned_away_again = connect();
    EXPECT_EQ(ask(turned_away_again, ""), 503);
    slow.send("x");
    advance(seconds(1));
    auto good = connect();
    EXPECT_EQ(ask(good, kGet), 200);
    EXPECT_TRUE(slow.is_closed());
}

TEST_F(ServerTimeTest, WhenAllAreBusyANewcomerIsToldSo) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    options.connections_max = 2;
    start_timed();
    auto first = connect();
    first.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    auto second = connect();
    second.send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 2; }));
    auto third = connect();
    const auto response = third.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 503);
    EXPECT_EQ(response->body, "OVERLOADED");
    EXPECT_EQ(response->header("Connection"), "close");
    third.close();
    EXPECT_EQ(server->stats().turned_away, 1);
    waiting.respond("/1", {});
    EXPECT_EQ(first.receive()->status, 200);
    waiting.respond("/2", {});
    EXPECT_EQ(second.receive()->status, 200);
}

TEST_F(ServerTimeTest, OneAddressHasSoManyIncompleteConnections) {
    options.connections_per_peer_max = 3;
    start_timed();
    std::vector<test::RawClient> clients;
    for (std::size_t i = 0; i < 3; ++i) {
        clients.push_back(connect());
        wait_for_connections(i + 1);
        advance(seconds(1));
    }
    EXPECT_EQ(ask(clients[0], kGet), 200);  // not incomplete any more
    clients.push_back(connect());
    wait_for_connections(4);
    EXPECT_EQ(server->stats().evicted, 0);
    auto good = connect();
    EXPECT_EQ(ask(good, kGet), 200);
    EXPECT_TRUE(clients[1].is_closed());
    EXPECT_EQ(ask(clients[0], kGet), 200);
    EXPECT_EQ(ask(clients[2], kGet), 200);
    EXPECT_EQ(server->stats().evicted, 1);
}

TEST_F(ServerTest, AThousandConnectionsAreServed) {
    constexpr std::size_t kConnections = 1'000;
    options.connections_per_peer_max = kConnections;
    start();
    std::vector<test::RawClient> clients;
    for (std::size_t i = 0; i < kConnections; ++i) {
        clients.push_back(connect());
    }
    ASSERT_TRUE(wait_until([&] { return server->stats().connections == kConnections; }));
    for (int round = 0; round < 2; ++round) {
        for (auto& client : clients) {
            ASSERT_TRUE(client.send(kGet));
        }
        for (auto& client : clients) {
            const auto response = client.receive();
            ASSERT_TRUE(response);
            EXPECT_EQ(response->body, "GET /a ");
        }
    }
    EXPECT_EQ(server->stats().requests, 2 * kConnections);
    EXPECT_EQ(server->stats().evicted, 0);
    clients.clear();
    EXPECT_TRUE(wait_until([&] { return server->stats().connections == 0; }));
}

TEST_F(ServerTest, GoodClientsGetThroughAFloodOfIncompleteOnes) {
    options.connections_max = 200;
    start();
    std::vector<test::RawClient> flood;
    for (int i = 0; i < 1'000; ++i) {
        flood.push_back(connect());
        flood.back().send("GET / HTTP/1.1\r\nX: ");
        if (i % 50 == 49) {
            auto good = connect();
            EXPECT_EQ(ask(good, kGet), 200) << i;
        }
    }
    EXPECT_TRUE(wait_until([&] { return server->stats().connections <= 200; }));
    EXPECT_GE(server->stats().evicted, 800);
    EXPECT_EQ(server->stats().turned_away, 0);
}

}  // namespace
}  // namespace lab::http
