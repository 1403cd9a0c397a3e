#include "providers/impl/codec_test_support.h"

namespace lab::providers::test {
namespace {

Endpoint endpoint(std::string provider) {
    Endpoint out;
    out.provider = std::move(provider);
    out.base_url = "https://api.example.com/v1";
    out.model = "m-1";
    out.key = "sk-canary-0123456789";
    return out;
}

std::unique_ptr<Codec> openai() { return make_openai_codec(endpoint("openai")); }
std::unique_ptr<Codec> completions() {
    Endpoint out = endpoint("openai");
    out.api = "completions";
    return make_openai_codec(std::move(out));
}
std::unique_ptr<Codec> anthropic() { return make_anthropic_codec(endpoint("anthropic")); }
std::unique_ptr<Codec> google() { return make_google_codec(endpoint("google")); }

std::vector<Case> openai_cases() {
    return {
        {"openai stream",
         openai,
         stream_of(
             R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
             "\n\n"
             R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"content":"Hé"},"logprobs":{"content":[{"token":"Hé","logprob":-0.25,"bytes":[72],"top_logprobs":[{"token":"Hé","logprob":-0.25},{"token":"\"","logprob":-2}]}]},"finish_reason":null}]})"
             "\n\n: keep-alive\n\n"
             R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"content":"llo \ud83d\ude00"},"finish_reason":null}],"usage":null})"
             "\n\n"
             R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
             "\n\n"
             R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":12}}})"
             "\n\ndata: [DONE]\n\n"
         )},
        {"openai json",
         openai,
         json_of(
             R"({"id":"c","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"Line\n\"two\"","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"service_tier":"default"})"
         )},
        {"openai error",
         openai,
         {429,
          "application/json",
          R"({"error":{"message":"Rate limit reached for gpt-x","type":"requests","param":null,"code":"rate_limit_exceeded"}})"
         }},
        {"openai error in a stream",
         openai,
         stream_of(
             R"(data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"par"}}]})"
             "\n\n"
             R"(data: {"error":{"message":"The server had an error","type":"server_error","code":null}})"
             "\n\n"
         )},
        {"completions json",
         completions,
         json_of(
             R"({"id":"c","object":"text_completion","model":"b","choices":[{"text":" four","index":0,"logprobs":{"tokens":[" fo","ur"],"token_logprobs":[null,-0.5],"top_logprobs":[null,{"ur":-0.5,"o":-3.5}],"text_offset":[0,3]},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})"
         )},
        {"completions stream",
         completions,
         stream_of(
             R"(data: {"object":"text_completion","model":"b","choices":[{"text":" fo","index":0,"logprobs":{"tokens":[" fo"],"token_logprobs":[-1],"top_logprobs":[{" fo":-1}]},"finish_reason":null}]})"
             "\n\n"
             R"(data: {"object":"text_completion","model":"b","choices":[{"text":"ur","index":0,"finish_reason":"stop"}]})"
             "\n\ndata: [DONE]\n\n"
         )},
    };
}

std::vector<Case> other_cases() {
    return {
        {"anthropic stream",
         anthropic,
         stream_of(
             "event: message_start\n"
             R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":1}}})"
             "\n\nevent: content_block_start\n"
             R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})"
             "\n\nevent: content_block_delta\n"
             R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me see"}})"
             "\n\nevent: content_block_start\n"
             R"(data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})"
             "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\n"
             R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}})"
             "\n\nevent: content_block_delta\n"
             R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" wörld"}})"
             "\n\nevent: content_block_stop\n"
             R"(data: {"type":"content_block_stop","index":1})"
             "\n\nevent: message_delta\n"
             R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}})"
             "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
         )},
        {"anthropic json",
         anthropic,
         json_of(
             R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Four"},{"type":"text","text":"."}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":6}})"
         )},
        {"anthropic error",
         anthropic,
         {529,
          "application/json",
          R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"})"
         }},
        {"anthropic error in a stream",
         anthropic,
         stream_of(
             "event: error\n"
             R"(data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"
             "\n\n"
         )},
        {"google stream",
         google,
         stream_of(
             R"(data: {"candidates":[{"content":{"parts":[{"text":"thinking","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":20,"totalTokenCount":20},"modelVersion":"gemini-x"})"
             "\r\n\r\n"
             R"(data: {"candidates":[{"content":{"parts":[{"text":"Fo"},{"text":"ur"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":1},"modelVersion":"gemini-x"})"
             "\r\n\r\n"
             R"(data: {"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":3,"totalTokenCount":48,"cachedContentTokenCount":16,"thoughtsTokenCount":25},"modelVersion":"gemini-x"})"
             "\r\n\r\n"
         )},
        {"google json",
         google,
         json_of(
             R"({"candidates":[{"content":{"parts":[{"text":"Four"}],"role":"model"},"finishReason":"MAX_TOKENS","avgLogprobs":-0.1,"logprobsResult":{"topCandidates":[{"candidates":[{"token":"Four","tokenId":1,"logProbability":-0.125},{"token":"4","logProbability":-4}]}],"chosenCandidates":[{"token":"Four","tokenId":1,"logProbability":-0.125}]}}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":1,"totalTokenCount":9},"modelVersion":"gemini-x","responseId":"r"})"
         )},
        {"google error",
         google,
         {429,
          "application/json",
          R"([{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"27s"}]}}])"
         }},
    };
}

}  // namespace

std::vector<Case> recorded_cases() {
    std::vector<Case> cases = openai_cases();
    for (Case& one : other_cases()) {
        cases.push_back(std::move(one));
    }
    return cases;
}

}  // namespace lab::providers::test
