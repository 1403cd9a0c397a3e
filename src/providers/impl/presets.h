#pragma once
#include "domain/spec.h"
#include "providers/codec.h"

#include <array>
#include <optional>
#include <string_view>

namespace lab::providers {

enum class Protocol : std::uint8_t { openai, anthropic, google, azure, bedrock, replay };

/// What is known of a provider beforehand.
struct Preset {
    std::string_view name;
    Protocol protocol;
    std::string_view base_url;      ///< empty = the spec must name one
    std::string_view key_variable;  ///< empty = no key
    bool needs_key;
    bool stream_options = true;  ///< see Endpoint
    std::string_view seed_name = "seed";
};

/// In the order in which people see them.
std::span<const Preset> presets();
const Preset* find_preset(std::string_view name);

/// The parts of a URL that matter here.
struct Url {
    std::string scheme;  ///< lower case
    std::string host;    ///< lower case, without port
    std::string base;    ///< scheme://host:port/path without a slash at the end
    std::string query;
};
/// What is wrong with a base_url, in words for its author.
Result<Url> parse_base_url(std::string_view text);

/// What the paths of the protocol are added to. A host alone gets the version that the vendor's own
/// SDK adds (/v1 of anthropic, /v1beta of google); of what Azure's portal shows, only the host
/// stays. Errors: validation, when the URL is of another kind than the model, with the right form.
Result<std::string> protocol_base(
    const Preset& preset, const Url& url, const domain::ModelSpec& model
);

/// The environment variable whose key goes to this endpoint: the one the spec names; without one,
/// the preset's, but only to the provider's own hosts over TLS (or where the preset itself points):
/// a key never follows a base_url to a foreign server. Empty = no key is sent.
struct KeyChoice {
    std::string variable;
    bool required = false;
};
KeyChoice choose_key(const Preset& preset, const domain::ModelSpec& model);

/// Where Bedrock serves a region: https://bedrock-runtime.REGION.amazonaws.com.
std::string bedrock_url(std::string_view region);
/// The region of such a host; empty for every other.
std::string_view bedrock_region(std::string_view host);
/// Regions that Bedrock is in.
std::span<const std::string_view> bedrock_regions();

/// Hosts below which Azure serves models, each with a dot in front.
std::span<const std::string_view> azure_suffixes();

/// Whether calls go to the provider itself, and so are billed by its price list.
bool is_own_endpoint(const Preset& preset, const domain::ModelSpec& model);

}  // namespace lab::providers
