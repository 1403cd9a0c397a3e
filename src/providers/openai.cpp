#include "providers/impl/codec_base.h"
#include "providers/impl/openai_reader.h"
#include "providers/impl/request_json.h"
#include "providers/impl/tokens.h"

#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {

constexpr std::string_view kAzureVersion = "2024-10-21";

http::Headers key_headers(const Endpoint& endpoint) {
    if (endpoint.key.empty()) {
        return {};
    }
    return endpoint.azure ? http::Headers{{"api-key", endpoint.key}}
                          : http::Headers{{"Authorization", "Bearer " + endpoint.key}};
}

std::string method_url(const Endpoint& endpoint) {
    const std::string method = endpoint.api == "completions" ? "/completions" : "/chat/completions";
    return endpoint.azure ? endpoint.base_url + "/openai/deployments/" + endpoint.model + method
                          : endpoint.base_url + method;
}

void append_messages(std::string& out, const std::vector<domain::Message>& messages) {
    out += '[';
    bool first = true;
    for (const domain::Message& message : messages) {
        out += first ? "" : ",";
        first = false;
        ObjectWriter object(out);
        object.text("role", message.role);
        object.text("content", message.content);
    }
    out += ']';
}

/// The old protocol knows no roles: the texts follow one another.
std::string join_contents(const std::vector<domain::Message>& messages) {
    std::string prompt;
    for (const domain::Message& message : messages) {
        prompt += prompt.empty() ? "" : "\n\n";
        prompt += message.content;
    }
    return prompt;
}

/// Chat completions and completions as OpenAI defines them, and the servers that speak the same.
/// Source: the API reference of OpenAI (chat/completions, completions) and of Azure OpenAI.
class OpenAiCodec final : public BaseCodec {
  public:
    explicit OpenAiCodec(Endpoint endpoint)
        : BaseCodec(endpoint, method_url(endpoint), key_headers(endpoint)),
          url_(method_url(endpoint)) {}

    http::Request encode(const CallRequest& request) const override {
        std::string body;
        body.reserve(body_bytes_estimate(request));
        {
            ObjectWriter object(body);
            if (!endpoint_.azure) {
                object.text("model", request.model);
            }
            if (endpoint_.api == "completions") {
                object.text("prompt", join_contents(request.messages));
            } else {
                append_messages(object.key("messages"), request.messages);
            }
            if (request.stream) {
                object.raw("stream", "true");
                if (endpoint_.stream_options) {
                    object.raw("stream_options", R"({"include_usage":true})");
                }
            }
            append_parameters(object, request.parameters);
        }
        return make_request(request, url_for(request), std::move(body));
    }

    std::unique_ptr<ResponseReader> make_reader(const CallRequest& request) const override {
        return make_openai_reader(endpoint_, request);
    }

  private:
    void append_parameters(ObjectWriter& object, const Json* parameters) const {
        if (parameters == nullptr || !parameters->is_object()) {
            return;
        }
        for (const auto& [name, value] : parameters->items()) {
            if (endpoint_.azure && name == "api_version") {
                continue;
            }
            object.value(name == "seed" ? endpoint_.seed_name : name, value);
        }
    }

    std::string url_for(const CallRequest& request) const {
        std::string query = endpoint_.query;
        if (endpoint_.azure && query.find("api-version=") == std::string::npos) {
            std::string version(kAzureVersion);
            if (request.parameters != nullptr && request.parameters->is_object()) {
                const auto found = request.parameters->find("api_version");
                if (found != request.parameters->end() && found->is_string()) {
                    version = found->get<std::string>();
                }
            }
            query += query.empty() ? "" : "&";
            query += "api-version=" + version;
        }
        return query.empty() ? url_ : url_ + "?" + query;
    }

    std::optional<std::int64_t> output_tokens_asked(const CallRequest& request) const override {
        return integer_parameter(
            request.parameters, {"max_completion_tokens", "max_tokens", "max_output_tokens"}
        );
    }

    std::string url_;
};

}  // namespace

std::unique_ptr<Codec> make_openai_codec(Endpoint endpoint) {
    return std::make_unique<OpenAiCodec>(std::move(endpoint));
}

}  // namespace lab::providers
