#include "base/percent.h"
#include "platform/aws/event_stream.h"
#include "providers/impl/bedrock_errors.h"
#include "providers/impl/codec_base.h"
#include "providers/impl/json_pull.h"
#include "providers/impl/reader.h"
#include "providers/impl/request_json.h"
#include "providers/impl/tokens.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::providers {
namespace {

/// Messages of Bedrock are pieces of text; one of more than this is none.
constexpr std::size_t kMessageBytesMax = 8U << 20;

class BedrockReader final : public BaseReader {
  public:
    using BaseReader::BaseReader;

  private:
    // inputTokens is what came from no cache; reasoning is part of outputTokens.
    bool cached_inside() const override { return false; }
    bool reasoning_inside() const override { return true; }

    void see_head(const http::Headers& headers) override {
        error_type_ = http::find_header(headers, "x-amzn-errortype");
    }

    void refine_error(ApiError& error) const override {
        refine_bedrock_error(error, error.type.empty() ? error_type_ : error.type);
    }

    void feed_events(std::string_view bytes) override { messages_.feed(bytes); }
    bool are_events_broken() const override { return !messages_.problem().empty(); }
    std::optional<StreamEvent> next_event() override {
        const auto message = messages_.next();
        if (!message) {
            return std::nullopt;
        }
        const std::string_view kind = message->header(":message-type");
        if (kind == "exception") {
            error_type_ = message->header(":exception-type");
            return StreamEvent{kException, message->payload};
        }
        if (kind == "error") {
            error_type_ = message->header(":error-code");
            error_words_ = message->header(":error-message");
            return StreamEvent{kError, message->payload};
        }
        return StreamEvent{message->header(":event-type"), message->payload};
    }

    bool read_event(std::string_view type, std::string_view data) override {
        if (type == kError || type == kException) {
            ApiError error;
            error.message = error_words_;
            JsonPull in(data);
            if (type == kException) {
                error = read_api_error(in);
            }
            refine_bedrock_error(error, error_type_);
            answer_.error = std::move(error);
            return true;
        }
        JsonPull in(data);
        const bool object = in.object([&](std::string_view key) {
            if (type == "contentBlockDelta" && key == "delta") {
                read_content(in);
            } else if (type == "messageStop" && key == "stopReason") {
                read_stop_reason(in);
            } else if (type == "metadata" && key == "usage") {
                read_usage(in);
            }
        });
        answer_.begun = answer_.begun || type == "messageStart" || type == "contentBlockDelta";
        answer_.complete = answer_.complete || type == "metadata";
        return in.finish() && object;
    }

    bool read_body(std::string_view body) override {
        JsonPull in(body);
        in.object([&](std::string_view key) {
            if (key == "output") {
                in.object([&](std::string_view inner) {
                    if (inner == "message") {
                        read_message(in);
                    }
                });
            } else if (key == "stopReason") {
                read_stop_reason(in);
            } else if (key == "usage") {
                read_usage(in);
            }
        });
        return in.finish() && has_content_;
    }

    void read_message(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "content") {
                has_content_ = in.array([&] { read_content(in); });
            }
        });
    }

    /// A content block or a piece of one; reasoning and tool calls are not part of the output.
    void read_content(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "text") {
                in.append_string(answer_.output);
            }
        });
    }

    void read_stop_reason(JsonPull& in) {
        if (const auto reason = in.string()) {
            answer_.finish_reason = normalise_finish_reason(*reason);
        }
    }

    void read_usage(JsonPull& in) {
        RawUsage& usage = answer_.usage;
        in.object([&](std::string_view key) {
            if (key == "inputTokens") {
                usage.read(in, usage.input);
            } else if (key == "outputTokens") {
                usage.read(in, usage.output);
            } else if (key == "cacheReadInputTokens") {
                usage.read(in, usage.cache_read);
            } else if (key == "cacheWriteInputTokens") {
                usage.read(in, usage.cache_write);
            }
        });
    }

    // No event of theirs is called so.
    static constexpr std::string_view kException = ":exception";
    static constexpr std::string_view kError = ":error";

    aws::EventStreamParser messages_{kMessageBytesMax};
    std::string error_type_;
    std::string error_words_;
    bool has_content_ = false;
};

/// Members of a request beside messages and inferenceConfig.
bool is_top_level(std::string_view name) {
    static constexpr std::array<std::string_view, 8> kNames{
        "toolConfig",
        "guardrailConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "serviceTier",
    };
    return std::ranges::find(kNames, name) != kNames.end();
}

/// Our parameter names (OpenAI's) in inferenceConfig's; empty: the model's own business.
std::string_view inference_name(std::string_view name) {
    struct Pair {
        std::string_view ours;
        std::string_view theirs;
    };
    static constexpr std::array<Pair, 8> kPairs{
        {{"max_tokens", "maxTokens"},
         {"max_completion_tokens", "maxTokens"},
         {"temperature", "temperature"},
         {"top_p", "topP"},
         {"stop", "stopSequences"},
         {"maxTokens", "maxTokens"},
         {"topP", "topP"},
         {"stopSequences", "stopSequences"}}
    };
    const auto found = std::ranges::find(kPairs, name, &Pair::ours);
    return found == kPairs.end() ? "" : found->theirs;
}

http::Headers own_headers(const Endpoint& endpoint) {
    return endpoint.key.empty() ? http::Headers{}
                                : http::Headers{{"Authorization", "Bearer " + endpoint.key}};
}

std::string path_of(const Endpoint& endpoint) {
    return endpoint.base_url + "/model/" + percent_encode(endpoint.model) + "/converse";
}

/// Converse and ConverseStream. Source: the API reference of Amazon Bedrock Runtime, version
/// 2023-09-30. A request without a key is signed on its way (RequestSigner).
class BedrockCodec final : public BaseCodec {
  public:
    explicit BedrockCodec(Endpoint endpoint)
        : BaseCodec(endpoint, path_of(endpoint), own_headers(endpoint)) {}

    http::Request encode(const CallRequest& request) const override {
        std::string body;
        body.reserve(body_bytes_estimate(request));
        {
            ObjectWriter object(body);
            append_messages(object, request);
            append_parameters(object, request.parameters);
        }
        return make_request(
            request, endpoint() + (request.stream ? "-stream" : ""), std::move(body)
        );
    }

    std::unique_ptr<ResponseReader> make_reader(const CallRequest& request) const override {
        return std::make_unique<BedrockReader>(endpoint_, request);
    }

  private:
    static void append_block(std::string& out, std::string_view text) {
        out += R"([{"text":)";
        append_json_string(out, text);
        out += "}]";
    }

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
            append_block(turn.key("content"), message.content);
        }
        out += ']';
        if (!system.empty()) {
            append_block(object.key("system"), system);
        }
    }

    /// What no model of theirs has in common goes to the one that is called.
    static void append_parameters(ObjectWriter& object, const Json* parameters) {
        if (parameters == nullptr || !parameters->is_object()) {
            return;
        }
        Json inference = Json::object();
        Json further = Json::object();
        for (const auto& [name, value] : parameters->items()) {
            const std::string_view theirs = inference_name(name);
            if (name == "inferenceConfig" && value.is_object()) {
                inference.update(value);
            } else if (theirs == "stopSequences" && !value.is_array()) {
                inference["stopSequences"] = Json::array({value});
            } else if (!theirs.empty()) {
                inference[std::string(theirs)] = value;
            } else if (name == "additionalModelRequestFields" && value.is_object()) {
                further.update(value);
            } else if (is_top_level(name)) {
                object.value(name, value);
            } else {
                further[name] = value;
            }
        }
        if (!inference.empty()) {
            object.value("inferenceConfig", inference);
        }
        if (!further.empty()) {
            object.value("additionalModelRequestFields", further);
        }
    }

    std::optional<std::int64_t> output_tokens_asked(const CallRequest& request) const override {
        const auto names = {"max_tokens", "max_completion_tokens", "maxTokens"};
        if (const auto given = integer_parameter(request.parameters, names)) {
            return given;
        }
        if (request.parameters == nullptr || !request.parameters->is_object()) {
            return std::nullopt;
        }
        const auto config = request.parameters->find("inferenceConfig");
        return config == request.parameters->end() ? std::nullopt
                                                   : integer_parameter(&*config, names);
    }
};

}  // namespace

std::unique_ptr<Codec> make_bedrock_codec(Endpoint endpoint) {
    return std::make_unique<BedrockCodec>(std::move(endpoint));
}

}  // namespace lab::providers
