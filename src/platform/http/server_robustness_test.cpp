#include "base/rng.h"
#include "platform/http/impl/test_server.h"

// Bytes that no client would send, and clients that behave like none: the server answers in good
// order or closes, stays alive, and loses nothing. Seeds are fixed; the number of rounds is small
// enough for every change.

namespace lab::http {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string random_bytes(Rng& rng) {
    static constexpr std::array<std::string_view, 22> kPieces = {
        "GET ",
        "POST ",
        "/",
        "/a?b=c",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "Host: x\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 99999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "\r\n",
        "\r\n\r\n",
        "hello",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HEAD /d HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    std::string bytes(rng.below(2) == 0 ? kGet : "");
    for (std::uint64_t i = rng.below(12); i > 0; --i) {
        if (rng.below(6) == 0) {
            for (std::uint64_t k = rng.below(20); k > 0; --k) {
                bytes += static_cast<char>(rng.below(256));
            }
        } else {
            bytes += kPieces[rng.below(kPieces.size())];
        }
    }
    return bytes;
}

TEST_F(ServerTest, RandomBytesDoNoHarm) {
    options.linger_timeout = std::chrono::milliseconds(20);
    start();
    Rng rng(4'711);
    for (int round = 0; round < 1'500; ++round) {
        auto client = connect();
        const std::string bytes = random_bytes(rng);
        std::size_t at = 0;
        while (at < bytes.size()) {
            const std::size_t part = 1 + rng.below(bytes.size());
            client.send(std::string_view(bytes).substr(at, part));
            at += part;
        }
        switch (rng.below(3)) {
            case 0:
                client.reset();
                break;
            case 1:
                client.close();
                break;
            default:
                client.end_sending();
                client.receive_bytes(1'000'000);  // all of it: the connection ends
                EXPECT_TRUE(client.is_closed()) << round;
                break;
        }
    }
    auto good = connect();
    EXPECT_EQ(ask(good, kGet), 200);
    EXPECT_TRUE(wait_until([&] { return server->stats().connections == 1; }));
    EXPECT_TRUE(wait_until([&] { return server->stats().in_flight == 0; }));
    // Each request that was begun, and each refusal, had its end.
    EXPECT_TRUE(wait_until([&] {
        const auto done = app.done();
        const auto with_head =
            std::ranges::count_if(done, [](const auto& d) { return !d.target.empty(); });
        return static_cast<std::uint64_t>(with_head) == server->stats().requests;
    }));
    EXPECT_GT(server->stats().requests, 500);
}

/// Answers now or later, whole or in pieces, or not at all, as a random number says.
class Chaos {
  public:
    explicit Chaos(std::uint64_t seed) : rng_(seed), thread_([this] { run(); }) {}
    ~Chaos() { stop(); }
    Chaos(const Chaos&) = delete;
    Chaos& operator=(const Chaos&) = delete;
    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    void take(std::shared_ptr<Exchange> exchange) {
        std::unique_lock lock(mutex_);
        if (rng_.below(3) == 0) {
            lock.unlock();
            answer(exchange, 0);
            return;
        }
        later_.push_back(std::move(exchange));
        wake_.notify_one();
    }

  private:
    static void answer(const std::shared_ptr<Exchange>& exchange, std::uint64_t how) {
        switch (how) {
            case 0:
            case 1:
                exchange->respond({.body = std::string(how * 100'000, 'x')});
                break;
            case 2:
                exchange->begin_stream(200, {});
                for (int i = 0; i < 20 && exchange->write(std::string(5'000, 'x')) == Sending::more;
                     ++i) {
                }
                exchange->end_stream();
                break;
            case 3:
                exchange->begin_stream(200, {});
                exchange->write("half");
                break;  // let go within the stream
            case 4:
                exchange->respond({.body = "bye", .close = true});
                break;
            default:
                break;  // let go without an answer
        }
    }
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return stopping_ || !later_.empty(); });
            if (later_.empty()) {
                return;
            }
            const std::size_t at = rng_.below(later_.size());
            std::shared_ptr<Exchange> exchange = std::move(later_[at]);
            later_.erase(later_.begin() + static_cast<std::ptrdiff_t>(at));
            const std::uint64_t how = rng_.below(12);
            lock.unlock();
            answer(exchange, how < 6 ? how : how % 3);
            exchange.reset();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::shared_ptr<Exchange>> later_;
    Rng rng_;
    bool stopping_ = false;
    std::thread thread_;
};

TEST_F(ServerTest, ClientsThatComeAndGoAndAnswersOfAllKinds) {
    Chaos chaos(815);
    app.request = [&](std::shared_ptr<Exchange> exchange) { chaos.take(std::move(exchange)); };
    options.linger_timeout = std::chrono::milliseconds(20);
    options.connections_max = 20;
    options.stream_buffer_bytes = 20'000;
    start();
    std::vector<std::thread> clients;
    for (std::uint64_t i = 0; i < 6; ++i) {
        clients.emplace_back([this, i] {
            Rng rng(i);
            for (int round = 0; round < 150; ++round) {
                test::RawClient client(server->port(), std::chrono::milliseconds(20));
                for (std::uint64_t k = rng.below(6); k > 0; --k) {
                    client.send(random_bytes(rng));
                    client.send(kGet);
                    if (rng.below(2) == 0) {
                        client.receive();
                    }
                }
                if (rng.below(3) == 0) {
                    client.reset();
                }
            }
        });
    }
    for (auto& client : clients) {
        client.join();
    }
    server->drain(std::chrono::seconds(20));
    chaos.stop();
    EXPECT_EQ(server->stats().connections, 0);
    EXPECT_EQ(server->stats().in_flight, 0);
    server.reset();
}

}  // namespace
}  // namespace lab::http
