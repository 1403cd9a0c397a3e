#include "platform/json/json.h"
#include "providers/impl/codec_test_support.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers::test {
namespace {

CallResult read_case(const std::string& name) {
    for (const Case& one : recorded_cases()) {
        if (one.name == name) {
            return read(*one.codec(), one.recorded);
        }
    }
    ADD_FAILURE() << "no case " << name;
    return {};
}

std::unique_ptr<Codec> codec() {
    Endpoint endpoint;
    endpoint.provider = "anthropic";
    endpoint.base_url = "https://api.anthropic.com/v1";
    endpoint.model = "claude-x";
    endpoint.key = "sk-ant";
    return make_anthropic_codec(endpoint);
}

TEST(Anthropic, ReadsAStreamWithoutTheThinking) {
    const CallResult got = read_case("anthropic stream");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Hello w\xC3\xB6rld");
    EXPECT_EQ(got.finish_reason, "stop");
    EXPECT_EQ(got.model_reported, "claude-x");
    const domain::Usage want{.input = 25, .cache_read = 100, .cache_write = 10, .output = 15};
    EXPECT_EQ(got.usage, want);
}

TEST(Anthropic, ReadsAWholeAnswer) {
    const CallResult got = read_case("anthropic json");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Four.");
    EXPECT_EQ(got.finish_reason, "length");
    EXPECT_EQ(got.usage, (domain::Usage{.input = 12, .output = 6}));
}

TEST(Anthropic, ReadsErrorsWhereverTheyStand) {
    const CallResult status = read_case("anthropic error");
    EXPECT_EQ(status.outcome, Outcome::overloaded);
    EXPECT_TRUE(status.counts_for_breaker);
    EXPECT_EQ(status.error.message, "anthropic answered 529: Overloaded (overloaded_error)");
    const CallResult inside = read_case("anthropic error in a stream");
    EXPECT_EQ(inside.outcome, Outcome::overloaded);
    const auto kind = [](const std::string& type) {
        return read(
                   *codec(),
                   stream_of(
                       R"(data: {"type":"error","error":{"type":")" + type +
                       R"(","message":"x"}})" + "\n\n"
                   )
        )
            .outcome;
    };
    EXPECT_EQ(kind("rate_limit_error"), Outcome::rate_limited);
    EXPECT_EQ(kind("invalid_request_error"), Outcome::refused);
    EXPECT_EQ(kind("authentication_error"), Outcome::refused);
    EXPECT_EQ(kind("api_error"), Outcome::overloaded);
}

TEST(Anthropic, NormalisesTheReasonsToStop) {
    const auto reason = [](const std::string& text) {
        return read(
                   *codec(),
                   json_of(
                       R"({"content":[{"type":"text","text":"x"}],"stop_reason":")" + text + "\"}"
                   )
        )
            .finish_reason;
    };
    EXPECT_EQ(reason("end_turn"), "stop");
    EXPECT_EQ(reason("stop_sequence"), "stop");
    EXPECT_EQ(reason("max_tokens"), "length");
    EXPECT_EQ(reason("model_context_window_exceeded"), "length");
    EXPECT_EQ(reason("tool_use"), "tool_calls");
    EXPECT_EQ(reason("refusal"), "content_filter");
    EXPECT_EQ(reason("pause_turn"), "other");
}

TEST(Anthropic, EncodesSystemApartAndALimitAlways) {
    CallRequest request = question("hello");
    request.messages.insert(request.messages.begin(), {"system", "be brief"});
    request.messages.push_back({"assistant", "hi"});
    request.messages.push_back({"system", "be kind"});
    request.messages.push_back({"user", "again"});
    const http::Request encoded = codec()->encode(request);
    EXPECT_EQ(encoded.url, "https://api.anthropic.com/v1/messages");
    EXPECT_EQ(http::find_header(encoded.headers, "x-api-key"), "sk-ant");
    EXPECT_EQ(http::find_header(encoded.headers, "anthropic-version"), "2023-06-01");
    EXPECT_EQ(
        encoded.body,
        R"({"model":"m-1","messages":[{"role":"user","content":"hello"},{"role":"assistant","content":"hi"},)"
        R"({"role":"user","content":"again"}],"system":"be brief\n\nbe kind","max_tokens":4096,"stream":true})"
    );
    EXPECT_EQ(codec()->worst_case(request).output, 4096);
    Json parameters = Json::object();
    parameters["max_tokens"] = 10;
    parameters["stop"] = "END";
    request = question("hello", false);
    request.parameters = &parameters;
    EXPECT_EQ(
        codec()->encode(request).body,
        R"({"model":"m-1","messages":[{"role":"user","content":"hello"}],"max_tokens":10,"stop_sequences":["END"]})"
    );
    parameters["stop"] = Json::array({"A", "B"});
    EXPECT_NE(
        codec()->encode(request).body.find(R"("stop_sequences":["A","B"])"), std::string::npos
    );
}

}  // namespace
}  // namespace lab::providers::test
