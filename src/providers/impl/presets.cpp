#include "providers/impl/presets.h"

#include "providers/impl/ascii.h"

#include <algorithm>

namespace lab::providers {
namespace {

using enum Protocol;

constexpr std::array kPresets{
    Preset{"openai", openai, "https://api.openai.com/v1", "OPENAI_API_KEY", true},
    Preset{"anthropic", anthropic, "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", true},
    Preset{
        "google", google, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY", true
    },
    Preset{"azure", azure, "", "AZURE_OPENAI_API_KEY", true},
    Preset{"bedrock", bedrock, "", "AWS_BEARER_TOKEN_BEDROCK", false},
    Preset{"replay", replay, "", "", false},
    Preset{"vllm", openai, "http://localhost:8000/v1", "VLLM_API_KEY", false},
    Preset{"ollama", openai, "http://localhost:11434/v1", "OLLAMA_API_KEY", false},
    Preset{"llamacpp", openai, "http://localhost:8080/v1", "LLAMA_API_KEY", false},
    Preset{
        "mistral",
        openai,
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        true,
        false,  // refuses members it does not know, and sends the usage anyway
        "random_seed"
    },
    Preset{"groq", openai, "https://api.groq.com/openai/v1", "GROQ_API_KEY", true},
    Preset{"together", openai, "https://api.together.xyz/v1", "TOGETHER_API_KEY", true},
    Preset{"openrouter", openai, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", true},
    Preset{"deepseek", openai, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", true},
    Preset{"huggingface", openai, "https://router.huggingface.co/v1", "HF_TOKEN", true},
    Preset{"cohere", openai, "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", true},
};

/// Hosts below which Azure serves models.
constexpr std::array<std::string_view, 3> kAzureSuffixes{
    ".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"
};

/// Source: "Supported foundation models" and "Amazon Bedrock endpoints and quotas".
constexpr std::array<std::string_view, 25> kBedrockRegions{
    "us-east-1",     "us-east-2",      "us-west-1",      "us-west-2",      "us-gov-east-1",
    "us-gov-west-1", "ca-central-1",   "sa-east-1",      "eu-central-1",   "eu-central-2",
    "eu-north-1",    "eu-south-1",     "eu-south-2",     "eu-west-1",      "eu-west-2",
    "eu-west-3",     "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2",    "ap-southeast-1", "ap-southeast-2", "ap-southeast-4", "me-central-1",
};
constexpr std::string_view kBedrockBegin = "bedrock-runtime.";
constexpr std::string_view kBedrockEnd = ".amazonaws.com";

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The host without the port, checked; nullopt when it is not one.
std::optional<std::string> host_of(std::string_view authority) {
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        const std::string_view rest =
            close == std::string_view::npos ? "" : authority.substr(close + 1);
        const bool fine = close != std::string_view::npos && close > 2 &&
                          (rest.empty() || (rest[0] == ':' && is_port(rest.substr(1))));
        return fine ? std::optional(lower_ascii(authority.substr(0, close + 1))) : std::nullopt;
    }
    const std::size_t colon = authority.find(':');
    const std::string_view host = authority.substr(0, colon);
    const bool fine =
        !host.empty() && (colon == std::string_view::npos || is_port(authority.substr(colon + 1)));
    return fine ? std::optional(lower_ascii(host)) : std::nullopt;
}

bool is_same_or_below(std::string_view host, std::string_view own) {
    return host == own || (host.size() > own.size() && host.ends_with(own) &&
                           host[host.size() - own.size() - 1] == '.');
}

bool has_path(const Url& url) {
    return url.base.find('/', url.scheme.size() + 3) != std::string::npos;
}

/// As Azure's client libraries want it: the host, and what stands in front of /openai.
Result<std::string> azure_base(const Url& url, const domain::ModelSpec& model) {
    constexpr std::string_view kService = "/openai";
    constexpr std::string_view kDeployments = "/openai/deployments/";
    const std::size_t at = url.base.find(kDeployments);
    if (at != std::string::npos) {
        const std::string front = url.base.substr(0, at);
        const std::string deployment = url.base.substr(at + kDeployments.size());
        if (deployment != model.model) {
            return Error(
                Code::validation,
                "names the deployment \"" + deployment + "\", but `model` is \"" + model.model +
                    "\": write base_url: " + front + " and the deployment as `model`"
            );
        }
        return front;
    }
    if (url.base.ends_with("/openai/v1")) {
        const std::string front = url.base.substr(0, url.base.size() - 10);
        return Error(
            Code::validation,
            "write " + front +
                " (the calls go to its deployments); or keep it with the provider \"openai\", "
                "whose "
                "protocol /openai/v1 speaks"
        );
    }
    const bool service = url.base.ends_with(kService);
    return url.base.substr(0, url.base.size() - (service ? kService.size() : 0));
}

}  // namespace

std::span<const Preset> presets() { return kPresets; }
std::span<const std::string_view> azure_suffixes() { return kAzureSuffixes; }
std::span<const std::string_view> bedrock_regions() { return kBedrockRegions; }

std::string bedrock_url(std::string_view region) {
    return "https://" + std::string(kBedrockBegin) + std::string(region) + std::string(kBedrockEnd);
}

std::string_view bedrock_region(std::string_view host) {
    if (!host.starts_with(kBedrockBegin) || !host.ends_with(kBedrockEnd) ||
        host.size() <= kBedrockBegin.size() + kBedrockEnd.size()) {
        return "";
    }
    host.remove_prefix(kBedrockBegin.size());
    host.remove_suffix(kBedrockEnd.size());
    return host.find('.') == host.npos ? host : "";
}

const Preset* find_preset(std::string_view name) {
    const auto found = std::ranges::find(kPresets, name, &Preset::name);
    return found == kPresets.end() ? nullptr : &*found;
}

Result<Url> parse_base_url(std::string_view text) {
    const auto bad = [](std::string why) { return Error(Code::validation, std::move(why)); };
    for (const char c : text) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) {
            return bad("a URL has no spaces in it");
        }
    }
    const std::size_t mark = text.find("://");
    Url url;
    url.scheme = lower_ascii(text.substr(0, mark));
    if (mark == std::string_view::npos || (url.scheme != "http" && url.scheme != "https")) {
        return bad("write a URL that begins with http:// or https://");
    }
    std::string_view rest = text.substr(mark + 3);
    if (rest.find('#') != std::string_view::npos) {
        return bad("leave the part behind # away");
    }
    const std::size_t question = rest.find('?');
    if (question != std::string_view::npos) {
        url.query = rest.substr(question + 1);
        rest = rest.substr(0, question);
    }
    const std::string_view authority = rest.substr(0, rest.find('/'));
    if (authority.find('@') != std::string_view::npos) {
        return bad("a user name or password does not belong into the file; use api_key_env");
    }
    const auto host = host_of(authority);
    if (!host) {
        return bad("the URL names no host, or a port that is none");
    }
    url.host = *host;
    while (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    url.base = url.scheme + "://" + std::string(rest);
    return url;
}

Result<std::string> protocol_base(
    const Preset& preset, const Url& url, const domain::ModelSpec& model
) {
    switch (preset.protocol) {
        case Protocol::anthropic:
            return url.base + (has_path(url) ? "" : "/v1");
        case Protocol::google:
            return url.base + (has_path(url) ? "" : "/v1beta");
        case Protocol::azure:
            return azure_base(url, model);
        case Protocol::openai:
        case Protocol::bedrock:
        case Protocol::replay:
            break;
    }
    return url.base;
}

bool is_own_endpoint(const Preset& preset, const domain::ModelSpec& model) {
    if (model.base_url.empty()) {
        return !preset.base_url.empty() || preset.protocol == Protocol::bedrock;
    }
    const auto url = parse_base_url(model.base_url);
    if (!url || url->scheme != "https") {
        return false;
    }
    if (preset.protocol == Protocol::bedrock) {
        return !bedrock_region(url->host).empty();
    }
    if (preset.protocol == Protocol::azure) {
        return std::ranges::any_of(kAzureSuffixes, [&](std::string_view suffix) {
            return url->host.ends_with(suffix);
        });
    }
    const auto own = parse_base_url(preset.base_url);
    return own && own->scheme == "https" && is_same_or_below(url->host, own->host);
}

KeyChoice choose_key(const Preset& preset, const domain::ModelSpec& model) {
    if (!model.api_key_env.empty()) {
        return {model.api_key_env, true};
    }
    if (is_own_endpoint(preset, model)) {
        return {std::string(preset.key_variable), preset.needs_key};
    }
    // Azure without a key answers nobody, wherever its front door stands.
    return {"", preset.protocol == Protocol::azure};
}

}  // namespace lab::providers
