#include "platform/json/json.h"
#include "providers/impl/codec_test_support.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers::test {
namespace {

using http::TransferFailure;

const Case& recorded(const std::string& name) {
    static const std::vector<Case> kCases = recorded_cases();
    for (const Case& one : kCases) {
        if (one.name == name) {
            return one;
        }
    }
    ADD_FAILURE() << "no case " << name;
    return kCases.front();
}

CallResult read_case(const std::string& name) {
    return read(*recorded(name).codec(), recorded(name).recorded);
}

struct OpenAiTest : testing::Test {
    std::unique_ptr<Codec> codec = recorded("openai json").codec();

    /// A whole answer with these members of its choice and this usage.
    CallResult answer(const std::string& choice, const std::string& usage = "null") const {
        return read(
            *codec,
            json_of(R"({"choices":[{)" + choice + R"(}],"usage":)" + usage + "}"),
            1'000'000,
            question("12345678")
        );
    }
    CallResult with_usage(const std::string& usage) const {
        return answer(R"("message":{"content":"0123456789ab"},"finish_reason":"stop")", usage);
    }
    CallResult stream(const std::string& events) const { return read(*codec, stream_of(events)); }
};

const std::string kPiece =
    R"(data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"abcd"}}]})"
    "\n\n";
const std::string kFinish =
    R"(data: {"object":"chat.completion.chunk","choices":[{"delta":{},"finish_reason":"stop"}]})"
    "\n\n";

TEST_F(OpenAiTest, ReadsAStream) {
    const CallResult got = read_case("openai stream");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "H\xC3\xA9llo \xF0\x9F\x98\x80");
    EXPECT_EQ(got.finish_reason, "stop");
    EXPECT_EQ(got.model_reported, "gpt-x");
    const domain::Usage want{.input = 36, .cache_read = 64, .output = 18, .reasoning = 12};
    EXPECT_EQ(got.usage, want);
    EXPECT_EQ(got.usage.total(), 130);
    EXPECT_EQ(
        got.logprobs,
        "[{\"token\":\"H\xC3\xA9\",\"logprob\":-0.25,\"top\":[[\"H\xC3\xA9\",-0.25],[\"\\\"\",-2]]}"
        "]"
    );
}

TEST_F(OpenAiTest, ReadsAWholeAnswer) {
    const CallResult got = read_case("openai json");
    ASSERT_EQ(got.outcome, Outcome::ok) << got.error.message;
    EXPECT_EQ(got.output, "Line\n\"two\"");
    EXPECT_EQ(got.finish_reason, "length");
    EXPECT_EQ(got.usage, (domain::Usage{.input = 9, .output = 4}));
    EXPECT_EQ(got.logprobs, "");
}

TEST_F(OpenAiTest, ReadsCompletionsAndTheirLogprobs) {
    const CallResult whole = read_case("completions json");
    EXPECT_EQ(whole.output, " four");
    EXPECT_EQ(
        whole.logprobs,
        R"([{"token":" fo","logprob":null},{"token":"ur","logprob":-0.5,"top":[["ur",-0.5],["o",-3.5]]}])"
    );
    const CallResult streamed = read_case("completions stream");
    EXPECT_EQ(streamed.output, " four");
    EXPECT_EQ(streamed.logprobs, R"([{"token":" fo","logprob":-1,"top":[[" fo",-1]]}])");
    EXPECT_TRUE(streamed.usage.estimated);
}

TEST_F(OpenAiTest, ATimeToTheFirstTokenIsTakenAtVisibleTextOnly) {
    const auto reader = codec->make_reader(question());
    reader->on_head(200, {{"content-type", "text/event-stream"}});
    reader->on_data(R"(data: {"choices":[{"delta":{"role":"assistant","content":""}}]})"
                    "\n\n"
                    R"(data: {"choices":[{"delta":{"reasoning_content":"hm","content":null}}]})"
                    "\n\n");
    EXPECT_FALSE(reader->has_content());
    reader->on_data(kPiece);
    EXPECT_TRUE(reader->has_content());
}

TEST_F(OpenAiTest, AcceptsAMissingEndMarkOnlyAfterAFinishReason) {
    EXPECT_EQ(stream(kPiece + kFinish).outcome, Outcome::ok);
    EXPECT_EQ(
        read(*codec, broken_off(stream_of(kPiece + kFinish), TransferFailure::closed)).outcome,
        Outcome::ok
    );
    const CallResult cut = stream(kPiece);
    EXPECT_EQ(cut.outcome, Outcome::network);
    EXPECT_TRUE(cut.counts_for_breaker);
    EXPECT_EQ(
        read(*codec, broken_off(stream_of(kPiece), TransferFailure::closed)).outcome,
        Outcome::network
    );
    const CallResult late = read(*codec, broken_off(stream_of(kPiece), TransferFailure::timeout));
    EXPECT_EQ(late.error.code, Code::upstream_timeout);
    EXPECT_EQ(stream(kPiece + "data: [DONE]\n\n").finish_reason, "other");
    EXPECT_EQ(stream("data: [DONE]\n\n").outcome, Outcome::nonsense);
}

TEST_F(OpenAiTest, AChunkThatCannotBeReadSpoilsTheAnswer) {
    const CallResult got = stream(kPiece + "data: {\"choices\":[{\"delta\n\n" + kFinish);
    EXPECT_EQ(got.outcome, Outcome::nonsense) << "part of the output may be missing";
}

TEST_F(OpenAiTest, JudgesErrorsInsideAnAnswerByTheirKind) {
    const auto inside = [&](const std::string& error) { return stream(kPiece + error); };
    EXPECT_EQ(
        inside("data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}\n\n").outcome,
        Outcome::overloaded
    );
    EXPECT_EQ(
        inside("data: {\"error\":{\"message\":\"x\",\"code\":429}}\n\n").outcome,
        Outcome::rate_limited
    );
    EXPECT_EQ(
        inside("data: {\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\"}}\n\n")
            .outcome,
        Outcome::refused
    );
    EXPECT_EQ(
        inside("data: {\"object\":\"error\",\"message\":\"too long\",\"code\":400}\n\n").outcome,
        Outcome::refused
    );
    EXPECT_EQ(inside("event: error\ndata: {\"message\":\"x\"}\n\n").outcome, Outcome::overloaded);
    const CallResult body = read(
        *codec, json_of(R"({"error":{"message":"no such model","type":"invalid_request_error"}})")
    );
    EXPECT_EQ(body.outcome, Outcome::refused);
    EXPECT_NE(body.error.message.find("no such model"), std::string::npos);
    EXPECT_EQ(
        answer(R"("finish_reason":"error","error":{"code":502,"message":"x"})").outcome,
        Outcome::overloaded
    );
}

TEST_F(OpenAiTest, AnEmptyAccountIsARefusalNotARateLimit) {
    const CallResult got = read(
        *codec,
        {429,
         "application/json",
         R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}})"
        }
    );
    EXPECT_EQ(got.outcome, Outcome::refused);
}

TEST_F(OpenAiTest, EstimatesUsageThatCannotBeRight) {
    const domain::Usage estimate{.input = 2, .output = 3, .estimated = true};
    for (const char* usage :
         {"null",
          "{}",
          "7",
          R"({"prompt_tokens":-1,"completion_tokens":3})",
          R"({"prompt_tokens":"8","completion_tokens":3})",
          R"({"prompt_tokens":8.5,"completion_tokens":3})",
          R"({"prompt_tokens":8})",
          R"({"prompt_tokens":8,"completion_tokens":99999999999999999999})",
          R"({"prompt_tokens":30000000,"completion_tokens":1})",
          R"({"prompt_tokens":8,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":9}})",
          R"({"prompt_tokens":8,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":4}})"
         }) {
        const CallResult got = with_usage(usage);
        EXPECT_EQ(got.outcome, Outcome::ok);
        EXPECT_EQ(got.usage, estimate) << usage;
    }
}

TEST_F(OpenAiTest, NormalisesTheWaysOfCounting) {
    EXPECT_EQ(
        with_usage(
            R"({"prompt_tokens":8,"completion_tokens":3,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":2})"
        )
            .usage,
        (domain::Usage{.input = 2, .cache_read = 6, .output = 3})
    );
    EXPECT_EQ(
        with_usage(
            R"({"prompt_tokens":8,"completion_tokens":3,"total_tokens":61,"completion_tokens_details":{"reasoning_tokens":50}})"
        )
            .usage,
        (domain::Usage{.input = 8, .output = 3, .reasoning = 50})
    ) << "reasoning counted apart, as the total shows";
    EXPECT_EQ(
        with_usage(
            R"({"prompt_tokens":8,"completion_tokens":3,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}})"
        )
            .usage,
        (domain::Usage{.input = 8, .output = 3})
    );
    const CallResult groq = stream(
        kPiece +
        R"(data: {"object":"chat.completion.chunk","choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":4,"completion_tokens":2}}})"
        "\n\n"
    );
    EXPECT_EQ(groq.usage, (domain::Usage{.input = 4, .output = 2}));
}

TEST_F(OpenAiTest, TakesEmptyAnswersPartsRefusalsAndToolCalls) {
    const CallResult null = answer(R"("message":{"content":null},"finish_reason":"stop")");
    EXPECT_EQ(null.outcome, Outcome::ok);
    EXPECT_EQ(null.output, "");
    const CallResult tools = answer(
        R"("message":{"content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls")"
    );
    EXPECT_EQ(tools.finish_reason, "tool_calls");
    EXPECT_EQ(
        answer(R"("message":{"content":null,"refusal":"I cannot"},"finish_reason":"stop")").output,
        "I cannot"
    );
    EXPECT_EQ(
        answer(
            R"("message":{"content":[{"type":"thinking","thinking":[{"text":"no"}]},{"type":"text","text":"yes"}]},"finish_reason":"stop")"
        )
            .output,
        "yes"
    );
    EXPECT_EQ(
        answer(R"("message":{"content":"x"},"finish_reason":"content_filter")").finish_reason,
        "content_filter"
    );
    EXPECT_EQ(answer(R"("message":{"content":"x"},"finish_reason":"eos")").finish_reason, "stop");
    EXPECT_EQ(
        answer(R"("message":{"content":"x"},"finish_reason":"novel")").finish_reason, "other"
    );
    EXPECT_EQ(answer(R"("message":{"content":"x"},"finish_reason":null)").finish_reason, "other");
    EXPECT_EQ(answer(R"("finish_reason":"stop")").outcome, Outcome::nonsense);
}

TEST_F(OpenAiTest, ReadsWhatTheServerSentNotWhatWasAskedFor) {
    const Case& whole = recorded("openai json");
    EXPECT_EQ(read(*codec, whole.recorded, 10, question("x", true)).output, "Line\n\"two\"");
    Recorded stream = recorded("openai stream").recorded;
    EXPECT_EQ(read(*codec, stream, 10, question("x", false)).finish_reason, "stop");
    stream.type = "application/json";
    EXPECT_EQ(read(*codec, stream, 10).output, "H\xC3\xA9llo \xF0\x9F\x98\x80");
    stream.type = "";
    EXPECT_EQ(read(*codec, stream, 10).output, "H\xC3\xA9llo \xF0\x9F\x98\x80");
}

TEST_F(OpenAiTest, JoinsACharacterThatTheChunksCutInTwo) {
    const CallResult got = stream(
        "data: {\"choices\":[{\"delta\":{\"content\":\"caf\xC3\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"\xA9\"},\"finish_reason\":\"stop\"}]}\n\n"
    );
    EXPECT_EQ(got.output, "caf\xC3\xA9");
}

TEST_F(OpenAiTest, EncodesChatCompletionsAndAzure) {
    Json parameters = Json::object();
    parameters["seed"] = 7;
    parameters["api_version"] = "2025-01-01-preview";
    CallRequest request = question("hello", true);
    request.messages.insert(request.messages.begin(), {"system", "be brief"});
    request.parameters = &parameters;
    const http::Request chat = codec->encode(request);
    EXPECT_EQ(chat.url, "https://api.example.com/v1/chat/completions");
    EXPECT_EQ(http::find_header(chat.headers, "authorization"), "Bearer sk-canary-0123456789");
    EXPECT_EQ(
        chat.body,
        R"({"model":"m-1","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello"}],)"
        R"("stream":true,"stream_options":{"include_usage":true},"seed":7,"api_version":"2025-01-01-preview"})"
    );
    Endpoint azure;
    azure.provider = "azure";
    azure.base_url = "https://res.openai.azure.com";
    azure.model = "dep";
    azure.key = "k";
    azure.azure = true;
    const http::Request deployed = make_openai_codec(azure)->encode(request);
    EXPECT_EQ(
        deployed.url,
        "https://res.openai.azure.com/openai/deployments/dep/chat/completions"
        "?api-version=2025-01-01-preview"
    );
    EXPECT_EQ(http::find_header(deployed.headers, "api-key"), "k");
    EXPECT_EQ(http::find_header(deployed.headers, "authorization"), "");
    EXPECT_EQ(deployed.body.find("api_version"), std::string::npos);
    request.parameters = nullptr;
    EXPECT_TRUE(make_openai_codec(azure)->encode(request).url.ends_with("?api-version=2024-10-21"));
    azure.query = "api-version=2024-06-01";
    EXPECT_TRUE(make_openai_codec(azure)->encode(request).url.ends_with("?api-version=2024-06-01"));
}

TEST_F(OpenAiTest, EncodesCompletionsAndServersWithOtherNames) {
    CallRequest request = question("2+2=", false);
    request.messages.insert(request.messages.begin(), {"system", "Sums:"});
    const http::Request old = recorded("completions json").codec()->encode(request);
    EXPECT_EQ(old.url, "https://api.example.com/v1/completions");
    EXPECT_EQ(old.body, R"({"model":"m-1","prompt":"Sums:\n\n2+2="})");
    Json parameters = Json::object();
    parameters["seed"] = 7;
    request.parameters = &parameters;
    request.stream = true;
    Endpoint mistral;
    mistral.provider = "mistral";
    mistral.stream_options = false;
    mistral.seed_name = "random_seed";
    mistral.headers = {{"X-Team", "a"}};
    const http::Request encoded = make_openai_codec(mistral)->encode(request);
    EXPECT_TRUE(encoded.body.ends_with(R"("stream":true,"random_seed":7})")) << encoded.body;
    EXPECT_EQ(http::find_header(encoded.headers, "authorization"), "");
    EXPECT_EQ(http::find_header(encoded.headers, "x-team"), "a");
}

}  // namespace
}  // namespace lab::providers::test
