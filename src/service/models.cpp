#include "service/models.h"

#include "base/text.h"
#include "service/credentials.h"
#include "service/uses.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace lab::service {
namespace {

struct Provider {
    std::string_view name;
    std::string_view display_name;
    std::string_view description;
    std::vector<std::string_view> models;  ///< some that people use; any other name is taken too
};

const std::vector<Provider>& providers() {
    static const std::vector<Provider> kProviders{
        {"openai",
         "OpenAI",
         "The OpenAI API, chat completions and completions",
         {"gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "o3-mini"}},
        {"anthropic",
         "Anthropic",
         "The Anthropic messages API",
         {"claude-3-5-haiku-latest", "claude-3-7-sonnet-latest"}},
        {"google", "Google", "The Gemini API", {"gemini-2.0-flash", "gemini-2.5-pro"}},
        {"azure", "Azure OpenAI", "Deployments of Azure OpenAI; needs config.base_url", {}},
        {"huggingface", "Hugging Face", "The Hugging Face inference router", {}},
        {"cohere", "Cohere", "Cohere's endpoint that speaks the OpenAI protocol", {"command-r-plus"}
        },
        {"aws", "AWS Bedrock", "The Bedrock Converse API", {}},
        {"local", "Local server", "A server of your own that speaks the OpenAI protocol", {}},
        {"custom",
         "Custom or recorded",
         "Any server that speaks the OpenAI protocol, or recorded outputs (config.replay_dataset)",
         {}},
    };
    return kProviders;
}

Json provider_names() {
    Json out = Json::array();
    for (const Provider& provider : providers()) {
        out.push_back(provider.name);
    }
    return out;
}

/// Members of `config` that would hold a secret.
bool looks_secret(std::string_view name) {
    const std::string lower = to_lower(name);
    return std::ranges::any_of(
        std::to_array<std::string_view>({"password", "secret", "token", "api_key", "apikey"}),
        [&](std::string_view word) {
            return lower.find(word) != std::string::npos && !lower.starts_with("max_") &&
                   !lower.ends_with("_tokens");
        }
    );
}

Status check_model(const Request& request, Json& body, const storage::Resource*) {
    std::vector<Detail> problems;
    const Json config = body.value("config", Json::object());
    for (const auto& [name, value] : config.items()) {
        if (looks_secret(name)) {
            problems.push_back(
                {"config." + name,
                 "holds no secret: name a credential of the operator in config.credential"}
            );
        }
    }
    const std::string provider = body.value("provider", "");
    const bool replays = config.contains("replay_dataset");
    if ((provider == "azure" || provider == "local" || provider == "custom") &&
        !config.contains("base_url") && !replays) {
        problems.push_back({"config.base_url", "the provider " + provider + " needs one"});
    }
    std::ranges::move(check_way_out(request, provider, config), std::back_inserter(problems));
    if (!problems.empty()) {
        return Error(Code::validation, "the model cannot be as given", std::move(problems));
    }
    body.emplace("version", "");
    body.emplace("config", Json::object());
    return ok();
}

/// Of `config` what everybody means the same by; the rest is free.
Json config_schema() {
    const Json price = {
        {"anyOf",
         {{{"type", "number"}, {"minimum", 0}},
          {{"type", "string"},
           {"pattern", "^[0-9]{1,7}([.][0-9]{1,12})?$"},
           {"x-hint", "an amount in US dollars such as 0.15, at most 12 decimals"}}}}
    };
    Json pricing = {{"type", "object"}};
    for (const char* member : {"input_per_million", "output_per_million"}) {
        pricing["properties"][member] = price;
    }
    Json out = {{"type", "object"}};
    out["properties"]["pricing"] = std::move(pricing);
    out["properties"]["max_context_window"] = {{"type", "integer"}, {"minimum", 1}};
    return out;
}

const Json& schema() {
    static const Json kSchema = [] {
        Json own = Json::object();
        own["provider"] = {{"enum", provider_names()}, {"x-noun", "provider"}};
        own["model_identifier"] = {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}};
        own["version"] = {{"type", "string"}, {"maxLength", 50}};
        own["config"] = config_schema();
        return noun_schema(std::move(own), {"provider", "model_identifier"});
    }();
    return kSchema;
}

}  // namespace

const Noun& model_noun() {
    using enum domain::Permission;
    static const Noun kNoun{
        .name = "model",
        .kind = storage::ResourceKind::model,
        .create = create_model,
        .read = read_model,
        .update = update_model,
        .remove = delete_model,
        .schema = &schema(),
        .check = check_model,
        .fill_columns = [](const Json& body,
                           storage::Resource& one) { one.facet = body.value("provider", ""); },
        .may_remove = [](const Request& request, const storage::Resource& one
                      ) { return refuse_while_used(request, "model", one); },
    };
    return kNoun;
}

Json list_providers() {
    Json out = Json::array();
    for (const Provider& provider : providers()) {
        out.push_back({
            {"name", provider.name},
            {"display_name", provider.display_name},
            {"description", provider.description},
            {"supported_models", provider.models},
        });
    }
    return out;
}

}  // namespace lab::service
