#include "providers/factory.h"

#include "base/text.h"
#include "providers/http_provider.h"
#include "providers/impl/model_check.h"
#include "providers/impl/presets.h"
#include "providers/prices.h"
#include "providers/replay.h"

#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {

/// Google's names of models may carry the collection they stand in.
std::string model_in_url(const domain::ModelSpec& model) {
    std::string_view name = model.model;
    if (name.starts_with("models/")) {
        name.remove_prefix(7);
    }
    return std::string(name);
}

Endpoint make_endpoint(const Preset& preset, const domain::ModelSpec& model, const EnvLookup& env) {
    Endpoint endpoint;
    endpoint.provider = preset.name;
    std::string text = model.base_url.empty() ? std::string(preset.base_url) : model.base_url;
    if (text.empty()) {
        text = bedrock_url(aws_region(env));
    }
    const auto url = parse_base_url(text);
    LAB_ASSERT(url, "check_model refuses what is not a URL");
    auto base = protocol_base(preset, *url, model);
    LAB_ASSERT(base, "check_model refuses URLs of another kind");
    endpoint.base_url = *std::move(base);
    endpoint.query = url->query;
    endpoint.model = preset.protocol == Protocol::google ? model_in_url(model) : model.model;
    endpoint.api = model.api;
    endpoint.headers = model.headers;
    endpoint.output_tokens_max = find_output_limit(model).value_or(0);
    endpoint.stream_options = preset.stream_options;
    endpoint.seed_name = preset.seed_name;
    endpoint.azure = preset.protocol == Protocol::azure;
    if (const KeyChoice key = choose_key(preset, model); !key.variable.empty()) {
        endpoint.key = read_key(env, key.variable).value_or("");
    }
    return endpoint;
}

/// The one that signatures are for: of the host, else of the environment. A signature is good for
/// one host and some minutes, so it may go wherever a base_url leads.
std::string region_of(const std::string& base_url, const EnvLookup& env) {
    const auto url = parse_base_url(base_url);
    const std::string_view of_host = url ? bedrock_region(url->host) : std::string_view();
    std::string region = of_host.empty() ? aws_region(env) : std::string(of_host);
    return region.empty() ? "us-east-1" : region;
}

std::unique_ptr<Codec> make_codec(Protocol protocol, Endpoint endpoint) {
    switch (protocol) {
        case Protocol::anthropic:
            return make_anthropic_codec(std::move(endpoint));
        case Protocol::google:
            return make_google_codec(std::move(endpoint));
        case Protocol::bedrock:
            return make_bedrock_codec(std::move(endpoint));
        case Protocol::openai:
        case Protocol::azure:
        case Protocol::replay:
            break;
    }
    return make_openai_codec(std::move(endpoint));
}

}  // namespace

std::vector<std::string> provider_names() {
    std::vector<std::string> names;
    for (const Preset& preset : presets()) {
        names.emplace_back(preset.name);
    }
    return names;
}

std::vector<OwnKey> own_keys() {
    std::vector<OwnKey> out;
    for (const Preset& preset : presets()) {
        OwnKey key{std::string(preset.name), std::string(preset.key_variable), {}};
        const auto url = parse_base_url(preset.base_url);
        if (url && url->scheme == "https") {
            key.hosts = {url->host, "*." + url->host};
        }
        if (preset.protocol == Protocol::bedrock) {
            for (const std::string_view region : bedrock_regions()) {
                key.hosts.push_back(bedrock_url(region).substr(std::string_view("https://").size())
                );
            }
        }
        if (preset.protocol == Protocol::azure) {
            for (const std::string_view suffix : azure_suffixes()) {
                key.hosts.push_back("*" + std::string(suffix));
            }
        }
        if (!key.hosts.empty()) {
            out.push_back(std::move(key));
        }
    }
    return out;
}

std::string default_base_url(std::string_view provider) {
    const Preset* preset = find_preset(provider);
    return preset != nullptr ? std::string(preset->base_url) : "";
}

std::string default_key_variable(const std::string& provider) {
    const Preset* preset = find_preset(provider);
    return preset != nullptr ? std::string(preset->key_variable) : "";
}

Result<std::unique_ptr<Provider>> make_provider(
    const domain::ModelSpec& model, const ProviderDeps& deps
) {
    std::vector<Detail> problems = check_model(model, deps.env, "");
    if (!problems.empty()) {
        std::string message = "the model \"" + model.id + "\" cannot be used: ";
        message += problems.front().message;
        return Error(Code::validation, std::move(message), std::move(problems));
    }
    const Preset& preset = *find_preset(model.provider);
    if (preset.protocol == Protocol::replay) {
        return make_replay_provider(model);
    }
    LAB_ASSERT(deps.http != nullptr && deps.clock != nullptr, "a provider needs wire and clock");
    Endpoint endpoint = make_endpoint(preset, model, deps.env);
    std::shared_ptr<RequestSigner> signer;
    if (preset.protocol == Protocol::bedrock && endpoint.key.empty()) {
        LAB_ASSERT(deps.aws, "a provider of Amazon's needs somebody who signs");
        LAB_TRY(signer, deps.aws(region_of(endpoint.base_url, deps.env), "bedrock"));
    }
    std::shared_ptr<const Codec> codec = make_codec(preset.protocol, std::move(endpoint));
    return make_http_provider(std::move(codec), *deps.http, *deps.clock, std::move(signer));
}

}  // namespace lab::providers
