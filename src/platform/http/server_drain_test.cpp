#include "platform/http/impl/test_server.h"

#include <future>

namespace lab::http {
namespace {

using std::chrono::seconds;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string get(std::string_view target) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

class ServerDrainTest : public ServerTest {
  protected:
    void start_waiting() {
        app.request = [this](std::shared_ptr<Exchange> exchange) {
            waiting.put(std::move(exchange));
        };
        start();
    }
    /// Drains on another thread; returns when the port is closed.
    std::future<void> begin_drain(Duration limit = seconds(20)) {
        auto drained = std::async(std::launch::async, [this, limit] { server->drain(limit); });
        EXPECT_TRUE(wait_until([&] { return is_port_closed(); }));
        return drained;
    }
    /// Without haste: a full queue of connections drops one, whose client tries again after a
    /// second, and that is all the time an idle connection has.
    bool is_port_closed() {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        test::RawClient probe(server->port());
        return probe.is_refused();
    }
    static bool is_done(const std::future<void>& drained) {
        return drained.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready;
    }
    Waiting waiting;
};

TEST_F(ServerDrainTest, RequestsInFlightGetTheirAnswersAndTheConnectionItsEnd) {
    start_waiting();
    auto client = connect();
    client.send(get("/1") + get("/2") + get("/3"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 3; }));
    auto drained = begin_drain();
    EXPECT_FALSE(is_done(drained));
    waiting.respond("/2", {.body = "2"});
    waiting.respond("/1", {.body = "1"});
    const auto first = client.receive();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->body, "1");
    EXPECT_EQ(first->count("Connection"), 0);
    EXPECT_EQ(client.receive()->body, "2");
    EXPECT_FALSE(is_done(drained));
    waiting.respond("/3", {.body = "3"});
    const auto last = client.receive();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->body, "3");
    EXPECT_EQ(last->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    client.close();
    drained.get();
    EXPECT_EQ(server->stats().connections, 0);
}

TEST_F(ServerDrainTest, PipelinedRequestsThatWaitTheirTurnAreAnsweredToo) {
    start_waiting();
    auto client = connect();
    const std::string post = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
    client.send(get("/1") + post + "x" + get("/2"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 1; }));
    auto drained = begin_drain();
    for (const std::string target : {"/1", "/p", "/2"}) {
        waiting.respond(target, {.body = target});
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->body, target);
        EXPECT_EQ(response->header("Connection"), target == "/2" ? "close" : "");
    }
    EXPECT_TRUE(client.is_closed());
    client.close();
    drained.get();
}

TEST_F(ServerDrainTest, IdleConnectionsAreClosedSoon) {
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, kGet), 200);
    const auto before = std::chrono::steady_clock::now();
    server->drain(seconds(20));
    EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(15));
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(is_port_closed());
    server->drain(seconds(20));  // a second time is no harm
}

TEST_F(ServerDrainTest, ARequestThatIsOnItsWayOnAnIdleConnectionIsAnswered) {
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, kGet), 200);
    auto drained = begin_drain();
    client.send(kGet);
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    client.close();
    drained.get();
}

TEST_F(ServerDrainTest, AHalfSentRequestMayBeCompleted) {
    start();
    auto client = connect();
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-");
    ASSERT_TRUE(wait_until([&] { return server->stats().bytes_in > 0; }));
    auto drained = begin_drain();
    EXPECT_FALSE(is_done(drained));
    client.send("Length: 2\r\n\r\nhi");
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "POST /a hi");
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    client.close();
    drained.get();
}

TEST_F(ServerDrainTest, AConnectionWithoutARequestHoldsNothingUpForLong) {
    start();
    auto client = connect();
    ASSERT_TRUE(wait_until([&] { return server->stats().connections == 1; }));
    const auto before = std::chrono::steady_clock::now();
    server->drain(seconds(20));
    EXPECT_TRUE(client.is_closed());
    EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(15));
}

TEST_F(ServerDrainTest, ConnectionsInTheQueueAreServed) {
    // All I/O threads are held in the application, so that nobody accepts.
    std::promise<void> release;
    const std::shared_future<void> released = release.get_future().share();
    std::atomic<int> held = 0;
    app.request = [&](const std::shared_ptr<Exchange>& exchange) {
        if (exchange->head().target == "/hold") {
            ++held;
            released.wait();
        }
        exchange->respond({.body = exchange->head().target});
    };
    options.threads = 1;
    start();
    auto holder = connect();
    holder.send(get("/hold"));
    ASSERT_TRUE(wait_until([&] { return held == 1; }));
    auto queued = connect();  // the system takes it, we have not
    queued.send(get("/queued"));
    auto drained = std::async(std::launch::async, [&] { server->drain(seconds(20)); });
    release.set_value();
    EXPECT_EQ(holder.receive()->body, "/hold");
    const auto response = queued.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "/queued");
    holder.close();
    queued.close();
    drained.get();
}

TEST_F(ServerDrainTest, WhatIsLeftAtTheLimitIsCut) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    server->drain(std::chrono::milliseconds(50));
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(exchange->cancelled().reason(), CancelReason::shutdown);
    EXPECT_EQ(app.done().at(0).status, 0);
    EXPECT_FALSE(app.done().at(0).complete);
}

TEST_F(ServerDrainTest, AStreamIsWaitedFor) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    const std::string head = client.receive_bytes(1);
    EXPECT_TRUE(head.ends_with("\r\n\r\n"));
    auto drained = begin_drain();
    EXPECT_FALSE(is_done(drained));
    exchange->write("b");
    exchange->end_stream();
    EXPECT_EQ(client.receive_bytes(11), "1\r\nb\r\n0\r\n\r\n");
    EXPECT_TRUE(client.is_closed());
    client.close();
    drained.get();
}

TEST_F(ServerDrainTest, UnderLoadEveryRequestThatWasSentIsAnswered) {
    start();
    std::atomic<std::uint64_t> answered = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back([&] {
            auto client = connect();
            bool goes_on = true;
            while (goes_on && client.send(get("/1") + get("/2"))) {
                for (int pair = 0; pair < 2 && goes_on; ++pair) {
                    const auto response = client.receive();
                    answered += response ? 1 : 0;
                    goes_on = response && response->header("Connection") != "close";
                }
            }
        });
    }
    ASSERT_TRUE(wait_until([&] { return answered > 1'000; }));
    server->drain(seconds(20));
    for (auto& client : clients) {
        client.join();
    }
    // Whatever reached the application, its answer reached the client.
    EXPECT_EQ(answered, server->stats().requests);
    EXPECT_EQ(server->stats().connections, 0);
    for (const auto& done : app.done()) {
        EXPECT_TRUE(done.complete);
    }
}

}  // namespace
}  // namespace lab::http
