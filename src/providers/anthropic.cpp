#include "providers/impl/codec_base.h"
#include "providers/impl/json_pull.h"
#include "providers/impl/reader.h"
#include "providers/impl/request_json.h"
#include "providers/impl/tokens.h"

#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {

/// The protocol demands a limit; this one is sent when the spec names none.
constexpr std::int64_t kDefaultMaxTokens = 4096;

class AnthropicReader final : public BaseReader {
  public:
    using BaseReader::BaseReader;

  private:
    bool cached_inside() const override { return false; }
    bool reasoning_inside() const override { return true; }

    bool read_event(std::string_view event, std::string_view data) override {
        JsonPull in(data);
        std::string type(event);
        const bool object = in.object([&](std::string_view key) {
            if (key == "type") {
                type = in.string().value_or(std::move(type));
            } else if (key == "message") {
                answer_.begun = true;
                read_message(in);
            } else if (key == "delta" || key == "content_block") {
                read_delta(in);
            } else if (key == "usage") {
                read_usage(in);
            } else if (key == "error") {
                answer_.error = read_api_error(in);
            }
        });
        answer_.complete = answer_.complete || type == "message_stop";
        if (type == "error" && !answer_.error) {
            answer_.error.emplace();
        }
        return in.finish() && object;
    }

    bool read_body(std::string_view body) override {
        JsonPull in(body);
        read_message(in);
        return in.finish() && has_content_;
    }

    /// A whole message, or the empty one that a stream begins with.
    void read_message(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "content") {
                has_content_ = in.array([&] { read_delta(in); });
            } else if (key == "model") {
                answer_.model = in.string().value_or("");
            } else if (key == "usage") {
                read_usage(in);
            } else if (key == "stop_reason") {
                read_stop_reason(in);
            } else if (key == "error") {
                answer_.error = read_api_error(in);
            }
        });
    }

    /// A content block or a piece of one; also the end's {"stop_reason"}. Only blocks of text have
    /// a member "text": thinking and tool calls are not part of the output.
    void read_delta(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "text") {
                in.append_string(answer_.output);
            } else if (key == "stop_reason") {
                read_stop_reason(in);
            }
        });
    }

    void read_stop_reason(JsonPull& in) {
        if (const auto reason = in.string()) {
            answer_.finish_reason = normalise_finish_reason(*reason);
        }
    }

    /// Counts come at the start and, as running totals, at the end of a stream.
    void read_usage(JsonPull& in) {
        RawUsage& usage = answer_.usage;
        in.object([&](std::string_view key) {
            if (key == "input_tokens") {
                usage.read(in, usage.input);
            } else if (key == "output_tokens") {
                usage.read(in, usage.output);
            } else if (key == "cache_read_input_tokens") {
                usage.read(in, usage.cache_read);
            } else if (key == "cache_creation_input_tokens") {
                usage.read(in, usage.cache_write);
            }
        });
    }

    bool has_content_ = false;
};

http::Headers own_headers(const Endpoint& endpoint) {
    http::Headers headers{{"anthropic-version", "2023-06-01"}};
    if (!endpoint.key.empty()) {
        headers.emplace_back("x-api-key", endpoint.key);
    }
    return headers;
}

/// The Messages API. Source: the API reference of Anthropic, version 2023-06-01.
class AnthropicCodec final : public BaseCodec {
  public:
    explicit AnthropicCodec(Endpoint endpoint)
        : BaseCodec(endpoint, endpoint.base_url + "/messages", own_headers(endpoint)),
          url_(
              endpoint_.base_url + "/messages" +
              (endpoint_.query.empty() ? "" : "?" + endpoint_.query)
          ) {}

    http::Request encode(const CallRequest& request) const override {
        std::string body;
        body.reserve(body_bytes_estimate(request));
        {
            ObjectWriter object(body);
            object.text("model", request.model);
            append_messages(object, request);
            if (!output_tokens_given(request)) {
                object.raw("max_tokens", std::to_string(kDefaultMaxTokens));
            }
            if (request.stream) {
                object.raw("stream", "true");
            }
            append_parameters(object, request.parameters);
        }
        return make_request(request, url_, std::move(body));
    }

    std::unique_ptr<ResponseReader> make_reader(const CallRequest& request) const override {
        return std::make_unique<AnthropicReader>(endpoint_, request);
    }

  private:
    static void append_messages(ObjectWriter& object, const CallRequest& request) {
        std::string system;
        std::string& out = object.key("messages");
        out += '[';
        bool first = true;
        for (const domain::Message& message : request.messages) {
            if (message.role == "system") {
                system += system.empty() ? "" : "\n\n";
                system += message.content;
                continue;
            }
            out += first ? "" : ",";
            first = false;
            ObjectWriter turn(out);
            turn.text("role", message.role);
            turn.text("content", message.content);
        }
        out += ']';
        if (!system.empty()) {
            object.text("system", system);
        }
    }

    static void append_parameters(ObjectWriter& object, const Json* parameters) {
        if (parameters == nullptr || !parameters->is_object()) {
            return;
        }
        for (const auto& [name, value] : parameters->items()) {
            if (name == "stop") {
                object.value("stop_sequences", value.is_array() ? value : Json::array({value}));
            } else {
                object.value(name, value);
            }
        }
    }

    static std::optional<std::int64_t> output_tokens_given(const CallRequest& request) {
        return integer_parameter(request.parameters, {"max_tokens"});
    }

    std::optional<std::int64_t> output_tokens_asked(const CallRequest& request) const override {
        return output_tokens_given(request).value_or(kDefaultMaxTokens);
    }

    std::string url_;
};

}  // namespace

std::unique_ptr<Codec> make_anthropic_codec(Endpoint endpoint) {
    return std::make_unique<AnthropicCodec>(std::move(endpoint));
}

}  // namespace lab::providers
