#include "platform/http/curl_client.h"
#include "platform/http/url_guard.h"
#include "support/fake_llm_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace lab::http {
namespace {

using namespace std::chrono_literals;
using test::chunk;
using test::chunked_end;
using test::chunked_head;
using test::FakeLlmServer;
using test::respond;
using test::Script;
using test::ServerRequest;

/// Keeps what comes; stops the loop when `group` has no transfer left.
struct Recorder final : ResponseSink {
    explicit Recorder(std::function<void()> when_done) : done(std::move(when_done)) {}
    void on_head(int code, const Headers& fields) override {
        ++heads;
        status = code;
        headers = fields;
    }
    bool on_data(std::string_view bytes) override {
        body += bytes;
        return on_bytes ? on_bytes(*this) : true;
    }
    void on_end(const TransferEnd& how) override {
        ++ends;
        end = how;
        done();
    }
    std::function<void()> done;
    std::function<bool(Recorder&)> on_bytes;
    int heads = 0;
    int ends = 0;
    int status = 0;
    Headers headers;
    std::string body;
    TransferEnd end;
};

struct CurlClientTest : testing::Test {
    SystemClock clock;
    EventLoop loop{clock};
    std::unique_ptr<Client> client = make_curl_client(loop, {.user_agent = "lab-test/1"});
    int open = 0;
    TransferId last_id = 0;

    std::shared_ptr<Recorder> start(Request request) {
        ++open;
        auto sink = std::make_shared<Recorder>([this] {
            if (--open == 0) {
                loop.stop();
            }
        });
        last_id = client->start(std::move(request), sink);
        return sink;
    }
    /// Runs until every started transfer has ended.
    std::shared_ptr<Recorder> run(std::shared_ptr<Recorder> sink) {
        run();
        return sink;
    }
    void run() {
        const auto watchdog = loop.call_at(clock.now() + 30s, [this] {
            ADD_FAILURE() << open << " transfers never ended";
            loop.stop();
        });
        loop.run();
        loop.cancel_timer(watchdog);
    }
    static Request post(std::string url, std::string body = "{}") {
        Request request;
        request.url = std::move(url);
        request.headers = {{"Content-Type", "application/json"}};
        request.body = std::move(body);
        return request;
    }
};

/// A port of 127.0.0.1 that nobody listens on.
int refused_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
}

TEST_F(CurlClientTest, SendsTheRequestAndReceivesTheResponse) {
    FakeLlmServer server([](const ServerRequest&) {
        return respond(201, "hello", {{"X-Thing", "a"}, {"x-empty", ""}});
    });
    Request request = post(server.url("/v1/x?y=1"), "{\"a\":1}");
    request.headers.emplace_back("X-Extra", "1");
    const auto got = run(start(std::move(request)));
    EXPECT_EQ(got->status, 201);
    EXPECT_EQ(got->body, "hello");
    EXPECT_EQ(got->heads, 1);
    EXPECT_EQ(got->ends, 1);
    EXPECT_EQ(got->end.failure, TransferFailure::none) << got->end.message;
    EXPECT_EQ(got->end.status, 201);
    EXPECT_EQ(find_header(got->headers, "x-THING"), "a");
    EXPECT_EQ(find_header(got->headers, "x-none"), "");
    const ServerRequest sent = server.requests().at(0);
    EXPECT_EQ(sent.method, "POST");
    EXPECT_EQ(sent.target, "/v1/x?y=1");
    EXPECT_EQ(sent.body, "{\"a\":1}");
    EXPECT_EQ(sent.header("content-type"), "application/json");
    EXPECT_EQ(sent.header("x-extra"), "1");
    EXPECT_EQ(sent.header("user-agent"), "lab-test/1");
    EXPECT_EQ(sent.header("expect"), "");
}

/// `announced` bytes, of which there are as many as in `text`.
class TextSource final : public BodySource {
  public:
    TextSource(std::string text, std::uint64_t announced)
        : text_(std::move(text)), announced_(announced) {}
    std::uint64_t size() const override { return announced_; }
    std::size_t read(char* to, std::size_t bytes_max) override {
        most = std::max(most, bytes_max);
        const std::size_t count = text_.copy(to, bytes_max, at_);
        at_ += count;
        return count;
    }
    bool rewind() override {
        at_ = 0;
        ++rewinds;
        return true;
    }
    std::size_t most = 0;
    int rewinds = 0;

  private:
    std::string text_;
    std::uint64_t announced_;
    std::size_t at_ = 0;
};

TEST_F(CurlClientTest, SendsABodyAsItIsRead) {
    FakeLlmServer server([](const ServerRequest& r) {
        return respond(
            200, r.method + " " + r.body.substr(0, 9) + " " + std::to_string(r.body.size())
        );
    });
    std::string rows;
    for (int i = 0; i < 500'000; ++i) {
        rows += static_cast<char>('0' + i % 10);
    }
    const auto source = std::make_shared<TextSource>(rows, rows.size());
    Request put = post(server.url("/a"), "");
    put.method = "PUT";
    put.source = source;
    EXPECT_EQ(run(start(put))->body, "PUT 012345678 500000");
    EXPECT_LT(source->most, rows.size());
    // The handle serves another request then.
    EXPECT_EQ(run(start(post(server.url("/b"), "x")))->body, "POST x 1");
    put.source = std::make_shared<TextSource>("", 0);
    EXPECT_EQ(run(start(put))->body, "PUT  0");
    put.source = std::make_shared<TextSource>("short", 100);
    const auto cut = run(start(put));
    EXPECT_NE(cut->end.failure, TransferFailure::none);
    EXPECT_EQ(cut->ends, 1);
}

TEST_F(CurlClientTest, KeepsConnectionsAndChangesWhatChangesOnAReusedHandle) {
    FakeLlmServer server([](const ServerRequest& r) { return respond(200, r.method + r.body); });
    EXPECT_EQ(run(start(post(server.url("/a"), "1")))->body, "POST1");
    Request get = post(server.url("/b"), "");
    get.method = "GET";
    get.headers = {{"X-B", "2"}};
    EXPECT_EQ(run(start(get))->body, "GET");
    Request put = post(server.url("/c"), "3");
    put.method = "PUT";
    EXPECT_EQ(run(start(put))->body, "PUT3");
    EXPECT_EQ(run(start(post(server.url("/d"), "")))->body, "POST");
    EXPECT_EQ(server.connection_count(), 1);
    const auto requests = server.requests();
    EXPECT_EQ(requests.at(1).header("x-b"), "2");
    EXPECT_EQ(requests.at(1).header("content-type"), "");
    EXPECT_EQ(requests.at(2).header("x-b"), "");
    EXPECT_EQ(requests.at(3).target, "/d");
}

TEST_F(CurlClientTest, SendsALargeBodyWithoutWaitingForPermission) {
    FakeLlmServer server([](const ServerRequest& r) {
        return respond(200, std::to_string(r.body.size()));
    });
    const auto began = clock.now();
    EXPECT_EQ(run(start(post(server.url(), std::string(3'000'000, 'x'))))->body, "3000000");
    EXPECT_LT(clock.now() - began, 900ms) << "libcurl waits a second for 100 Continue";
}

TEST_F(CurlClientTest, ReceivesChunksAsTheyCome) {
    FakeLlmServer server([](const ServerRequest&) {
        return chunked_head(200, {}) + chunk("one ") + Script{test::wait_for(20ms)} + chunk("two") +
               chunked_end();
    });
    auto sink = start(post(server.url()));
    std::vector<std::string> seen;
    sink->on_bytes = [&](Recorder& r) {
        seen.push_back(r.body);
        return true;
    };
    run();
    EXPECT_EQ(seen, (std::vector<std::string>{"one ", "one two"}));
}

TEST_F(CurlClientTest, PassesErrorStatusesOnAndFollowsNoRedirect) {
    FakeLlmServer server([](const ServerRequest& r) {
        return r.target == "/moved" ? respond(307, "", {{"Location", "/elsewhere"}})
                                    : respond(500, "broken");
    });
    EXPECT_EQ(run(start(post(server.url("/moved"))))->status, 307);
    const auto got = run(start(post(server.url("/x"))));
    EXPECT_EQ(got->status, 500);
    EXPECT_EQ(got->body, "broken");
    EXPECT_EQ(server.request_count(), 2);
}

TEST_F(CurlClientTest, SkipsInterimResponses) {
    FakeLlmServer server([](const ServerRequest&) {
        return Script{test::send_bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")} +
               respond(200, "ok");
    });
    const auto got = run(start(post(server.url())));
    EXPECT_EQ(got->heads, 1);
    EXPECT_EQ(got->status, 200);
    EXPECT_EQ(find_header(got->headers, "link"), "");
}

TEST_F(CurlClientTest, ARefusedConnectionSaysThatNothingWasSent) {
    const auto got =
        run(start(post("http://127.0.0.1:" + std::to_string(refused_port()) + "/?key=secret")));
    EXPECT_EQ(got->end.failure, TransferFailure::connect);
    EXPECT_EQ(got->end.status, 0);
    EXPECT_EQ(got->heads, 0);
    EXPECT_EQ(got->end.message.find("secret"), std::string::npos) << got->end.message;
}

TEST_F(CurlClientTest, AnUnknownHostAndABrokenUrlNeverConnect) {
    Request unknown = post("http://no-such-host.invalid/");
    unknown.connect_timeout = 300ms;  // where the resolver takes its time
    const auto began = clock.now();
    EXPECT_EQ(run(start(unknown))->end.failure, TransferFailure::connect);
    EXPECT_LT(clock.now() - began, 5s);
    EXPECT_EQ(run(start(post("http://[::1")))->end.failure, TransferFailure::connect);
    EXPECT_EQ(run(start(post("file:///etc/hostname")))->end.failure, TransferFailure::connect);
}

TEST_F(CurlClientTest, TlsToAPlainPortNeverConnects) {
    FakeLlmServer server([](const ServerRequest&) { return respond(200, ""); });
    const auto got = run(start(post("https://127.0.0.1:" + std::to_string(server.port()) + "/")));
    EXPECT_EQ(got->end.failure, TransferFailure::connect) << got->end.message;
    EXPECT_EQ(server.request_count(), 0);
}

TEST_F(CurlClientTest, AHangEndsAtTheTotalTimeout) {
    FakeLlmServer server([](const ServerRequest& r) {
        return r.body == "head" ? chunked_head(200, {}) + chunk("x") + Script{test::hang()}
                                : Script{test::hang()};
    });
    Request request = post(server.url());
    request.total_timeout = 60ms;
    const auto began = clock.now();
    const auto silent = run(start(request));
    EXPECT_GE(clock.now() - began, 55ms);
    EXPECT_EQ(silent->end.failure, TransferFailure::timeout) << silent->end.message;
    EXPECT_EQ(silent->end.status, 0);
    request.body = "head";
    const auto started = run(start(request));
    EXPECT_EQ(started->end.failure, TransferFailure::timeout);
    EXPECT_EQ(started->end.status, 200);
}

TEST_F(CurlClientTest, AConnectionThatNeverComesAboutEndsAtTheConnectTimeout) {
    // A listening socket whose queue is full: further connections get no answer.
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    ASSERT_EQ(::listen(listener, 0), 0);
    std::array<int, 4> queued{};
    for (int& fd : queued) {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    Request request = post("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    request.connect_timeout = 50ms;
    const auto got = run(start(request));
    EXPECT_EQ(got->end.failure, TransferFailure::connect) << got->end.message;
    for (const int fd : queued) {
        ::close(fd);
    }
    ::close(listener);
}

TEST_F(CurlClientTest, APeerThatClosesEarlyIsClosed) {
    const auto scripts = std::vector<Script>{
        {test::close_connection()},
        {test::reset_connection()},
        {test::send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
         test::close_connection()},
        chunked_head(200, {}) + chunk("abc") + Script{test::close_connection()},
        chunked_head(200, {}) + chunk("abc") + Script{test::reset_connection()},
    };
    for (std::size_t i = 0; i < scripts.size(); ++i) {
        FakeLlmServer server([&](const ServerRequest&) { return scripts[i]; });
        const auto got = run(start(post(server.url())));
        EXPECT_EQ(got->end.failure, TransferFailure::closed) << i << " " << got->end.message;
        EXPECT_EQ(got->end.status, i < 2 ? 0 : 200) << i;
        EXPECT_EQ(server.request_count(), 1) << i;
    }
}

TEST_F(CurlClientTest, NeverSendsARequestTwiceWhenAKeptConnectionDiesUnderIt) {
    FakeLlmServer server([](const ServerRequest& r) {
        return r.number == 1 ? respond(200, "") : Script{test::close_connection()};
    });
    EXPECT_EQ(run(start(post(server.url())))->end.failure, TransferFailure::none);
    const auto got = run(start(post(server.url())));
    EXPECT_EQ(got->end.failure, TransferFailure::closed) << got->end.message;
    EXPECT_EQ(server.request_count(), 2);
}

TEST_F(CurlClientTest, ReplacesAKeptConnectionThatWasClosedWhileIdle) {
    FakeLlmServer server([](const ServerRequest& r) {
        Script script = respond(200, "ok", {{"X-N", std::to_string(r.number)}});
        if (r.number == 1) {
            script.push_back(test::close_connection());
        }
        return script;
    });
    EXPECT_EQ(run(start(post(server.url())))->body, "ok");
    EXPECT_TRUE(server.wait_until_idle());
    EXPECT_EQ(run(start(post(server.url())))->body, "ok");
    EXPECT_EQ(server.connection_count(), 2);
    EXPECT_EQ(server.request_count(), 2);
}

TEST_F(CurlClientTest, WhatIsNotHttpIsAProtocolError) {
    for (const std::string& garbage :
         {std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
          std::string("\x16\x03\x01\x02\x00\x01 not http at all, really not"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")}) {
        FakeLlmServer server([&](const ServerRequest&) {
            return Script{test::send_bytes(garbage), test::close_connection()};
        });
        const auto got = run(start(post(server.url())));
        EXPECT_NE(got->end.failure, TransferFailure::none) << garbage;
        EXPECT_NE(got->end.failure, TransferFailure::connect) << garbage << got->end.message;
    }
    FakeLlmServer server([](const ServerRequest&) {
        return Script{test::send_bytes("gopher says hello\r\n"), test::close_connection()};
    });
    EXPECT_EQ(run(start(post(server.url())))->end.failure, TransferFailure::protocol);
}

TEST_F(CurlClientTest, BoundsTheBodyAndTheHead) {
    FakeLlmServer server([](const ServerRequest& r) {
        if (r.body == "head") {
            return respond(200, "", {{"X-Large", std::string(80'000, 'x')}});
        }
        if (r.body == "many") {
            return respond(200, "", test::ServerHeaders(500, {"X-One", "1"}));
        }
        return respond(200, std::string(static_cast<std::size_t>(std::stoi(r.body)), 'x'));
    });
    Request request = post(server.url(), "100000");
    request.body_bytes_max = 100'000;
    EXPECT_EQ(run(start(request))->end.failure, TransferFailure::none);
    request.body = "100001";
    const auto got = run(start(request));
    EXPECT_EQ(got->end.failure, TransferFailure::too_large);
    EXPECT_LE(got->body.size(), 100'000U);
    request.body = "head";
    EXPECT_EQ(run(start(request))->end.failure, TransferFailure::too_large);
    request.body = "many";
    EXPECT_EQ(run(start(request))->end.failure, TransferFailure::too_large);
}

TEST_F(CurlClientTest, CancelEndsATransferOnceWhereverItComesFrom) {
    FakeLlmServer server([](const ServerRequest& r) {
        return r.body == "stream" ? chunked_head(200, {}) + chunk("x") + Script{test::hang()}
                                  : Script{test::hang()};
    });
    const auto early = start(post(server.url()));
    client->cancel(last_id);
    client->cancel(last_id);
    run();
    EXPECT_EQ(early->ends, 1);
    EXPECT_EQ(early->end.failure, TransferFailure::cancelled);

    const auto late = start(post(server.url()));
    const TransferId late_id = last_id;
    loop.call_at(clock.now() + 20ms, [&] { client->cancel(late_id); });
    run();
    EXPECT_EQ(late->ends, 1);
    EXPECT_EQ(late->end.failure, TransferFailure::cancelled);

    const auto inside = start(post(server.url(), "stream"));
    const TransferId inside_id = last_id;
    inside->on_bytes = [&](Recorder&) {
        client->cancel(inside_id);
        return true;
    };
    run();
    EXPECT_EQ(inside->ends, 1);
    EXPECT_EQ(inside->end.failure, TransferFailure::cancelled);
    EXPECT_EQ(inside->end.status, 200);

    const auto enough = start(post(server.url(), "stream"));
    enough->on_bytes = [](Recorder&) { return false; };
    run();
    EXPECT_EQ(enough->ends, 1);
    EXPECT_EQ(enough->end.failure, TransferFailure::cancelled);

    client->cancel(inside_id);
    client->cancel(987654321);
}

TEST_F(CurlClientTest, MayStartAndCancelOthersFromInsideASink) {
    FakeLlmServer server([](const ServerRequest& r) {
        return r.body == "hang" ? Script{test::hang()} : respond(200, "ok");
    });
    const auto other = start(post(server.url(), "hang"));
    const TransferId other_id = last_id;
    std::shared_ptr<Recorder> second;
    const auto first = start(post(server.url(), "1"));
    first->on_bytes = [&](Recorder&) {
        client->cancel(other_id);
        second = start(post(server.url(), "2"));
        return true;
    };
    run();
    EXPECT_EQ(first->end.failure, TransferFailure::none);
    EXPECT_EQ(other->end.failure, TransferFailure::cancelled);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->body, "ok");
}

TEST_F(CurlClientTest, CarriesManyTransfersAtOnceAndReusesTheirConnections) {
    // Held long enough that a slow machine has connected them all before the first is answered.
    FakeLlmServer server([](const ServerRequest& r) {
        return Script{test::wait_for(1s)} + respond(200, r.body);
    });
    for (int round = 0; round < 2; ++round) {
        std::vector<std::shared_ptr<Recorder>> sinks;
        for (int i = 0; i < 200; ++i) {
            sinks.push_back(start(post(server.url(), std::to_string(i))));
        }
        run();
        for (int i = 0; i < 200; ++i) {
            EXPECT_EQ(sinks[static_cast<std::size_t>(i)]->body, std::to_string(i));
        }
    }
    EXPECT_LE(server.connection_count(), 200);
    EXPECT_GT(server.in_flight_max(), 128);
}

TEST_F(CurlClientTest, CarriesMoreTransfersThanOneShardHolds) {
    std::atomic<int> asked{0};
    constexpr int kCount = 400;
    FakeLlmServer server([&](const ServerRequest& r) {
        ++asked;
        return Script{test::wait_for(2s)} + respond(200, r.body);
    });
    std::vector<std::shared_ptr<Recorder>> sinks;
    for (int i = 0; i < kCount; ++i) {
        sinks.push_back(start(post(server.url(), std::to_string(i))));
    }
    run();
    for (int i = 0; i < kCount; ++i) {
        EXPECT_EQ(sinks[static_cast<std::size_t>(i)]->body, std::to_string(i));
    }
    EXPECT_GT(server.in_flight_max(), 300);
    EXPECT_EQ(asked, kCount);
}

TEST_F(CurlClientTest, WaitingForAPlaceToConnectCountsForTheTotalTimeout) {
    // Nothing accepts: the first transfers hold all places until their time is over.
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    ASSERT_EQ(::listen(listener, 0), 0);
    Request request = post("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    request.total_timeout = 80ms;
    std::vector<std::shared_ptr<Recorder>> sinks;
    const auto began = clock.now();
    for (int i = 0; i < 300; ++i) {
        sinks.push_back(start(request));
    }
    run();
    EXPECT_LT(clock.now() - began, 5s);
    for (const auto& sink : sinks) {
        EXPECT_EQ(sink->ends, 1);
        EXPECT_NE(sink->end.failure, TransferFailure::none);
    }
    ::close(listener);
}

TEST_F(CurlClientTest, DestructionEndsEveryTransferAsCancelled) {
    FakeLlmServer server([](const ServerRequest&) { return Script{test::hang()}; });
    std::vector<std::shared_ptr<Recorder>> sinks;
    for (int i = 0; i < 5; ++i) {
        sinks.push_back(start(post(server.url())));
    }
    loop.call_at(clock.now() + 20ms, [this] { loop.stop(); });
    loop.run();
    sinks.push_back(start(post(server.url())));  // not yet on its way
    client.reset();
    for (const auto& sink : sinks) {
        EXPECT_EQ(sink->ends, 1);
        EXPECT_EQ(sink->end.failure, TransferFailure::cancelled);
    }
    loop.post([this] { loop.stop(); });
    loop.run();  // what was posted for the client finds it gone
}

std::shared_ptr<const UrlGuard> guard_for(std::string_view trusted) {
    UrlPolicy policy;
    if (!trusted.empty()) {
        policy.trusted.push_back(*parse_host_rule(trusted));
    }
    return std::make_shared<const UrlGuard>(std::move(policy));
}

TEST_F(CurlClientTest, AGuardedClientConnectsOnlyToAddressesItMayCall) {
    FakeLlmServer server([](const ServerRequest&) { return respond(200, "hello"); });
    client = make_curl_client(loop, {.guard = guard_for(""), .proxy = ""});
    const auto refused = run(start(post(server.url("/"))));
    EXPECT_EQ(refused->end.failure, TransferFailure::refused);
    EXPECT_EQ(
        refused->end.message, "127.0.0.1 resolves to a loopback address, which may not be called"
    );
    EXPECT_EQ(server.requests().size(), 0U);
    const auto odd = run(start(post("http://127.1:" + std::to_string(server.port()) + "/")));
    EXPECT_EQ(odd->end.failure, TransferFailure::refused);
    EXPECT_EQ(server.requests().size(), 0U);
    client = make_curl_client(loop, {.guard = guard_for("127.0.0.1"), .proxy = ""});
    EXPECT_EQ(run(start(post(server.url("/"))))->body, "hello");
}

// A name that leads elsewhere once it was looked at: what counts is the address connected to.
TEST_F(CurlClientTest, AResolverThatChangesItsMindDoesNotLeadInside) {
    FakeLlmServer server([](const ServerRequest&) {
        return respond(200, "hello", {{"Connection", "close"}});
    });
    // Named by the operator, so it may be on this machine, but not be a metadata service.
    const std::string name = "models.example.net";
    const std::string port = std::to_string(server.port());
    int asked = 0;
    client = make_curl_client(loop, {.guard = guard_for(name), .proxy = "", .resolve = [&] {
                                         return name + ":" + port + ":" +
                                                (++asked == 1 ? "127.0.0.1" : "169.254.169.254");
                                     }});
    const std::string url = "http://" + name + ":" + port + "/v1";
    EXPECT_EQ(run(start(post(url)))->body, "hello");
    const auto second = run(start(post(url)));
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(second->end.failure, TransferFailure::refused);
    EXPECT_NE(second->end.message.find("a link-local address"), std::string::npos);
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(CurlClientTest, ARedirectIsAnAnswerAndIsNotFollowed) {
    FakeLlmServer inside([](const ServerRequest&) { return respond(200, "secret"); });
    FakeLlmServer server([&](const ServerRequest&) {
        return respond(307, "", {{"Location", inside.url("/latest/meta-data/")}});
    });
    const auto got = run(start(post(server.url("/"))));
    EXPECT_EQ(got->status, 307);
    EXPECT_EQ(inside.requests().size(), 0U);
}

TEST_F(CurlClientTest, ProxiesOfTheEnvironmentCountOnlyWhereNothingElseIsSaid) {
    FakeLlmServer proxy([](const ServerRequest&) { return respond(200, "from the proxy"); });
    FakeLlmServer server([](const ServerRequest&) { return respond(200, "hello"); });
    const std::string proxy_url = proxy.url("");
    ::setenv("http_proxy", proxy_url.c_str(), 1);
    EXPECT_EQ(run(start(post(server.url("/"))))->body, "from the proxy");
    client = make_curl_client(loop, {.proxy = ""});
    EXPECT_EQ(run(start(post(server.url("/"))))->body, "hello");
    ::unsetenv("http_proxy");
    client = make_curl_client(loop, {.guard = guard_for(""), .proxy = proxy_url});
    EXPECT_EQ(run(start(post("http://models.example.net/v1")))->body, "from the proxy");
}

}  // namespace
}  // namespace lab::http
