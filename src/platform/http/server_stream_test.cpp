#include "platform/http/impl/test_server.h"

namespace lab::http {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::size_t kBuffer = 100'000;

class ServerStreamTest : public ServerTest {
  protected:
    /// Starts a server whose requests wait in `waiting`.
    void start_waiting() {
        app.request = [this](std::shared_ptr<Exchange> exchange) {
            waiting.put(std::move(exchange));
        };
        options.stream_buffer_bytes = kBuffer;
        start();
    }
    Waiting waiting;
};

// --- Answers as streams ------------------------------------------------------------------------

TEST_F(ServerStreamTest, HeadAndPiecesLeaveAtOnce) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}});
    const std::string head = client.receive_bytes(1);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_EQ(head.find("Content-Length"), std::string::npos);
    EXPECT_EQ(exchange->write("data: 1\n\n"), Sending::more);
    EXPECT_EQ(client.receive_bytes(14), "9\r\ndata: 1\n\n\r\n");
    EXPECT_EQ(exchange->write(""), Sending::more);
    EXPECT_EQ(exchange->write(std::string(20, 'x')), Sending::more);
    EXPECT_EQ(client.receive_bytes(26), "14\r\n" + std::string(20, 'x') + "\r\n");
    exchange->end_stream();
    EXPECT_EQ(client.receive_bytes(5), "0\r\n\r\n");
    EXPECT_EQ(exchange->write("late"), Sending::closed);
}

TEST_F(ServerStreamTest, TheConnectionIsKeptBehindAStream) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->begin_stream(200, {});
        EXPECT_EQ(exchange->write("hello, "), Sending::more);
        EXPECT_EQ(exchange->write("world"), Sending::more);
        exchange->end_stream();
    };
    start();
    auto client = connect();
    client.send(std::string(kGet) + std::string(kGet));
    for (int i = 0; i < 2; ++i) {
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->body, "hello, world");
    }
    EXPECT_EQ(ask(client, kGet), 200);
}

TEST_F(ServerStreamTest, StreamsKeepTheOrderOfTheRequests) {
    start_waiting();
    auto client = connect();
    client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto second = waiting.take("/2");
    second->begin_stream(200, {});
    EXPECT_EQ(second->write("second"), Sending::more);
    second->end_stream();
    const auto first = waiting.take("/1");
    first->begin_stream(200, {});
    EXPECT_EQ(first->write("first"), Sending::more);
    first->end_stream();
    EXPECT_EQ(client.receive()->body, "first");
    EXPECT_EQ(client.receive()->body, "second");
}

TEST_F(ServerStreamTest, OldClientsReadToTheEndOfTheConnection) {
    start_waiting();
    auto client = connect();
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    exchange->write("hello");
    exchange->end_stream();
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "hello");
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_EQ(response->count("Transfer-Encoding"), 0);
}

TEST_F(ServerStreamTest, HeadHasNoStream) {
    start_waiting();
    auto client = connect();
    client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    EXPECT_EQ(exchange->write("hello"), Sending::closed);
    ASSERT_TRUE(client.receive(true));
    client.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    waiting.respond("/b", {.body = "b"});
    EXPECT_EQ(client.receive()->body, "b");
}

TEST_F(ServerStreamTest, AKnownLengthIsKept) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exact = waiting.take("/a");
    exact->begin_stream(200, {{"content-length", "10"}});
    EXPECT_EQ(exact->write("01234"), Sending::more);
    EXPECT_EQ(exact->write("56789"), Sending::more);
    exact->end_stream();
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->header("Content-Length"), "10");
    EXPECT_EQ(response->count("Transfer-Encoding"), 0);
    EXPECT_EQ(response->body, "0123456789");
    client.send(kGet);
    const auto too_short = waiting.take("/a");
    too_short->begin_stream(200, {{"Content-Length", "10"}});
    too_short->write("01234");
    too_short->end_stream();
    EXPECT_FALSE(client.receive());
    client.receive_bytes(1'000);
    EXPECT_TRUE(client.is_closed());
    auto another = connect();
    another.send(kGet);
    const auto too_long = waiting.take("/a");
    too_long->begin_stream(200, {{"Content-Length", "10"}});
    too_long->write("0123456789a");
    EXPECT_FALSE(another.receive());
}

TEST_F(ServerStreamTest, AStreamLetGoIsCutNotEnded) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    exchange->write("half");
    EXPECT_NE(client.receive_bytes(1), "");
    exchange.reset();
    EXPECT_EQ(client.receive_bytes(1'000'000).find("0\r\n\r\n"), std::string::npos);
    EXPECT_TRUE(client.is_closed());
    ASSERT_TRUE(wait_until([&] { return app.done().size() == 1; }));
    EXPECT_FALSE(app.done()[0].complete);
    EXPECT_EQ(app.done()[0].status, 200);
}

TEST_F(ServerStreamTest, AStreamWhoseHeadCannotBeSentIsA500) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {{"A", "b\r\nC: d"}});
    EXPECT_EQ(client.receive()->status, 500);
    EXPECT_EQ(exchange->write("x"), Sending::closed);
    EXPECT_TRUE(client.is_closed());
}

// --- Back-pressure -----------------------------------------------------------------------------

TEST_F(ServerStreamTest, AWriterIsToldToWaitAndWhenToGoOn) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    constexpr std::size_t kTotal = 40'000'000;
    const std::string piece(50'000, 'x');
    std::mutex mutex;
    std::condition_variable wake;
    bool may_go_on = true;
    int waits = 0;
    std::thread writer([&] {
        for (std::size_t written = 0; written < kTotal; written += piece.size()) {
            {
                std::unique_lock lock(mutex);
                if (!wake.wait_for(lock, std::chrono::seconds(20), [&] { return may_go_on; })) {
                    ADD_FAILURE() << "nobody said go on";
                    return;
                }
                may_go_on = false;
            }
            const Sending sending = exchange->write(piece, [&] {
                const std::lock_guard lock(mutex);
                may_go_on = true;
                wake.notify_one();
            });
            ASSERT_NE(sending, Sending::closed);
            if (sending == Sending::wait) {
                ++waits;
            } else {
                const std::lock_guard lock(mutex);
                may_go_on = true;
            }
        }
        exchange->end_stream();
    });
    const auto response = client.receive();
    writer.join();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body.size(), kTotal);
    EXPECT_GE(waits, 1);
}

TEST_F(ServerStreamTest, AWriterOnTheLoopGoesOnFromItsCallback) {
    struct Writer : std::enable_shared_from_this<Writer> {
        std::shared_ptr<Exchange> exchange;
        int left = 2'000;
        void go_on() {
            while (left > 0) {
                --left;
                const Sending sending = exchange->write(
                    std::string(10'000, 'x'), [self = shared_from_this()] { self->go_on(); }
                );
                if (sending != Sending::more) {
                    return;
                }
            }
            exchange->end_stream();
        }
    };
    app.request = [](std::shared_ptr<Exchange> exchange) {
        const auto writer = std::make_shared<Writer>();
        writer->exchange = std::move(exchange);
        writer->exchange->begin_stream(200, {});
        writer->go_on();
    };
    options.stream_buffer_bytes = kBuffer;
    start();
    auto client = connect();
    for (int i = 0; i < 2; ++i) {
        client.send(kGet);
        const auto response = client.receive();
        ASSERT_TRUE(response);
        EXPECT_EQ(response->body.size(), 20'000'000);
    }
}

TEST_F(ServerStreamTest, WhoWritesOnRegardlessIsCutOff) {
    start_waiting();
    auto client = connect();
    client.set_receive_buffer(4'096);
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    // What the system buffers, and four times our own buffer, is soon full.
    EXPECT_TRUE(wait_until([&] {
        return exchange->write(std::string(kBuffer, 'x')) == Sending::closed;
    }));
    EXPECT_TRUE(exchange->cancelled().cancelled());
}

// --- Clients that go ---------------------------------------------------------------------------

TEST_F(ServerStreamTest, AStreamHearsThatItsClientIsGone) {
    start_waiting();
    for (const bool reset : {false, true}) {
        auto client = connect();
        client.send(kGet);
        const auto exchange = waiting.take("/a");
        const CancelToken token = exchange->cancelled();
        std::atomic<int> calls = 0;
        exchange->on_cancel([&] { ++calls; });
        exchange->begin_stream(200, {});
        EXPECT_NE(client.receive_bytes(1), "");
        EXPECT_FALSE(token.cancelled());
        reset ? client.reset() : client.close();
        EXPECT_TRUE(wait_until([&] { return token.cancelled(); }));
        EXPECT_EQ(token.reason(), CancelReason::user);
        EXPECT_TRUE(wait_until([&] { return calls == 1; }));
        EXPECT_EQ(exchange->write("x"), Sending::closed);
        exchange->on_cancel([&] { ++calls; });
        EXPECT_EQ(calls, 2);
        EXPECT_TRUE(wait_until([&] { return server->stats().connections == 0; }));
    }
}

TEST_F(ServerStreamTest, ARequestHearsThatItsClientIsGone) {
    start_waiting();
    for (const std::string_view version : {"HTTP/1.1", "HTTP/1.0"}) {
        auto client = connect();
        client.send("GET /a " + std::string(version) + "\r\nHost: x\r\n\r\n");
        const auto exchange = waiting.take("/a");
        client.close();
        EXPECT_TRUE(wait_until([&] { return exchange->cancelled().cancelled(); }));
        exchange->respond({});
        EXPECT_TRUE(wait_until([&] { return server->stats().connections == 0; }));
    }
}

TEST_F(ServerStreamTest, AClientThatOnlyEndsItsSideStillGetsItsAnswer) {
    start_waiting();
    auto client = connect();
    client.send(kGet);
    client.end_sending();
    const auto exchange = waiting.take("/a");
    EXPECT_TRUE(wait_until([&] { return exchange->cancelled().cancelled(); }));
    exchange->respond({.body = "still"});
    EXPECT_EQ(client.receive()->body, "still");
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerStreamTest, AWaitingWriterIsCalledWhenTheClientGoes) {
    start_waiting();
    auto client = connect();
    client.set_receive_buffer(4'096);
    client.send(kGet);
    const auto exchange = waiting.take("/a");
    exchange->begin_stream(200, {});
    std::atomic<int> calls = 0;
    Sending sending = Sending::more;
    while (sending == Sending::more) {
        sending = exchange->write(std::string(kBuffer + 1, 'x'), [&] { ++calls; });
        // The loop takes what the system buffers; then nothing moves.
        wait_until([&] { return calls > 0; }, std::chrono::milliseconds(50));
        if (sending == Sending::wait && calls > 0) {
            calls = 0;
            sending = Sending::more;
        }
    }
    ASSERT_EQ(sending, Sending::wait);
    client.reset();
    EXPECT_TRUE(wait_until([&] { return calls == 1; }));
    EXPECT_EQ(exchange->write("x"), Sending::closed);
}

// --- Bodies as streams -------------------------------------------------------------------------

class TestSink final : public BodySink {
  public:
    void on_begin(std::shared_ptr<Exchange> begun) override {
        const std::lock_guard lock(mutex);
        exchange = std::move(begun);
    }
    Flow on_bytes(std::string_view bytes) override {
        {
            const std::lock_guard lock(mutex);
            body += bytes;
        }
        return each ? each(*this) : Flow::more;
    }
    void on_complete() override {
        completed = true;
        if (answers) {
            exchange->respond({.body = std::to_string(body.size())});
        }
    }
    void on_abort() override { aborted = true; }
    std::string received() {
        const std::lock_guard lock(mutex);
        return body;
    }

    std::function<Flow(TestSink&)> each;
    bool answers = true;
    std::mutex mutex;
    std::shared_ptr<Exchange> exchange;
    std::string body;
    std::atomic<bool> completed = false;
    std::atomic<bool> aborted = false;
};

class ServerSinkTest : public ServerTest {
  protected:
    void start_with(std::size_t bytes_max) {
        app.plan = [this, bytes_max](const RequestHead& head) {
            if (head.method == "GET") {
                return BodyPlan{};
            }
            return BodyPlan{
                .kind = BodyPlan::Kind::stream,
                .bytes_max = bytes_max,
                .sink = sink,
                .continues_later = continues_later,
            };
        };
        start();
    }
    static std::string post(std::size_t length) {
        return "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) +
               "\r\n\r\n";
    }
    std::shared_ptr<TestSink> sink = std::make_shared<TestSink>();
    bool continues_later = false;
};

TEST_F(ServerSinkTest, ABodyIsPassedOnAsItComes) {
    start_with(1'000);
    auto client = connect();
    client.send(post(10) + "01234");
    EXPECT_TRUE(wait_until([&] { return sink->received() == "01234"; }));
    EXPECT_FALSE(sink->completed);
    client.send("56789");
    EXPECT_EQ(client.receive()->body, "10");
    EXPECT_TRUE(sink->completed);
    EXPECT_FALSE(sink->aborted);
    EXPECT_EQ(ask(client, kGet), 200);
}

TEST_F(ServerSinkTest, ChunksArePassedOnWithoutTheirFraming) {
    start_with(1'000);
    auto client = connect();
    client.send(
        "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );
    EXPECT_EQ(client.receive()->body, "5");
    EXPECT_EQ(sink->received(), "abcde");
}

TEST_F(ServerSinkTest, NoBodyIsAnEmptyOne) {
    start_with(1'000);
    auto client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(kGet));
    EXPECT_EQ(client.receive()->body, "0");
    EXPECT_EQ(client.receive()->body, "GET /a ");
}

TEST_F(ServerSinkTest, APausedBodyIsNotReadAndHoldsTheClientBack) {
    sink->each = [](TestSink&) { return BodySink::Flow::pause; };
    start_with(200'000'000);
    auto client = connect();
    constexpr std::size_t kSize = 30'000'000;
    client.send(post(kSize));
    std::atomic<std::size_t> sent = 0;
    std::atomic<bool> all_sent = false;
    std::thread sender([&] {
        const std::string part(1'000'000, 'x');
        for (; sent < kSize; sent += part.size()) {
            ASSERT_TRUE(client.send(part));
        }
        all_sent = true;
    });
    ASSERT_TRUE(wait_until([&] { return !sink->received().empty(); }));
    // Nothing moves until somebody says so; what the system buffers is far less than the body.
    const std::size_t held = sink->received().size();
    EXPECT_FALSE(client.hears(std::chrono::milliseconds(100)));
    EXPECT_EQ(sink->received().size(), held);
    EXPECT_FALSE(all_sent);
    EXPECT_TRUE(wait_until([&] {
        sink->exchange->resume_body();
        return sink->completed.load();
    }));
    const auto response = client.receive();
    EXPECT_TRUE(response && response->body == std::to_string(kSize));
    sender.join();
}

TEST_F(ServerSinkTest, ASinkSaysWhenTheBodyMayCome) {
    continues_later = true;
    start_with(1'000);
    const std::string head =
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    auto invited = connect();
    invited.send(head);
    ASSERT_TRUE(wait_until([&] {
        const std::lock_guard lock(sink->mutex);
        return sink->exchange != nullptr;
    }));
    EXPECT_FALSE(invited.hears(std::chrono::milliseconds(100)));
    sink->exchange->resume_body();
    sink->exchange->resume_body();  // once is enough
    EXPECT_EQ(invited.receive()->status, 100);
    invited.send("hello");
    EXPECT_EQ(invited.receive()->body, "5");

    sink = std::make_shared<TestSink>();
    auto refused = connect();
    refused.send(head);
    ASSERT_TRUE(wait_until([&] {
        const std::lock_guard lock(sink->mutex);
        return sink->exchange != nullptr;
    }));
    sink->exchange->respond({.status = 403, .body = "no"});
    sink->exchange->resume_body();
    EXPECT_EQ(refused.receive()->status, 403);
    EXPECT_TRUE(refused.is_closed());

    // Who does not wait any longer needs no invitation.
    sink = std::make_shared<TestSink>();
    auto hasty = connect();
    hasty.send(head);
    hasty.send("he");
    ASSERT_TRUE(wait_until([&] { return sink->received() == "he"; }));
    sink->exchange->resume_body();
    hasty.send("llo");
    EXPECT_EQ(hasty.receive()->status, 200);
}

TEST_F(ServerSinkTest, ATooLongBodyIsRefusedAndTheSinkToldSo) {
    start_with(10);
    auto by_length = connect();
    EXPECT_EQ(ask(by_length, post(11)), 413);
    EXPECT_FALSE(sink->exchange);  // never begun
    auto in_chunks = connect();
    EXPECT_EQ(
        ask(in_chunks,
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n"),
        413
    );
    EXPECT_TRUE(in_chunks.is_closed());
    EXPECT_TRUE(sink->aborted);
    EXPECT_FALSE(sink->completed);
    sink->exchange->respond({.body = "too late"});
}

TEST_F(ServerSinkTest, ASinkMayAnswerBeforeTheEnd) {
    sink->each = [](TestSink& self) {
        self.exchange->respond({.status = 422, .body = "no"});
        return BodySink::Flow::more;
    };
    start_with(1'000);
    auto client = connect();
    client.send(post(100) + "bad");
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 422);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(sink->aborted);
    EXPECT_FALSE(sink->completed);
}

TEST_F(ServerSinkTest, AnotherThreadMayAnswerBeforeTheEnd) {
    start_with(1'000);
    auto client = connect();
    client.send(post(100) + "bad");
    ASSERT_TRUE(wait_until([&] { return !sink->received().empty(); }));
    sink->exchange->respond({.status = 409});
    EXPECT_EQ(client.receive()->status, 409);
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(sink->aborted);
}

TEST_F(ServerSinkTest, ASinkHearsThatItsClientIsGone) {
    start_with(1'000);
    auto client = connect();
    client.send(post(100) + "half");
    ASSERT_TRUE(wait_until([&] { return !sink->received().empty(); }));
    client.reset();
    EXPECT_TRUE(wait_until([&] { return sink->aborted.load(); }));
    EXPECT_TRUE(wait_until([&] { return sink->exchange->cancelled().cancelled(); }));
}

TEST_F(ServerSinkTest, AnAnswerMayComeLongAfterTheBody) {
    sink->answers = false;
    start_with(1'000);
    auto client = connect();
    client.send(post(3) + "abc" + std::string(kGet));
    ASSERT_TRUE(wait_until([&] { return sink->completed.load(); }));
    EXPECT_FALSE(client.hears(std::chrono::milliseconds(20)));
    sink->exchange->respond({.body = "late"});
    EXPECT_EQ(client.receive()->body, "late");
    EXPECT_EQ(client.receive()->body, "GET /a ");
}

}  // namespace
}  // namespace lab::http
