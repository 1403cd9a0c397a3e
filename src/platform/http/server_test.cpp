#include "platform/http/server.h"

#include "platform/http/impl/test_server.h"

namespace lab::http {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string request(
    std::string_view method, std::string_view target, std::string_view rest = "\r\n"
) {
    return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
           std::string(rest);
}

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
    const ServerStats stats = server->stats();
    EXPECT_EQ(stats.connections, 1);
    EXPECT_EQ(stats.accepted, 1);
    EXPECT_EQ(stats.requests, 3);
    EXPECT_EQ(stats.bytes_in, 3 * kGet.size());
}

TEST_F(ServerTest, TheHeadSaysWhoAsks) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        const Peer& peer = exchange->head().peer;
        exchange->respond(
            {.body = peer.address + (peer.loopback ? " loopback" : "") + (peer.tls ? " tls" : "")}
        );
    };
    for (const std::string address : {"127.0.0.1", "::"}) {
        options.address = address;
        auto started = Server::start(system_clock_, options, app);
        if (!started && address == "::") {
            GTEST_SKIP() << "no IPv6 here: " << started.error().message;
        }
        ASSERT_TRUE(started);
        server = *std::move(started);
        auto client = connect();
        client.send(kGet);
        EXPECT_EQ(client.receive()->body, "127.0.0.1 loopback") << "listening on " << address;
    }
}

TEST_F(ServerTest, HeadersAreTheApplicationsExceptTheListenersOwn) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({
            .status = 201,
            .headers =
                {{"Location", "/b"},
                 {"Set-Cookie", "a"},
                 {"Set-Cookie", "b"},
                 {"content-length", "99"},
                 {"Transfer-Encoding", "chunked"},
                 {"CONNECTION", "close"},
                 {"Keep-Alive", "x"},
                 {"Date", "now"}},
            .body = "body",
        });
    };
    start();
    auto client = connect();
    client.send(kGet);
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->head.starts_with("HTTP/1.1 201 Created\r\n"));
    EXPECT_EQ(response->header("Location"), "/b");
    EXPECT_EQ(response->count("Set-Cookie"), 2);
    EXPECT_EQ(response->count("Content-Length"), 1);
    EXPECT_EQ(response->header("Content-Length"), "4");
    EXPECT_EQ(response->count("Transfer-Encoding"), 0);
    EXPECT_EQ(response->count("Connection"), 0);
    EXPECT_EQ(response->count("Keep-Alive"), 0);
    EXPECT_EQ(response->count("Date"), 1);
    EXPECT_TRUE(response->header("Date").ends_with(" GMT"));
    EXPECT_EQ(ask(client, kGet), 201);
}

TEST_F(ServerTest, HeadIsAnsweredAsGetWithoutTheBody) {
    start();
    auto client = connect();
    client.send(request("HEAD", "/a") + std::string(kGet));
    const auto head = client.receive(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->header("Content-Length"), "8");  // "HEAD /a "
    EXPECT_EQ(client.receive()->body, "GET /a ");
}

TEST_F(ServerTest, StatusesWithoutABodyHaveNone) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        const int status = exchange->head().target == "/304" ? 304 : 204;
        exchange->respond({.status = status, .body = "not sent"});
    };
    start();
    auto client = connect();
    client.send(request("GET", "/204") + request("GET", "/304") + request("GET", "/204"));
    for (const int status : {204, 304, 204}) {
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->status, status);
        EXPECT_EQ(response->count("Content-Length"), 0);
        EXPECT_EQ(response->count("Transfer-Encoding"), 0);
    }
}

TEST_F(ServerTest, BodiesComeWholeByLengthAndInChunks) {
    start();
    auto client = connect();
    client.send(request("POST", "/l", "Content-Length: 5\r\n\r\nhello"));
    EXPECT_EQ(client.receive()->body, "POST /l hello");
    client.send(request(
        "PUT",
        "/c",
        "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n"
    ));
    EXPECT_EQ(client.receive()->body, "PUT /c hello");
    client.send(request("POST", "/0", "Content-Length: 0\r\n\r\n"));
    EXPECT_EQ(client.receive()->body, "POST /0 ");
    client.send(request("POST", "/none"));
    EXPECT_EQ(client.receive()->body, "POST /none ");
    client.send(request("GET", "/g", "Content-Length: 1\r\n\r\nx"));
    EXPECT_EQ(client.receive()->body, "GET /g x");
    EXPECT_EQ(server->stats().accepted, 1);
}

TEST_F(ServerTest, BytesMayComeOneByOne) {
    start();
    auto client = connect();
    const std::string bytes =
        request("POST", "/c", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") +
        request("POST", "/l", "Content-Length: 3\r\n\r\nabc");
    for (const char byte : bytes) {
        ASSERT_TRUE(client.send({&byte, 1}));
    }
    EXPECT_EQ(client.receive()->body, "POST /c hello");
    EXPECT_EQ(client.receive()->body, "POST /l abc");
}

TEST_F(ServerTest, Http10ClosesUnlessAskedNotTo) {
    start();
    auto kept = connect();
    for (int i = 0; i < 2; ++i) {
        kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const auto response = kept.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->header("Connection"), "keep-alive");
        EXPECT_EQ(response->body, "GET /a ");
    }
    kept.send("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_EQ(kept.receive()->header("Connection"), "close");
    EXPECT_TRUE(kept.is_closed());
}

TEST_F(ServerTest, ConnectionCloseIsObeyedAndNothingBehindItAnswered) {
    start();
    auto client = connect();
    client.send(request("GET", "/1", "Connection: close\r\n\r\n") + std::string(kGet));
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server->stats().requests, 1);
}

TEST_F(ServerTest, TheApplicationMayClose) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = "bye", .close = true});
    };
    start();
    auto client = connect();
    client.send(std::string(kGet) + std::string(kGet));
    EXPECT_EQ(client.receive()->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
}

// --- Expect: 100-continue ----------------------------------------------------------------------

TEST_F(ServerTest, AnExpectedContinueIsSentBeforeTheBody) {
    start();
    auto client = connect();
    client.send(request("POST", "/a", "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_EQ(client.receive()->status, 100);
    client.send("hello");
    EXPECT_EQ(client.receive()->body, "POST /a hello");
    // A body that is there already needs no invitation.
    client.send(request("POST", "/b", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi"));
    EXPECT_EQ(client.receive()->body, "POST /b hi");
}

TEST_F(ServerTest, ARefusalComesInsteadOfContinue) {
    app.plan = [](const RequestHead& head) {
        return head.target == "/big"
                   ? BodyPlan{.bytes_max = 4}
                   : BodyPlan{.kind = BodyPlan::Kind::reply_now, .reply = {.status = 401}};
    };
    start();
    for (const auto& [target, status] : {std::pair("/big", 413), std::pair("/no", 401)}) {
        auto client = connect();
        client.send(request("POST", target, "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->status, status);
        EXPECT_EQ(response->header("Connection"), "close");
        EXPECT_TRUE(client.is_closed());
    }
}

// --- Answers without a body read ---------------------------------------------------------------

TEST_F(ServerTest, AReplyFromTheHeadLeavesASmallBodyOut) {
    app.plan = [](const RequestHead&) {
        return BodyPlan{.kind = BodyPlan::Kind::reply_now, .reply = {.status = 403}};
    };
    options.discard_bytes_max = 10;
    start();
    auto client = connect();
    EXPECT_EQ(ask(client, kGet), 403);
    EXPECT_EQ(ask(client, request("POST", "/", "Content-Length: 10\r\n\r\n0123456789")), 403);
    EXPECT_EQ(ask(client, kGet), 403);
    client.send(request("POST", "/", "Content-Length: 11\r\n\r\n0123456789a"));
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server->stats().accepted, 1);
}

// --- Pipelining --------------------------------------------------------------------------------

TEST_F(ServerTest, AnswersKeepTheOrderOfTheRequestsWhoeverAnswersFirst) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    auto client = connect();
    client.send(request("GET", "/1") + request("GET", "/2") + request("GET", "/3"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 3; }));
    EXPECT_EQ(server->stats().in_flight, 3);
    waiting.respond("/3", {.body = "third"});
    std::thread([&] { waiting.respond("/2", {.body = "second"}); }).join();
    EXPECT_FALSE(client.hears(std::chrono::milliseconds(20)));
    waiting.respond("/1", {.body = "first"});
    EXPECT_EQ(client.receive()->body, "first");
    EXPECT_EQ(client.receive()->body, "second");
    EXPECT_EQ(client.receive()->body, "third");
    EXPECT_EQ(server->stats().in_flight, 0);
}

TEST_F(ServerTest, NoMoreThanSoManyRequestsAreOutstanding) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    options.pipelining_max = 4;
    start();
    auto client = connect();
    std::string bytes;
    for (int i = 0; i < 10; ++i) {
        bytes += request("GET", "/" + std::to_string(i));
    }
    client.send(bytes);
    for (int i = 0; i < 10; ++i) {
        const std::size_t expected = std::min<std::size_t>(4, 10 - static_cast<std::size_t>(i));
        ASSERT_TRUE(wait_until([&] { return waiting.size() == expected; })) << i;
        EXPECT_EQ(server->stats().in_flight, expected);
        waiting.respond("/" + std::to_string(i), {.body = std::to_string(i)});
        EXPECT_EQ(client.receive()->body, std::to_string(i));
    }
}

TEST_F(ServerTest, RequestsThatChangeSomethingAreWorkedOnAlone) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    auto client = connect();
    client.send(request("GET", "/1") + request("POST", "/2") + request("GET", "/3"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 1; }));
    EXPECT_EQ(server->stats().in_flight, 1);
    waiting.respond("/1", {});
    ASSERT_TRUE(client.receive());
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 1; }));
    EXPECT_EQ(server->stats().in_flight, 1);
    waiting.respond("/2", {});
    ASSERT_TRUE(client.receive());
    waiting.respond("/3", {});
    ASSERT_TRUE(client.receive());
}

TEST_F(ServerTest, AMistakeBehindGoodRequestsIsAnsweredLast) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    auto client = connect();
    client.send(request("GET", "/1") + request("GET", "/2") + "BAD\r\n" + request("GET", "/3"));
    waiting.respond("/2", {.body = "2"});
    waiting.respond("/1", {.body = "1"});
    EXPECT_EQ(client.receive()->body, "1");
    EXPECT_EQ(client.receive()->body, "2");
    const auto refusal = client.receive();
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 400);
    EXPECT_EQ(refusal->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server->stats().requests, 2);
}

TEST_F(ServerTest, ManyPipelinedRequestsAreAllAnswered) {
    start();
    auto client = connect();
    constexpr int kCount = 1'000;
    std::thread sender([&] {
        for (int i = 0; i < kCount; ++i) {
            client.send(request("GET", "/" + std::to_string(i)));
        }
    });
    test::RawClient& receiver = client;  // reading and writing are apart in it
    for (int i = 0; i < kCount; ++i) {
        const auto response = receiver.receive();
        ASSERT_TRUE(response) << i;
        EXPECT_EQ(response->body, "GET /" + std::to_string(i) + " ");
    }
    sender.join();
}

// --- Exchanges ---------------------------------------------------------------------------------

TEST_F(ServerTest, AnExchangeWithoutAnAnswerIsA500) {
    app.request = [](const std::shared_ptr<Exchange>&) {};
    start();
    auto client = connect();
    client.send(kGet);
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 500);
    EXPECT_EQ(response->body, "INTERNAL_ERROR");
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(app.refused().at(0).has_head);
}

TEST_F(ServerTest, AnExchangeLetGoByAnotherThreadIsA500) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    auto client = connect();
    client.send(kGet);
    waiting.take("/a").reset();
    EXPECT_EQ(client.receive()->status, 500);
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, TheFirstAnswerCounts) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = "first"});
        exchange->respond({.body = "second"});
        exchange->begin_stream(200, {});
        EXPECT_EQ(exchange->write("third"), Sending::closed);
        exchange->end_stream();
    };
    start();
    auto client = connect();
    client.send(kGet);
    EXPECT_EQ(client.receive()->body, "first");
    client.send(kGet);
    EXPECT_EQ(client.receive()->body, "first");
}

TEST_F(ServerTest, AnAnswerThatCannotBeSentIsA500) {
    std::vector<Response> broken = {
        {.headers = {{"A", "b\r\nC: d"}}},
        {.headers = {{"A", "b\nc"}}},
        {.headers = {{"A", std::string(1, '\0')}}},
        {.headers = {{"A b", "c"}}},
        {.headers = {{"", "c"}}},
        {.headers = {{"A\r\n", "c"}}},
        {.status = 99},
        {.status = 100},
        {.status = 600},
        {.status = -1},
    };
    for (const bool refusal_is_broken : {false, true}) {
        for (const Response& response : broken) {
            app.request = [&](const std::shared_ptr<Exchange>& exchange) {
                exchange->respond(response);
            };
            if (refusal_is_broken) {
                app.refusal = [&](int) { return broken.front(); };
            }
            start();
            auto client = connect();
            client.send(kGet);
            const auto received = client.receive();
            ASSERT_TRUE(received);
            EXPECT_EQ(received->status, 500);
            EXPECT_EQ(received->count("C"), 0);
            EXPECT_TRUE(client.is_closed());
        }
    }
}

TEST_F(ServerTest, TheApplicationHearsWhatBecameOfEachAnswer) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->set_context(std::make_shared<std::string>("context"));
        exchange->respond({.status = 202, .body = std::string(100'000, 'x')});
    };
    start();
    auto client = connect();
    client.send(request("POST", "/a", "Content-Length: 5\r\n\r\nhello"));
    const auto response = client.receive();
    ASSERT_TRUE(response);
    client.send("nonsense\r\n");
    ASSERT_TRUE(client.receive());
    ASSERT_TRUE(wait_until([&] { return app.done().size() == 2; }));
    const TestApplication::Done good = app.done()[0];
    EXPECT_EQ(good.target, "/a");
    EXPECT_EQ(good.status, 202);
    EXPECT_EQ(good.bytes_in, request("POST", "/a", "Content-Length: 5\r\n\r\nhello").size());
    EXPECT_EQ(good.bytes_out, response->head.size() + 100'000);
    EXPECT_TRUE(good.complete);
    ASSERT_TRUE(good.context);
    EXPECT_EQ(*std::static_pointer_cast<std::string>(good.context), "context");
    const TestApplication::Done bad = app.done()[1];
    EXPECT_EQ(bad.target, "");
    EXPECT_EQ(bad.status, 400);
}

TEST_F(ServerTest, AnExchangeMayOutliveTheServer) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    auto client = connect();
    client.send(request("GET", "/1") + request("GET", "/2") + request("GET", "/3"));
    ASSERT_TRUE(wait_until([&] { return waiting.size() == 3; }));
    const auto answered = waiting.take("/1");
    const auto streamed = waiting.take("/2");
    streamed->begin_stream(200, {});
    auto dropped = waiting.take("/3");
    server.reset();
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(answered->cancelled().reason(), CancelReason::shutdown);
    EXPECT_EQ(answered->head().target, "/1");
    answered->respond({.body = "late"});
    EXPECT_EQ(streamed->write("late"), Sending::closed);
    streamed->end_stream();
    streamed->resume_body();
    dropped.reset();
}

TEST_F(ServerTest, OptionsAreChecked) {
    const auto fails = [&](const std::function<void(ServerOptions&)>& change) {
        ServerOptions changed;
        change(changed);
        const auto started = Server::start(system_clock_, changed, app);
        return !started && started.error().code == Code::validation;
    };
    EXPECT_TRUE(fails([](ServerOptions& o) { o.address = "localhost"; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.address = ""; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.threads = 0; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.threads = 65; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.body_rate_min = 0; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.connections_max = 0; }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.idle_timeout = Duration::zero(); }));
    EXPECT_TRUE(fails([](ServerOptions& o) { o.certificate_file = "a.pem"; }));
    options.port = 0;
    start();
    options.port = server->port();
    const auto second = Server::start(system_clock_, options, app);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::io);
}

}  // namespace
}  // namespace lab::http
