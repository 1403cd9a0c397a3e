#include "support/fake_llm_server.h"

#include <cstdio>

namespace lab::test {
namespace {

std::string_view reason(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 429:
            return "Too Many Requests";
        case 500:
            return "Internal Server Error";
        default:
            return "Something";
    }
}

std::string head(int status, const ServerHeaders& headers) {
    std::string text = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason(status));
    text += "\r\n";
    for (const auto& [name, value] : headers) {
        text += name + ": " + value + "\r\n";
    }
    return text;
}

bool has(const ServerHeaders& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (key == name) {
            return true;
        }
    }
    return false;
}

std::string usage_json(const FakeUsage& usage) {
    return "{\"prompt_tokens\":" + std::to_string(usage.input) +
           ",\"completion_tokens\":" + std::to_string(usage.output) +
           ",\"total_tokens\":" + std::to_string(usage.input + usage.output) +
           ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(usage.cached) +
           "},\"completion_tokens_details\":{\"reasoning_tokens\":" +
           std::to_string(usage.reasoning) + "}}";
}

}  // namespace

Step send_bytes(std::string bytes) { return {Step::Kind::send, std::move(bytes), {}}; }
Step wait_for(Duration time) { return {Step::Kind::wait, {}, time}; }
Step close_connection() { return {Step::Kind::close, {}, {}}; }
Step reset_connection() { return {Step::Kind::reset, {}, {}}; }
Step hang() { return {Step::Kind::hang, {}, {}}; }

Script operator+(Script first, Script second) {
    for (Step& step : second) {
        first.push_back(std::move(step));
    }
    return first;
}

Script respond(int status, std::string_view body, const ServerHeaders& headers) {
    std::string text = head(status, headers);
    if (!has(headers, "Content-Type")) {
        text += "Content-Type: application/json\r\n";
    }
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    text += body;
    return {send_bytes(std::move(text))};
}

Script chunked_head(int status, const ServerHeaders& headers) {
    return {send_bytes(head(status, headers) + "Transfer-Encoding: chunked\r\n\r\n")};
}

Script chunk(std::string_view bytes) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return {send_bytes(size + std::string(bytes) + "\r\n")};
}

Script chunked_end() { return {send_bytes("0\r\n\r\n")}; }

std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

Script openai_chat_json(std::string_view text, const FakeUsage& usage) {
    return respond(
        200,
        R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"fake-1",)"
        R"("choices":[{"index":0,"message":{"role":"assistant","content":)" +
            json_text(text) + R"(},"finish_reason":"stop"}],"usage":)" + usage_json(usage) + "}"
    );
}

Script openai_chat_stream(
    const std::vector<std::string>& pieces, const FakeUsage& usage, Duration pause
) {
    const std::string start =
        R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,)"
        R"("model":"fake-1","choices":)";
    Script script = chunked_head(200, {{"Content-Type", "text/event-stream"}});
    // Without pauses everything goes out in one piece, as a fast server's stream does.
    std::string text;
    const auto flush = [&] {
        if (!text.empty()) {
            script = std::move(script) + chunk(std::exchange(text, {}));
        }
    };
    for (const std::string& piece : pieces) {
        if (pause > Duration::zero()) {
            flush();
            script.push_back(wait_for(pause));
        }
        text += start + R"([{"index":0,"delta":{"content":)" + json_text(piece) +
                R"(},"finish_reason":null}]})" + "\n\n";
    }
    text += start + R"([{"index":0,"delta":{},"finish_reason":"stop"}]})" + "\n\n";
    text += start + R"([],"usage":)" + usage_json(usage) + "}\n\n";
    text += "data: [DONE]\n\n";
    flush();
    return std::move(script) + chunked_end();
}

Script error_json(int status, std::string_view message, const ServerHeaders& headers) {
    return respond(
        status,
        R"({"error":{"message":)" + json_text(message) + R"(,"type":"fake_error","code":null}})",
        headers
    );
}

}  // namespace lab::test
