#pragma once
#include "platform/http/client.h"
#include "providers/provider.h"

#include <functional>
#include <memory>

namespace lab::providers {

/// Reads an environment variable; injected, so that providers never touch the environment.
using EnvLookup = std::function<std::optional<std::string>(const std::string& name)>;

class RequestSigner;
/// Signs for a service of Amazon in a region. Errors: unavailable when there are no credentials.
using AwsSigner = std::function<
    Result<std::shared_ptr<RequestSigner>>(const std::string& region, const std::string& service)>;

struct ProviderDeps {
    http::Client* http = nullptr;
    const Clock* clock = nullptr;
    EnvLookup env;
    AwsSigner aws = {};  ///< for bedrock without a key
};

/// Names for specs and messages: openai, anthropic, google, azure, replay and the presets.
std::vector<std::string> provider_names();
/// Names of the environment variable a provider's key usually stands in; empty = none needed.
std::string default_key_variable(const std::string& provider);

/// A provider's own key: the variable it usually stands in, and where the provider serves, over
/// TLS ("api.openai.com", "*.openai.azure.com").
struct OwnKey {
    std::string provider;
    std::string variable;
    std::vector<std::string> hosts;
};
/// Of every provider that is a public service.
std::vector<OwnKey> own_keys();
/// Where a provider is called when a model names nothing else; empty = it has to.
std::string default_base_url(std::string_view provider);

/// What can be checked before any call: known provider, base_url where one is needed, the key
/// variable set (unless the server needs none), parameters the protocol cannot carry.
/// `path` is the model's path in the spec for the details' fields.
std::vector<Detail> check_model(
    const domain::ModelSpec& model, const EnvLookup& env, std::string_view path
);

/// Errors: validation (as check_model); for replay also io and what is wrong in the file, by line.
Result<std::unique_ptr<Provider>> make_provider(
    const domain::ModelSpec& model, const ProviderDeps& deps
);

}  // namespace lab::providers
