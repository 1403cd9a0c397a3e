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

class GoogleReader final : public BaseReader {
  public:
    using BaseReader::BaseReader;

  private:
    bool cached_inside() const override { return true; }
    bool reasoning_inside() const override { return false; }

    bool read_event(std::string_view, std::string_view data) override { return read(data); }
    bool read_body(std::string_view body) override { return read(body) && answer_.begun; }

    bool read(std::string_view text) {
        JsonPull in(text);
        const bool object = in.object([&](std::string_view key) {
            if (key == "candidates") {
                answer_.begun = true;
                bool first = true;
                in.array([&] {
                    if (std::exchange(first, false)) {
                        read_candidate(in);
                    }
                });
            } else if (key == "promptFeedback") {
                read_feedback(in);
            } else if (key == "usageMetadata") {
                answer_.begun = true;
                read_usage(in);
            } else if (key == "modelVersion") {
                answer_.model = in.string().value_or("");
            } else if (key == "error") {
                answer_.error = read_api_error(in);
            }
        });
        return in.finish() && object;
    }

    void read_candidate(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "content") {
                in.object([&](std::string_view part) {
                    if (part == "parts") {
                        in.array([&] { read_part(in); });
                    }
                });
            } else if (key == "finishReason") {
                if (const auto reason = in.string()) {
                    answer_.finish_reason = normalise_finish_reason(*reason);
                }
            } else if (key == "logprobsResult") {
                read_logprobs(in);
            }
        });
    }

    /// {"text": ..., "thought": true}: thoughts are not part of the output.
    void read_part(JsonPull& in) {
        std::string text;
        bool thought = false;
        in.object([&](std::string_view key) {
            if (key == "text") {
                in.append_string(text);
            } else if (key == "thought") {
                thought = in.boolean().value_or(false);
            }
        });
        if (!thought) {
            answer_.output += text;
        }
    }

    /// A prompt that was not let through gets no candidate: an empty answer, filtered.
    void read_feedback(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "blockReason" && in.peek() == JsonPull::Kind::string) {
                answer_.begun = true;
                answer_.finish_reason = "content_filter";
            }
        });
    }

    /// Every piece of a stream carries the counts so far: the last one counts. Candidates and
    /// thoughts are apart; a prompt's tool results are apart from the prompt.
    void read_usage(JsonPull& in) {
        RawUsage usage;
        std::optional<std::int64_t> tools;
        in.object([&](std::string_view key) {
            if (key == "promptTokenCount") {
                usage.read(in, usage.input);
            } else if (key == "cachedContentTokenCount") {
                usage.read(in, usage.cache_read);
            } else if (key == "candidatesTokenCount") {
                usage.read(in, usage.output);
            } else if (key == "thoughtsTokenCount") {
                usage.read(in, usage.reasoning);
            } else if (key == "toolUsePromptTokenCount") {
                usage.read(in, tools);
            }
        });
        if (usage.input) {
            *usage.input += tools.value_or(0);
            usage.output = usage.output.value_or(0);  // an empty answer is not counted
        }
        answer_.usage = usage;
    }

    struct Chosen {
        std::string token;
        std::string_view logprob;
    };
    static Chosen read_chosen(JsonPull& in) {
        Chosen chosen;
        in.object([&](std::string_view key) {
            if (key == "token") {
                chosen.token = in.string().value_or("");
            } else if (key == "logProbability") {
                chosen.logprob = in.number_text();
            }
        });
        return chosen;
    }

    /// {"chosenCandidates": [{token, logProbability}], "topCandidates": [{"candidates": [...]}]}
    void read_logprobs(JsonPull& in) {
        std::vector<Chosen> chosen;
        std::vector<std::string> tops;
        in.object([&](std::string_view key) {
            if (key == "chosenCandidates") {
                in.array([&] { chosen.push_back(read_chosen(in)); });
            } else if (key == "topCandidates") {
                in.array([&] {
                    std::string& top = tops.emplace_back();
                    in.object([&](std::string_view list) {
                        if (list == "candidates") {
                            in.array([&] {
                                const Chosen one = read_chosen(in);
                                append_top_logprob(top, one.token, one.logprob);
                            });
                        }
                    });
                });
            }
        });
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const std::string_view top = i < tops.size() ? tops[i] : std::string_view();
            append_logprob(answer_.logprobs, chosen[i].token, chosen[i].logprob, top);
        }
    }
};

/// Members of a request beside contents and generationConfig.
bool is_top_level(std::string_view name) {
    static constexpr std::array<std::string_view, 5> kNames{
        "safetySettings", "tools", "toolConfig", "cachedContent", "labels"
    };
    return std::ranges::find(kNames, name) != kNames.end();
}

/// Our parameter names (OpenAI's) in Google's; others are passed on as they are.
std::string_view google_name(std::string_view name) {
    struct Pair {
        std::string_view ours;
        std::string_view theirs;
    };
    static constexpr std::array<Pair, 9> kPairs{
        {{"top_p", "topP"},
         {"top_k", "topK"},
         {"max_tokens", "maxOutputTokens"},
         {"max_completion_tokens", "maxOutputTokens"},
         {"stop", "stopSequences"},
         {"presence_penalty", "presencePenalty"},
         {"frequency_penalty", "frequencyPenalty"},
         {"response_mime_type", "responseMimeType"},
         {"response_schema", "responseSchema"}}
    };
    const auto found = std::ranges::find(kPairs, name, &Pair::ours);
    return found == kPairs.end() ? name : found->theirs;
}

/// generateContent and streamGenerateContent. Source: the Gemini API reference, v1beta.
class GoogleCodec final : public BaseCodec {
  public:
    explicit GoogleCodec(Endpoint endpoint)
        : BaseCodec(
              endpoint,
              endpoint.base_url + "/models/" + endpoint.model + ":generateContent",
              endpoint.key.empty() ? http::Headers{}
                                   : http::Headers{{"x-goog-api-key", endpoint.key}}
          ) {
        const std::string base = endpoint_.base_url + "/models/" + endpoint_.model;
        const std::string& query = endpoint_.query;
        url_ = base + ":generateContent" + (query.empty() ? "" : "?" + query);
        stream_url_ = base + ":streamGenerateContent?alt=sse" + (query.empty() ? "" : "&" + query);
    }

    http::Request encode(const CallRequest& request) const override {
        std::string body;
        body.reserve(body_bytes_estimate(request));
        {
            ObjectWriter object(body);
            append_contents(object, request);
            append_parameters(object, request.parameters);
        }
        return make_request(request, request.stream ? stream_url_ : url_, std::move(body));
    }

    std::unique_ptr<ResponseReader> make_reader(const CallRequest& request) const override {
        return std::make_unique<GoogleReader>(endpoint_, request);
    }

  private:
    static void append_part(std::string& out, std::string_view text) {
        out += R"([{"text":)";
        append_json_string(out, text);
        out += "}]";
    }

    static void append_contents(ObjectWriter& object, const CallRequest& request) {
        std::string system;
        std::string& out = object.key("contents");
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
            turn.text("role", message.role == "assistant" ? "model" : message.role);
            append_part(turn.key("parts"), message.content);
        }
        out += ']';
        if (!system.empty()) {
            ObjectWriter instruction(object.key("systemInstruction"));
            append_part(instruction.key("parts"), system);
        }
    }

    static void append_parameters(ObjectWriter& object, const Json* parameters) {
        if (parameters == nullptr || !parameters->is_object() || parameters->empty()) {
            return;
        }
        for (const auto& [name, value] : parameters->items()) {
            if (is_top_level(name)) {
                object.value(name, value);
            }
        }
        ObjectWriter config(object.key("generationConfig"));
        for (const auto& [name, value] : parameters->items()) {
            if (name == "generationConfig" && value.is_object()) {
                for (const auto& [inner, inner_value] : value.items()) {
                    config.value(inner, inner_value);
                }
            } else if (name == "stop" && !value.is_array()) {
                config.value("stopSequences", Json::array({value}));
            } else if (name == "logprobs" && value.is_boolean()) {
                config.value("responseLogprobs", value);
            } else if (name == "top_logprobs") {
                config.value("logprobs", value);
            } else if (!is_top_level(name)) {
                config.value(google_name(name), value);
            }
        }
    }

    std::optional<std::int64_t> output_tokens_asked(const CallRequest& request) const override {
        const auto names = {"max_tokens", "max_completion_tokens", "maxOutputTokens"};
        if (const auto given = integer_parameter(request.parameters, names)) {
            return given;
        }
        if (request.parameters == nullptr || !request.parameters->is_object()) {
            return std::nullopt;
        }
        const auto config = request.parameters->find("generationConfig");
        return config == request.parameters->end() ? std::nullopt
                                                   : integer_parameter(&*config, names);
    }

    std::string url_;
    std::string stream_url_;
};

}  // namespace

std::unique_ptr<Codec> make_google_codec(Endpoint endpoint) {
    return std::make_unique<GoogleCodec>(std::move(endpoint));
}

}  // namespace lab::providers
