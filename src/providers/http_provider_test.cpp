#include "providers/http_provider.h"

#include "platform/http/curl_client.h"
#include "providers/factory.h"
#include "support/fake_llm_server.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {

using namespace std::chrono_literals;
using lab::test::FakeLlmServer;
using lab::test::Script;
using lab::test::ServerRequest;

/// A provider of the factory on a real client, a real loop and a real socket.
struct HttpProviderTest : testing::Test {
    SystemClock clock;
    EventLoop loop{clock};
    std::unique_ptr<http::Client> client = http::make_curl_client(loop, {});
    std::unique_ptr<Provider> provider;
    int open = 0;

    void connect(const std::string& base_url) {
        domain::ModelSpec model;
        model.id = "m";
        model.provider = "openai";
        model.model = "fake-1";
        model.base_url = base_url;
        model.api_key_env = "KEY";
        auto made = make_provider(
            model,
            {.http = client.get(),
             .clock = &clock,
             .env = [](const std::string&) { return std::optional<std::string>("sk-canary"); }}
        );
        ASSERT_TRUE(made) << made.error().message;
        provider = std::move(*made);
    }
    CallId start(std::optional<CallResult>& out, bool stream, Duration timeout = 10s) {
        CallRequest request;
        request.model = "fake-1";
        request.messages = {{"user", "hi"}};
        request.stream = stream;
        request.timeout = timeout;
        ++open;
        return provider->start(std::move(request), [&](CallResult result) {
            EXPECT_FALSE(out) << "done runs once";
            out = std::move(result);
            if (--open == 0) {
                loop.stop();
            }
        });
    }
    void run() {
        const auto watchdog = loop.call_at(clock.now() + 30s, [this] {
            ADD_FAILURE() << open << " calls never ended";
            loop.stop();
        });
        loop.run();
        loop.cancel_timer(watchdog);
    }
    CallResult ask(bool stream = true, Duration timeout = 10s) {
        std::optional<CallResult> out;
        start(out, stream, timeout);
        run();
        return out.value_or(CallResult{});
    }
    CallResult ask_one(Script script, bool stream = true, Duration timeout = 10s) {
        FakeLlmServer server([&](const ServerRequest&) { return script; });
        connect(server.url("/v1"));
        return ask(stream, timeout);
    }
};

TEST_F(HttpProviderTest, MeasuresTheTimeToTheFirstToken) {
    FakeLlmServer server([](const ServerRequest&) {
        return Script{lab::test::wait_for(40ms)} +
               lab::test::openai_chat_stream({"a", "b"}, {.input = 7, .cached = 3}, 300ms);
    });
    connect(server.url("/v1"));
    const CallResult got = ask();
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "ab");
    EXPECT_EQ(got.usage, (domain::Usage{.input = 4, .cache_read = 3, .output = 3}));
    ASSERT_TRUE(got.time_to_first_token);
    EXPECT_GE(*got.time_to_first_token, 340ms);
    EXPECT_GE(got.latency, *got.time_to_first_token + 30ms);
    const ServerRequest sent = server.requests().at(0);
    EXPECT_EQ(sent.target, "/v1/chat/completions");
    EXPECT_EQ(sent.header("authorization"), "Bearer sk-canary");
}

TEST_F(HttpProviderTest, AWholeAnswerHasNoFirstToken) {
    const CallResult got = ask_one(lab::test::openai_chat_json("four"), false);
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "four");
    EXPECT_FALSE(got.time_to_first_token);
    EXPECT_GT(got.latency, Duration::zero());
    EXPECT_EQ(got.http_status, 200);
}

TEST_F(HttpProviderTest, ReadsHintsAndTheRequestsName) {
    const CallResult got = ask_one(lab::test::error_json(
        429,
        "slow down, sk-canary",
        {{"Retry-After", "2"},
         {"x-ratelimit-remaining-requests", "0"},
         {"x-ratelimit-reset-requests", "20ms"},
         {"x-request-id", "req-sk-canary"}}
    ));
    EXPECT_EQ(got.outcome, Outcome::rate_limited);
    EXPECT_EQ(got.hints.retry_after, 2s);
    EXPECT_EQ(got.hints.requests_remaining, 0);
    EXPECT_EQ(got.hints.requests_reset, 20ms);
    EXPECT_EQ(got.request_id, "req-[key]");
    EXPECT_EQ(got.error.message, "openai answered 429: slow down, [key] (fake_error)");
    EXPECT_FALSE(got.counts_for_breaker);
}

TEST_F(HttpProviderTest, ARefusedPortIsANetworkError) {
    int port = 0;
    {
        FakeLlmServer gone([](const ServerRequest&) { return Script{}; });
        port = gone.port();
    }
    connect("http://127.0.0.1:" + std::to_string(port) + "/v1");
    const CallResult got = ask();
    EXPECT_EQ(got.outcome, Outcome::network);
    EXPECT_TRUE(got.counts_for_breaker);
    EXPECT_NE(got.error.message.find("openai cannot be reached"), std::string::npos)
        << got.error.message;
    EXPECT_TRUE(got.unreachable);
    EXPECT_FALSE(got.maybe_billed);
}

TEST_F(HttpProviderTest, NobodyIsThereUnderANameThatIsNoneOrBehindTlsThatIsNone) {
    connect("http://no-such-host.invalid/v1");
    EXPECT_TRUE(ask().unreachable);
    FakeLlmServer plain([](const ServerRequest&) { return lab::test::openai_chat_json("four"); });
    connect("https://127.0.0.1:" + std::to_string(plain.port()) + "/v1");
    const CallResult got = ask();
    EXPECT_EQ(got.outcome, Outcome::network) << got.error.message;
    EXPECT_TRUE(got.unreachable) << got.error.message;
}

TEST_F(HttpProviderTest, WhoTakesTheRequestAndBreaksOffIsThere) {
    for (const bool begun : {false, true}) {
        const Script head = lab::test::chunked_head(200, {{"Content-Type", "text/event-stream"}}) +
                            lab::test::chunk(R"(data: {"choices":[{"delta":{"content":"a"}}]})"
                                             "\n\n");
        const CallResult got =
            ask_one((begun ? head : Script{}) + Script{lab::test::close_connection()});
        EXPECT_EQ(got.outcome, Outcome::network) << got.error.message;
        EXPECT_FALSE(got.unreachable) << got.error.message;
        EXPECT_TRUE(got.maybe_billed);
    }
}

TEST_F(HttpProviderTest, AnEndpointThatHangsTimesOut) {
    const CallResult silent = ask_one({lab::test::hang()}, true, 50ms);
    EXPECT_EQ(silent.outcome, Outcome::network);
    EXPECT_EQ(silent.error.code, Code::upstream_timeout);
    EXPECT_GE(silent.latency, 45ms);
    Script stuck = lab::test::chunked_head(200, {{"Content-Type", "text/event-stream"}}) +
                   lab::test::chunk(R"(data: {"choices":[{"delta":{"content":"a"}}]})"
                                    "\n\n") +
                   Script{lab::test::hang()};
    const CallResult middle = ask_one(stuck, true, 80ms);
    EXPECT_EQ(middle.error.code, Code::upstream_timeout);
    EXPECT_TRUE(middle.time_to_first_token);
}

TEST_F(HttpProviderTest, AStreamThatBreaksOffIsANetworkError) {
    for (const Script& end :
         {Script{lab::test::close_connection()},
          Script{lab::test::reset_connection()},
          lab::test::chunked_end()}) {
        const CallResult got = ask_one(
            lab::test::chunked_head(200, {{"Content-Type", "text/event-stream"}}) +
            lab::test::chunk(R"(data: {"choices":[{"delta":{"content":"a"}}]})"
                             "\n\n") +
            end
        );
        EXPECT_EQ(got.outcome, Outcome::network);
        EXPECT_TRUE(got.counts_for_breaker);
    }
}

TEST_F(HttpProviderTest, AWebPageIsNonsense) {
    const CallResult got = ask_one(
        lab::test::respond(200, "<html>Please log in</html>", {{"Content-Type", "text/html"}})
    );
    EXPECT_EQ(got.outcome, Outcome::nonsense);
    EXPECT_NE(got.error.message.find("Please log in"), std::string::npos);
}

TEST_F(HttpProviderTest, ATenMegabyteTokenIsNotKept) {
    const std::string huge(10'000'000, 'x');
    const CallResult streamed = ask_one(lab::test::openai_chat_stream({huge}));
    EXPECT_EQ(streamed.outcome, Outcome::nonsense) << streamed.error.message;
    EXPECT_TRUE(streamed.output.empty());
    const CallResult whole = ask_one(lab::test::openai_chat_json(huge), false);
    EXPECT_EQ(whole.outcome, Outcome::nonsense);
    const std::string flood(20'000'000, ' ');
    const CallResult padded = ask_one(lab::test::respond(200, flood), false);
    EXPECT_EQ(padded.outcome, Outcome::nonsense);
}

TEST_F(HttpProviderTest, CancelEndsTheCallOnce) {
    FakeLlmServer server([](const ServerRequest&) { return Script{lab::test::hang()}; });
    connect(server.url("/v1"));
    std::optional<CallResult> got;
    const CallId id = start(got, true);
    loop.call_at(clock.now() + 10ms, [&] { provider->cancel(id); });
    run();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->outcome, Outcome::cancelled);
    EXPECT_EQ(got->error.code, Code::cancelled);
    EXPECT_FALSE(got->counts_for_breaker);
}

TEST_F(HttpProviderTest, ManyCallsAtOnceGetEachTheirAnswer) {
    FakeLlmServer server([](const ServerRequest& r) {
        const std::string text = "answer " + std::to_string(r.number);
        const bool stream = r.body.find("\"stream\":true") != std::string::npos;
        return stream ? lab::test::openai_chat_stream({text.substr(0, 3), text.substr(3)})
                      : lab::test::openai_chat_json(text);
    });
    connect(server.url("/v1"));
    std::vector<std::optional<CallResult>> results(200);
    for (std::size_t i = 0; i < results.size(); ++i) {
        start(results[i], i % 2 == 0);
    }
    run();
    std::vector<std::string> outputs;
    for (const auto& result : results) {
        ASSERT_TRUE(result && result->outcome == Outcome::ok);
        outputs.push_back(result->output);
    }
    std::ranges::sort(outputs);
    EXPECT_TRUE(std::ranges::unique(outputs).empty());
    EXPECT_EQ(server.request_count(), 200);
}

TEST_F(HttpProviderTest, CallsMayOutliveTheirProvider) {
    FakeLlmServer server([](const ServerRequest&) {
        return Script{lab::test::wait_for(20ms)} + lab::test::openai_chat_json("late");
    });
    connect(server.url("/v1"));
    std::optional<CallResult> got;
    start(got, true);
    provider.reset();
    run();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->output, "late");
}

}  // namespace
}  // namespace lab::providers
