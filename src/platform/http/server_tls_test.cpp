#include "platform/http/curl_client.h"
#include "platform/http/impl/test_server.h"
#include "support/manual_clock.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lab::http {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/// A folder with a key and a certificate for 127.0.0.1 that signs itself.
class Certificate {
  public:
    explicit Certificate(const std::string& name = "server")
        : folder_(fs::temp_directory_path() / ("lab_tls_" + std::to_string(::getpid()) + name)) {
        fs::create_directories(folder_);
        made_ = make();
    }
    ~Certificate() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;
    bool made() const { return made_; }
    std::string file() const { return folder_ / "certificate.pem"; }
    std::string key() const { return folder_ / "key.pem"; }
    bool make() {
        const std::string command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout '" +
            key() + "' -out '" + file() + "' 2>/dev/null";
        return std::system(command.c_str()) == 0;  // NOLINT: a test's own command
    }

  private:
    fs::path folder_;
    bool made_ = false;
};

class ServerTlsTest : public ServerTest {
  protected:
    void SetUp() override {
        ASSERT_TRUE(certificate.made()) << "the openssl command makes the certificate";
        options.certificate_file = certificate.file();
        options.key_file = certificate.key();
    }
    struct Answer {
        TransferEnd end;
        std::string body;
    };
    /// Asks with libcurl, which offers HTTP/2 and HTTP/1.1 and verifies the certificate.
    Answer fetch(Request request, std::size_t times = 1) {
        struct Sink final : ResponseSink {
            Answer answer;
            std::function<void()> done;
            void on_head(int, const Headers&) override {}
            bool on_data(std::string_view bytes) override {
                answer.body += bytes;
                return true;
            }
            void on_end(const TransferEnd& end) override {
                answer.end = end;
                done();
            }
        };
        EventLoop loop(system_clock_);
        auto client = make_curl_client(loop, {.ca_file = certificate.file()});
        request.url = "https://127.0.0.1:" + std::to_string(server->port()) + request.url;
        Answer last;
        std::function<void()> start_one;
        std::shared_ptr<Sink> sink;
        start_one = [&] {
            sink = std::make_shared<Sink>();
            sink->done = [&] {
                last = sink->answer;
                if (--times == 0 || last.end.failure != TransferFailure::none) {
                    loop.stop();
                } else {
                    loop.post([&] { start_one(); });
                }
            };
            client->start(request, sink);
        };
        loop.post([&] { start_one(); });
        loop.run();
        return last;
    }
    Certificate certificate;
    test::ManualClock clock;
};

TEST_F(ServerTlsTest, RequestsAreServedAndTheConnectionKept) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = exchange->head().peer.tls ? "tls" : "plain"});
    };
    start();
    const Answer answer = fetch({.method = "GET", .url = "/a"}, 5);
    EXPECT_EQ(answer.end.failure, TransferFailure::none) << answer.end.message;
    EXPECT_EQ(answer.end.status, 200);
    EXPECT_EQ(answer.body, "tls");
    EXPECT_EQ(server->stats().requests, 5);
    EXPECT_EQ(server->stats().accepted, 1);
}

TEST_F(ServerTlsTest, LargeBodiesGoBothWays) {
    app.plan = [](const RequestHead&) { return BodyPlan{.bytes_max = 10'000'000}; };
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = exchange->take_body()});
    };
    start();
    std::string body;
    for (int i = 0; body.size() < 5'000'000; ++i) {
        body += std::to_string(i) + ",";
    }
    const Answer answer = fetch({.url = "/a", .body = body}, 2);
    EXPECT_EQ(answer.end.failure, TransferFailure::none) << answer.end.message;
    EXPECT_EQ(answer.body.size(), body.size());
    EXPECT_TRUE(answer.body == body);
}

TEST_F(ServerTlsTest, StreamsArrive) {
    app.request = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->begin_stream(200, {});
        for (int i = 0; i < 100; ++i) {
            exchange->write(std::string(1'000, 'x'));
        }
        exchange->end_stream();
    };
    start();
    const Answer answer = fetch({.method = "GET", .url = "/a"});
    EXPECT_EQ(answer.end.failure, TransferFailure::none) << answer.end.message;
    EXPECT_EQ(answer.body.size(), 100'000);
}

TEST_F(ServerTlsTest, PlainHttpIsNotSpokenThere) {
    start();
    auto client = connect();
    client.send(kGet);
    client.receive_bytes(1'000'000);  // at most an alert
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server->stats().requests, 0);
}

TEST_F(ServerTlsTest, AHandshakeHasTenSeconds) {
    start(clock);
    auto client = connect();
    ASSERT_TRUE(wait_until([&] { return server->stats().connections == 1; }));
    clock.advance(seconds(9));
    server->check_time();
    ASSERT_TRUE(wait_until([&] { return server->stats().silence_max == Duration::zero(); }));
    EXPECT_EQ(server->stats().connections, 1);
    clock.advance(seconds(1));
    server->check_time();
    EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTlsTest, ANewCertificateIsForNewConnections) {
    start();
    EXPECT_EQ(fetch({.method = "GET", .url = "/a"}).end.status, 200);
    ASSERT_TRUE(certificate.make());
    EXPECT_EQ(fetch({.method = "GET", .url = "/a"}).end.failure, TransferFailure::connect);
    EXPECT_TRUE(server->reload_certificate());
    EXPECT_EQ(fetch({.method = "GET", .url = "/a"}).end.status, 200);
    std::ofstream(certificate.key()) << "no key";
    EXPECT_FALSE(server->reload_certificate());
}

TEST_F(ServerTlsTest, AKeyOfAnotherCertificateIsRefused) {
    const Certificate other("other");
    ASSERT_TRUE(other.made());
    options.key_file = other.key();
    auto started = Server::start(system_clock_, options, app);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Code::validation);
    options.key_file = "no such file";
    started = Server::start(system_clock_, options, app);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Code::validation);
}

TEST_F(ServerTlsTest, DrainLetsConnectionsGo) {
    Waiting waiting;
    app.request = [&](std::shared_ptr<Exchange> exchange) { waiting.put(std::move(exchange)); };
    start();
    Answer answer;
    std::thread client([&] { answer = fetch({.method = "GET", .url = "/a"}); });
    const auto exchange = waiting.take("/a");
    std::thread drain([&] { server->drain(seconds(20)); });
    exchange->respond({.body = "last"});
    client.join();
    drain.join();
    EXPECT_EQ(answer.body, "last");
    EXPECT_EQ(server->stats().connections, 0);
}

}  // namespace
}  // namespace lab::http
