#include "platform/json/json.h"
#include "providers/factory.h"
#include "providers/http_provider.h"
#include "providers/impl/codec_test_support.h"
#include "providers/impl/presets.h"
#include "providers/prices.h"
#include "support/event_stream_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers::test {
namespace {

using lab::test::event;
using lab::test::event_message;
using lab::test::exception;

constexpr const char* kModel = "anthropic.claude-3-5-sonnet-20241022-v2:0";
constexpr const char* kStreamType = "application/vnd.amazon.eventstream";

std::unique_ptr<Codec> codec(std::string key = "") {
    Endpoint endpoint;
    endpoint.provider = "bedrock";
    endpoint.base_url = "https://bedrock-runtime.us-east-1.amazonaws.com";
    endpoint.model = kModel;
    endpoint.key = std::move(key);
    return make_bedrock_codec(endpoint);
}

// Shapes of the examples in the API reference of Converse and ConverseStream.
const std::string kBegin =
    event("messageStart", R"({"p":"abcdef","role":"assistant"})") +
    event(
        "contentBlockDelta",
        R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}},"p":"ab"})"
    ) +
    event("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"Hello"},"p":"abc"})") +
    event("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":" w\u00f6rld"}})");
const std::string kEnd =
    event("contentBlockStop", R"({"contentBlockIndex":1,"p":"abcdefgh"})") +
    event("messageStop", R"({"p":"abc","stopReason":"end_turn"})") +
    event(
        "metadata",
        R"({"metrics":{"latencyMs":551},"usage":{"inputTokens":14,"outputTokens":9,)"
        R"("totalTokens":123,"cacheReadInputTokens":90,"cacheWriteInputTokens":10}})"
    );

Recorded stream(std::string body) { return {200, kStreamType, std::move(body)}; }

CallResult failed(int status, const std::string& type, const std::string& body) {
    const auto one = codec();
    const auto reader = one->make_reader(question());
    reader->on_head(status, {{"Content-Type", "application/json"}, {"x-amzn-ErrorType", type}});
    reader->on_data(body);
    return reader->finish({http::TransferFailure::none, "", status});
}

TEST(Bedrock, ReadsAStreamWithoutTheReasoning) {
    for (const std::size_t step : std::to_array<std::size_t>({1, 3, 100, 10'000})) {
        const CallResult got = read(*codec(), stream(kBegin + kEnd), step);
        ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
        EXPECT_EQ(got.output, "Hello w\xC3\xB6rld");
        EXPECT_EQ(got.finish_reason, "stop");
        const domain::Usage want{.input = 14, .cache_read = 90, .cache_write = 10, .output = 9};
        EXPECT_EQ(got.usage, want);
    }
}

TEST(Bedrock, ReadsAWholeAnswer) {
    const CallResult got = read(
        *codec(),
        json_of(R"({"metrics":{"latencyMs":1},"output":{"message":{"content":[)"
                R"({"reasoningContent":{"reasoningText":{"text":"hm"}}},{"text":"Four."}],)"
                R"("role":"assistant"}},"stopReason":"max_tokens","usage":{"inputTokens":12,)"
                R"("outputTokens":6,"totalTokens":18}})"),
        1'000'000,
        question("hi", false)
    );
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Four.");
    EXPECT_EQ(got.finish_reason, "length");
    EXPECT_EQ(got.usage, (domain::Usage{.input = 12, .output = 6}));
}

TEST(Bedrock, ErrorsMeanWhatTheyAreCalled) {
    const std::string words = R"({"message":"Too many requests, please wait"})";
    const CallResult throttled = failed(429, "ThrottlingException:http://internal/", words);
    EXPECT_EQ(throttled.outcome, Outcome::rate_limited);
    EXPECT_FALSE(throttled.counts_for_breaker);
    EXPECT_EQ(
        throttled.error.message,
        "bedrock answered 429: Too many requests, please wait (ThrottlingException)"
    );
    EXPECT_EQ(failed(429, "ModelNotReadyException", words).outcome, Outcome::overloaded);
    EXPECT_TRUE(failed(503, "ServiceUnavailableException", words).counts_for_breaker);
    EXPECT_EQ(failed(424, "ModelErrorException", words).outcome, Outcome::overloaded);
    const CallResult late = failed(408, "ModelTimeoutException", words);
    EXPECT_EQ(late.outcome, Outcome::overloaded);
    EXPECT_FALSE(late.counts_for_breaker);
    EXPECT_EQ(failed(403, "ExpiredTokenException", words).outcome, Outcome::overloaded);
    for (const char* type :
         {"ValidationException", "AccessDeniedException", "ServiceQuotaExceededException"}) {
        EXPECT_EQ(failed(400, type, words).outcome, Outcome::refused) << type;
    }
    EXPECT_EQ(failed(404, "ResourceNotFoundException", words).outcome, Outcome::refused);
    EXPECT_EQ(failed(403, "", R"({"Message":"no"})").error.message, "bedrock answered 403: no");
    EXPECT_EQ(
        failed(403, "", R"({"__type":"com.x#UnrecognizedClientException","message":"no"})")
            .error.message,
        "bedrock answered 403: no (UnrecognizedClientException)"
    );
}

TEST(Bedrock, ExceptionsInsideAStreamEndIt) {
    const auto kind = [](const std::string& type) {
        return read(*codec(), stream(kBegin + exception(type, R"({"message":"oh"})"))).outcome;
    };
    EXPECT_EQ(kind("throttlingException"), Outcome::rate_limited);
    EXPECT_EQ(kind("modelStreamErrorException"), Outcome::overloaded);
    EXPECT_EQ(kind("internalServerException"), Outcome::overloaded);
    EXPECT_EQ(kind("serviceUnavailableException"), Outcome::overloaded);
    EXPECT_EQ(kind("validationException"), Outcome::refused);
    const CallResult error = read(
        *codec(),
        stream(event_message(
            {{":message-type", "error"}, {":error-code", "InternalFailure"}, {":error-message", "x"}
            },
            ""
        ))
    );
    EXPECT_EQ(error.outcome, Outcome::overloaded);
    EXPECT_EQ(error.error.message, "bedrock reported an error: x (InternalFailure)");
}

TEST(Bedrock, HalfAStreamIsNoAnswer) {
    const std::string whole = kBegin + kEnd;
    const std::size_t stop_at = whole.rfind("messageStop");
    for (std::size_t cut = 0; cut < whole.size(); cut += 5) {
        const Recorded half = stream(whole.substr(0, cut));
        const CallResult closed =
            read(*codec(), broken_off(half, http::TransferFailure::closed), 64);
        if (cut < stop_at) {
            EXPECT_NE(closed.outcome, Outcome::ok) << cut;
        }
        EXPECT_TRUE(closed.outcome == Outcome::ok || closed.maybe_billed) << cut;
    }
    std::string damaged = whole;
    damaged[damaged.find("Hello")] = 'J';
    const CallResult got = read(*codec(), stream(damaged));
    EXPECT_EQ(got.outcome, Outcome::nonsense);
    EXPECT_EQ(read(*codec(), stream("data: {}\n\n")).outcome, Outcome::nonsense);
}

TEST(Bedrock, EncodesTheRequestOfConverse) {
    CallRequest request = question("hello");
    request.messages.insert(request.messages.begin(), {"system", "be brief"});
    request.messages.push_back({"assistant", "hi"});
    Json parameters =
        Json::parse(R"({"max_tokens":10,"temperature":0.5,"top_p":1,"stop":"END","top_k":5,)"
                    R"("performanceConfig":{"latency":"optimized"},"inferenceConfig":{"topP":0.9}})"
        );
    request.parameters = &parameters;
    const http::Request encoded = codec()->encode(request);
    EXPECT_EQ(
        encoded.url,
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
        "anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream"
    );
    EXPECT_EQ(http::find_header(encoded.headers, "authorization"), "");
    EXPECT_EQ(
        encoded.body,
        R"({"messages":[{"role":"user","content":[{"text":"hello"}]},)"
        R"({"role":"assistant","content":[{"text":"hi"}]}],"system":[{"text":"be brief"}],)"
        R"("performanceConfig":{"latency":"optimized"},)"
        R"("inferenceConfig":{"maxTokens":10,"temperature":0.5,"topP":0.9,"stopSequences":["END"]},)"
        R"("additionalModelRequestFields":{"top_k":5}})"
    );
    EXPECT_EQ(codec()->worst_case(request).output, 10);
    const http::Request whole = codec("the-key")->encode(question("hello", false));
    EXPECT_TRUE(whole.url.ends_with("/converse"));
    EXPECT_EQ(http::find_header(whole.headers, "authorization"), "Bearer the-key");
    EXPECT_EQ(whole.body, R"({"messages":[{"role":"user","content":[{"text":"hello"}]}]})");
}

TEST(Bedrock, HostsSayTheirRegion) {
    EXPECT_EQ(bedrock_region("bedrock-runtime.eu-west-1.amazonaws.com"), "eu-west-1");
    for (const char* host :
         {"bedrock-runtime..amazonaws.com",
          "bedrock-runtime.amazonaws.com",
          "x.amazonaws.com",
          "bedrock-runtime.a.b.amazonaws.com",
          "bedrock-runtime.eu-west-1.amazonaws.com.evil.org"}) {
        EXPECT_EQ(bedrock_region(host), "") << host;
    }
}

domain::ModelSpec model() {
    domain::ModelSpec out;
    out.id = "m";
    out.provider = "bedrock";
    out.model = kModel;
    return out;
}

EnvLookup environment(const std::string& name, const std::string& value) {
    return [=](const std::string& asked) {
        return asked == name ? std::optional(value) : std::nullopt;
    };
}

TEST(Bedrock, NeedsARegionOrAServer) {
    domain::ModelSpec one = model();
    const auto none = check_model(one, environment("X", ""), "models[0]");
    ASSERT_EQ(none.size(), 1U);
    EXPECT_EQ(none[0].field, "models[0].base_url");
    EXPECT_NE(none[0].message.find("AWS_REGION"), std::string::npos);
    EXPECT_TRUE(check_model(one, environment("AWS_REGION", "eu-west-1"), "").empty());
    EXPECT_FALSE(check_model(one, environment("AWS_REGION", "evil.org/"), "").empty());
    one.base_url = "http://127.0.0.1:1";
    EXPECT_TRUE(check_model(one, environment("X", ""), "").empty());
    one.parameters["logprobs"] = true;
    EXPECT_EQ(check_model(one, environment("X", ""), "").size(), 1U);
}

TEST(Bedrock, HasPricesWhereTheyAreKnown) {
    domain::ModelSpec one = model();
    EXPECT_EQ(find_pricing(one)->input, *Money::parse("3"));
    one.model = std::string("us.") + kModel;
    EXPECT_EQ(find_pricing(one)->output, *Money::parse("15"));
    one.model = "somebody.else-v1:0";
    EXPECT_FALSE(find_pricing(one));
    one = model();
    one.base_url = "http://127.0.0.1:1";
    EXPECT_FALSE(find_pricing(one)) << "another server has other prices";
}

/// Counts what it is asked for, and never leaves the machine.
struct FakeSigner final : RequestSigner {
    Status sign(http::Request& request) override {
        if (has_none) {
            return Error(Code::unavailable, "there are no credentials");
        }
        request.headers.emplace_back("Authorization", "signed");
        return ok();
    }
    void refused() override { ++refusals; }
    bool has_none = false;
    int refusals = 0;
};

struct FakeHttp final : http::Client {
    http::TransferId start(http::Request request, std::shared_ptr<http::ResponseSink> sink)
        override {
        sent.push_back(std::move(request));
        sink->on_head(status, {{"Content-Type", "application/json"}, {"x-amzn-ErrorType", type}});
        sink->on_data(R"({"message":"no"})");
        sink->on_end({http::TransferFailure::none, "", status});
        return sent.size();
    }
    void cancel(http::TransferId) override {}
    int status = 403;
    std::string type = "ExpiredTokenException";
    std::vector<http::Request> sent;
};

TEST(Bedrock, RequestsAreSignedAsTheyLeave) {
    FakeHttp wire;
    const SystemClock clock;
    const auto signer = std::make_shared<FakeSigner>();
    std::string asked;
    const AwsSigner aws = [&](const std::string& region, const std::string& service) {
        asked = region + "/" + service;
        return Result<std::shared_ptr<RequestSigner>>(signer);
    };
    const ProviderDeps deps{
        .http = &wire, .clock = &clock, .env = environment("AWS_REGION", "eu-west-1"), .aws = aws
    };
    const auto provider = make_provider(model(), deps).value();
    EXPECT_EQ(asked, "eu-west-1/bedrock");
    std::vector<CallResult> results;
    const auto ask = [&] {
        provider->start(question(), [&](CallResult result) {
            results.push_back(std::move(result));
        });
    };
    ask();
    ASSERT_EQ(wire.sent.size(), 1U);
    EXPECT_EQ(http::find_header(wire.sent[0].headers, "authorization"), "signed");
    EXPECT_EQ(signer->refusals, 1) << "its credentials have ended";
    wire.type = "AccessDeniedException";
    ask();
    EXPECT_EQ(signer->refusals, 1) << "others would not do either";
    signer->has_none = true;
    ask();
    EXPECT_EQ(wire.sent.size(), 2U);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_EQ(results[2].outcome, Outcome::network);
    EXPECT_TRUE(results[2].unreachable);
    EXPECT_EQ(results[2].error.message, "there are no credentials");
    // A key of its own needs nobody who signs.
    domain::ModelSpec with_key = model();
    with_key.api_key_env = "MY_API_KEY";
    with_key.base_url = "https://bedrock-runtime.us-west-2.amazonaws.com";
    asked.clear();
    EXPECT_TRUE(make_provider(
        with_key, {.http = &wire, .clock = &clock, .env = environment("MY_API_KEY", "k")}
    ));
    EXPECT_EQ(asked, "");
    with_key.api_key_env.clear();
    EXPECT_TRUE(make_provider(with_key, deps));
    EXPECT_EQ(asked, "us-west-2/bedrock");
}

}  // namespace
}  // namespace lab::providers::test
