#include "providers/impl/model_check.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "providers/impl/ascii.h"
#include "providers/impl/presets.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::providers {
namespace {

using Names = std::span<const std::string_view>;

/// Members of a request that the codec writes itself.
constexpr std::array<std::string_view, 9> kOurs{
    "model",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "contents",
    "system",
    "systemInstruction",
    "system_instruction"
};
/// Several answers to one question: repetitions do that, each with its own record.
constexpr std::array<std::string_view, 5> kSeveral{
    "n", "best_of", "num_completions", "candidateCount", "candidate_count"
};
constexpr std::array<std::string_view, 8> kNotAnthropic{
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "response_format",
    "max_completion_tokens"
};
constexpr std::array<std::string_view, 2> kNotGoogle{"logit_bias", "response_format"};
constexpr std::array<std::string_view, 4> kNotBedrock{
    "logprobs", "top_logprobs", "logit_bias", "response_format"
};
constexpr std::array<std::string_view, 7> kKeyHeaders{
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
    "x-amz-security-token"
};
constexpr std::array<std::string_view, 6> kFramingHeaders{
    "content-type", "content-length", "transfer-encoding", "host", "connection", "expect"
};

bool is_one_of(Names names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

/// Collects what is wrong with one model.
class Check {
  public:
    Check(const domain::ModelSpec& model, const EnvLookup& env, std::string_view path)
        : model_(model), env_(env), path_(path) {}

    std::vector<Detail> run() {
        preset_ = find_preset(model_.provider);
        if (preset_ == nullptr) {
            const std::string near = nearest(model_.provider, provider_names());
            add("provider",
                "unknown provider \"" + shorten(model_.provider, 60) + "\"" +
                    (near.empty() ? "; known are " + join(provider_names(), ", ")
                                  : ", did you mean \"" + near + "\"?"));
            // What no provider takes is said all the same.
            check_headers();
            check_parameters();
            return std::move(problems_);
        }
        if (preset_->protocol == Protocol::replay) {
            check_replay();
            return std::move(problems_);
        }
        if (model_.replay) {
            add("replay", "only the provider \"replay\" reads recorded outputs");
        }
        check_name();
        check_api();
        if (check_base_url()) {
            check_key();
        }
        check_headers();
        check_parameters();
        return std::move(problems_);
    }

  private:
    void add(std::string_view member, std::string message) {
        problems_.push_back({path_member(path_, member), std::move(message)});
    }
    void add_parameter(std::string_view name, std::string message) {
        problems_.push_back(
            {path_member(path_member(path_, "parameters"), name), std::move(message)}
        );
    }

    void check_replay() {
        if (!model_.replay || model_.replay->path.empty()) {
            add("replay", "the provider \"replay\" needs replay: {path: FILE}");
        }
        if (!model_.base_url.empty()) {
            add("base_url", "recorded outputs come from a file, not from a server");
        }
    }

    void check_name() {
        if (model_.model.empty()) {
            add("model", "name the model as the provider calls it");
            return;
        }
        // In the URL of bedrock every name has its place, encoded.
        const bool in_url =
            preset_->protocol == Protocol::google || preset_->protocol == Protocol::azure;
        const bool plain = std::ranges::all_of(model_.model, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_' || c == '.' || c == '/';
        });
        if (in_url && (!plain || model_.model.find("..") != std::string::npos)) {
            add("model",
                "becomes part of a URL: only letters, digits, and - _ . / may stand in it");
        }
    }

    void check_api() {
        if (model_.api != "chat" && model_.api != "completions") {
            add("api", "must be chat or completions");
        } else if (model_.api == "completions" && preset_->protocol != Protocol::openai &&
                   preset_->protocol != Protocol::azure) {
            add("api", "the protocol of " + model_.provider + " has no completions");
        }
    }

    bool check_base_url() {
        if (model_.base_url.empty()) {
            if (preset_->protocol == Protocol::bedrock) {
                if (aws_region(env_).empty()) {
                    add("base_url",
                        "there is no region: set AWS_REGION, or name a server such as " +
                            bedrock_url("REGION"));
                }
                return true;
            }
            if (preset_->base_url.empty()) {
                add("base_url",
                    "the provider \"" + model_.provider +
                        "\" needs one, such as https://NAME.openai.azure.com");
                return false;
            }
            return true;
        }
        const auto url = parse_base_url(model_.base_url);
        if (!url) {
            add("base_url", url.error().message);
            return false;
        }
        const bool azure = preset_->protocol == Protocol::azure;
        if (!url->query.empty() && !(azure && url->query.starts_with("api-version="))) {
            add("base_url", "leave the part behind ? away");
        }
        for (const std::string_view method :
             {"/chat/completions",
              "/completions",
              "/messages",
              ":generateContent",
              "/converse",
              "/converse-stream"}) {
            if (url->base.ends_with(method)) {
                add("base_url", "leave " + std::string(method) + " away: it is added");
                return true;
            }
        }
        if (const auto base = protocol_base(*preset_, *url, model_); !base) {
            add("base_url", base.error().message);
        }
        return true;
    }

    void check_key() {
        const KeyChoice key = choose_key(*preset_, model_);
        if (key.variable.empty()) {
            if (key.required) {
                add("api_key_env",
                    "name the environment variable that holds the key for this base_url");
            }
            return;
        }
        const std::optional<std::string> value = env_ ? env_(key.variable) : std::nullopt;
        const bool set = value && !trim_ascii(*value).empty();
        if (set && !read_key(env_, key.variable)) {
            add("api_key_env", "the key in " + key.variable + " holds characters no key has");
        } else if (!set && key.required) {
            add("api_key_env",
                "the environment variable " + key.variable + " is not set: it holds the key of " +
                    model_.provider +
                    (model_.api_key_env.empty() ? " (another can be named with api_key_env)" : ""));
        }
    }

    void check_headers() {
        for (std::size_t i = 0; i < model_.headers.size(); ++i) {
            const auto& [name, value] = model_.headers[i];
            const std::string lower = lower_ascii(name);
            const std::string member = "headers";
            const bool token = !name.empty() && std::ranges::all_of(name, [](char c) {
                return c > 0x20 && c < 0x7F &&
                       std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
            });
            const bool plain = std::ranges::none_of(value, [](char c) {
                return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
            });
            std::string problem;
            if (!token) {
                problem =
                    "\"" + shorten(sanitize_utf8(name), 40) + "\" is not the name of a header";
            } else if (!plain) {
                problem = "the value of " + name + " holds control characters";
            } else if (is_one_of(kKeyHeaders, lower)) {
                problem = name + " would put a secret into the file; use api_key_env";
            } else if (is_one_of(kFramingHeaders, lower)) {
                problem = name + " is set by the program";
            } else {
                continue;
            }
            problems_.push_back({path_member(path_member(path_, member), name), std::move(problem)}
            );
        }
    }

    void check_parameters() {
        if (!model_.parameters.is_object()) {
            return;
        }
        for (const auto& [name, value] : model_.parameters.items()) {
            if (is_one_of(kOurs, name)) {
                add_parameter(name, "is set by the program, not by parameters");
            } else if (is_one_of(kSeveral, name) && value != 1) {
                add_parameter(name, "one call gives one answer; use run.repetitions");
            } else if (preset_ == nullptr) {
                continue;
            } else if (preset_->protocol == Protocol::anthropic && is_one_of(kNotAnthropic, name)) {
                add_parameter(name, "the protocol of anthropic has no such parameter");
            } else if (preset_->protocol == Protocol::bedrock && is_one_of(kNotBedrock, name)) {
                add_parameter(name, "the protocol of bedrock has no such parameter");
            } else if (preset_->protocol == Protocol::google && is_one_of(kNotGoogle, name)) {
                add_parameter(name, "the protocol of google has no such parameter");
            } else if (preset_->protocol == Protocol::azure && name == "api_version" &&
                       !is_version(value)) {
                add_parameter(name, "must be a version such as \"2024-10-21\"");
            }
        }
    }

    static bool is_version(const Json& value) {
        if (!value.is_string()) {
            return false;
        }
        const auto text = value.get<std::string>();
        return !text.empty() && std::ranges::all_of(text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        });
    }

    const domain::ModelSpec& model_;
    const EnvLookup& env_;
    std::string_view path_;
    const Preset* preset_ = nullptr;
    std::vector<Detail> problems_;
};

}  // namespace

std::optional<std::string> read_key(const EnvLookup& env, const std::string& variable) {
    const std::optional<std::string> value = env ? env(variable) : std::nullopt;
    if (!value) {
        return std::nullopt;
    }
    const std::string_view key = trim_ascii(*value);
    const bool visible = std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7F; });
    return key.empty() || !visible ? std::nullopt : std::optional(std::string(key));
}

std::string aws_region(const EnvLookup& env) {
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        const auto value = env ? env(name) : std::nullopt;
        const std::string region(trim_ascii(value.value_or("")));
        const bool plain = region.size() <= 64 && std::ranges::all_of(region, [](char c) {
                               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                           });
        if (!region.empty() && plain) {
            return region;
        }
    }
    return "";
}

std::vector<Detail> check_model(
    const domain::ModelSpec& model, const EnvLookup& env, std::string_view path
) {
    return Check(model, env, path).run();
}

}  // namespace lab::providers
