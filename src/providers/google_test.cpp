#include "platform/json/json.h"
#include "providers/impl/codec_test_support.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers::test {
namespace {

using namespace std::chrono_literals;

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
    endpoint.provider = "google";
    endpoint.base_url = "https://generativelanguage.googleapis.com/v1beta";
    endpoint.model = "gemini-x";
    endpoint.key = "AIza";
    endpoint.output_tokens_max = 65'536;
    return make_google_codec(endpoint);
}

TEST(Google, ReadsAStreamWithoutTheThoughts) {
    const CallResult got = read_case("google stream");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Four.");
    EXPECT_EQ(got.finish_reason, "stop");
    EXPECT_EQ(got.model_reported, "gemini-x");
    const domain::Usage want{.input = 4, .cache_read = 16, .output = 3, .reasoning = 25};
    EXPECT_EQ(got.usage, want);
}

TEST(Google, ReadsAWholeAnswerAndItsLogprobs) {
    const CallResult got = read_case("google json");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Four");
    EXPECT_EQ(got.finish_reason, "length");
    EXPECT_EQ(got.usage, (domain::Usage{.input = 8, .output = 1}));
    EXPECT_EQ(
        got.logprobs, R"([{"token":"Four","logprob":-0.125,"top":[["Four",-0.125],["4",-4]]}])"
    );
}

TEST(Google, AFilteredPromptOrAnswerIsAnAnswerWithoutText) {
    const CallResult prompt = read(
        *codec(),
        json_of(
            R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":5}})"
        )
    );
    EXPECT_EQ(prompt.outcome, Outcome::ok);
    EXPECT_EQ(prompt.output, "");
    EXPECT_EQ(prompt.finish_reason, "content_filter");
    EXPECT_EQ(prompt.usage, (domain::Usage{.input = 5}));
    for (const char* reason : {"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"}) {
        const CallResult answer = read(
            *codec(),
            json_of(R"({"candidates":[{"finishReason":")" + std::string(reason) + R"("}]})")
        );
        EXPECT_EQ(answer.outcome, Outcome::ok);
        EXPECT_EQ(answer.finish_reason, "content_filter") << reason;
    }
}

TEST(Google, ReadsTheWaitFromTheErrorsDetails) {
    const CallResult got = read_case("google error");
    EXPECT_EQ(got.outcome, Outcome::rate_limited);
    EXPECT_EQ(got.hints.retry_after, 27s);
    EXPECT_EQ(got.error.message, "google answered 429: Quota exceeded (RESOURCE_EXHAUSTED, 429)");
}

TEST(Google, EncodesRolesSystemAndParameters) {
    Json parameters = Json::object();
    parameters["temperature"] = 0;
    parameters["top_p"] = 0.5;
    parameters["top_k"] = 40;
    parameters["max_tokens"] = 64;
    parameters["stop"] = "END";
    parameters["seed"] = 7;
    parameters["safetySettings"] = Json::array();
    parameters["generationConfig"] = {{"thinkingConfig", {{"thinkingBudget", 0}}}};
    CallRequest request = question("hello", true);
    request.messages.insert(request.messages.begin(), {"system", "be brief"});
    request.messages.push_back({"assistant", "hi"});
    request.parameters = &parameters;
    const http::Request encoded = codec()->encode(request);
    EXPECT_EQ(
        encoded.url,
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:streamGenerateContent"
        "?alt=sse"
    );
    EXPECT_EQ(http::find_header(encoded.headers, "x-goog-api-key"), "AIza");
    EXPECT_EQ(
        encoded.body,
        R"({"contents":[{"role":"user","parts":[{"text":"hello"}]},{"role":"model","parts":[{"text":"hi"}]}],)"
        R"("systemInstruction":{"parts":[{"text":"be brief"}]},"safetySettings":[],)"
        R"("generationConfig":{"temperature":0,"topP":0.5,"topK":40,"maxOutputTokens":64,)"
        R"("stopSequences":["END"],"seed":7,"thinkingConfig":{"thinkingBudget":0}}})"
    );
    request.stream = false;
    EXPECT_TRUE(codec()->encode(request).url.ends_with("gemini-x:generateContent"));
}

TEST(Google, TheOutputIsBoundByTheRequestOrTheModel) {
    CallRequest request = question();
    EXPECT_EQ(codec()->worst_case(request).output, 65'536);
    Json parameters = {{"generationConfig", {{"maxOutputTokens", 9}}}};
    request.parameters = &parameters;
    EXPECT_EQ(codec()->worst_case(request).output, 9);
    Json logprobs = {{"logprobs", true}, {"top_logprobs", 3}};
    request.parameters = &logprobs;
    EXPECT_NE(
        codec()->encode(request).body.find(
            R"("generationConfig":{"responseLogprobs":true,"logprobs":3})"
        ),
        std::string::npos
    );
}

}  // namespace
}  // namespace lab::providers::test
