#include "app/outbound.h"

#include "base/text.h"
#include "platform/config/named_secrets.h"
#include "platform/http/url_guard.h"
#include "providers/factory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace lab::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSecretBytesMax = 4096;
constexpr std::string_view kEnv = "env:";
constexpr std::string_view kFile = "file:";

Error bad(std::string why) { return {Code::validation, std::move(why)}; }

Result<std::vector<http::HostRule>> read_rules(std::span<const std::string> hosts) {
    std::vector<http::HostRule> out;
    for (const std::string& host : hosts) {
        LAB_TRY(out.emplace_back(), http::parse_host_rule(host));
    }
    return out;
}

/// What an Authorization header can carry.
bool is_key(std::string_view text) {
    return !text.empty() && text.size() <= kSecretBytesMax &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Result<std::unique_ptr<OutboundRules>> OutboundRules::make(
    const ServerSettings& settings, EnvLookup environment, Ways ways, Follow follow
) {
    std::unique_ptr<OutboundRules> out(new OutboundRules());
    http::UrlPolicy policy;
    auto trusted = read_rules(settings.providers.allowed_hosts);
    if (!trusted) {
        return bad("PROVIDER_ALLOWED_HOSTS: each entry " + trusted.error().message);
    }
    policy.trusted = *std::move(trusted);
    for (const providers::OwnKey& own : providers::own_keys()) {
        LAB_TRY(const auto rules, read_rules(own.hosts));
        policy.services.insert(policy.services.end(), rules.begin(), rules.end());
        out->provider_keys_.push_back(own.variable);
        if (settings.providers.keys.contains(own.variable)) {
            storage::Credential one;
            one.name = own.provider;
            one.secret_ref = std::string(kEnv) + own.variable;
            one.allowed_hosts = own.hosts;
            out->built_in_.push_back(std::move(one));
        }
    }
    policy.loopback = !settings.strict() && policy.trusted.empty();
    if (ways == Ways::guarded) {
        out->guard_ = std::make_shared<const http::UrlGuard>(std::move(policy));
        out->proxy_ = settings.providers.proxy;
    }
    out->secrets_folder_ = settings.providers.secrets_folder;
    out->secrets_prefix_ = settings.providers.secrets_prefix;
    out->environment_ = std::move(environment);
    out->follow_ = std::move(follow);
    for (const ServerSettingInfo& info : server_setting_table()) {
        out->own_names_.emplace_back(info.key);
        out->own_names_.emplace_back(info.alias);
    }
    return out;
}

http::ClientOptions OutboundRules::client_options() const {
    http::ClientOptions out;
    if (guard_) {
        out.guard = guard_;
        out.proxy = proxy_;
    }
    return out;
}

Status OutboundRules::check_url(std::string_view url, std::span<const std::string> hosts) const {
    if (!guard_) {
        LAB_CHECK(http::parse_outbound_url(url));
        return ok();
    }
    LAB_TRY(const auto further, read_rules(hosts));
    return guard_->check(url, further);
}

Status OutboundRules::check_reach(
    std::span<const std::string> hosts, std::string_view provider, std::string_view url
) const {
    const std::string target =
        url.empty() ? providers::default_base_url(provider) : std::string(url);
    if (target.empty()) {
        return bad("needs config.base_url: the provider has no server of its own");
    }
    LAB_TRY(const auto parsed, http::parse_outbound_url(target));
    LAB_TRY(const auto rules, read_rules(hosts));
    if (http::is_covered_strictly(rules, parsed)) {
        return ok();
    }
    return bad(
        "it may not be sent to " + parsed.host + " at port " + std::to_string(parsed.port) +
        ": the operator allows other hosts for it"
    );
}

Status OutboundRules::check_host(std::string_view host) const {
    LAB_CHECK(http::parse_host_rule(host));
    return ok();
}

/// A caller of the API may be an administrator and not the operator: the service's own secrets are
/// not for sending out, whatever the hosts.
Status OutboundRules::check_variable(std::string_view name) const {
    const auto is_among = [&](const std::vector<std::string>& names) {
        return std::ranges::find(names, name) != names.end();
    };
    const bool plain = !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (is_among(provider_keys_) ||
        (plain && name.ends_with("_API_KEY") && !is_among(own_names_))) {
        return ok();
    }
    return bad(
        "env: must name a variable that ends in _API_KEY, or the one of a provider's own key; the "
        "service's own settings are not for sending out"
    );
}

/// The service's own secrets may be in there, too: who writes credentials gets at those that are
/// meant for it.
Status OutboundRules::check_secret_name(std::string_view name) const {
    LAB_TRY(const SecretName parsed, parse_secret_name(name));
    if (secrets_prefix_.empty()) {
        return bad(
            "aws-sm:// needs PROVIDER_SECRETS_PREFIX, what names of such secrets begin with; it is "
            "not set"
        );
    }
    std::string_view plain = parsed.id;
    if (plain.starts_with("arn:")) {
        constexpr std::string_view kBefore = ":secret:";
        const std::size_t at = plain.find(kBefore);
        plain = at == plain.npos ? std::string_view() : plain.substr(at + kBefore.size());
    }
    return plain.starts_with(secrets_prefix_)
               ? ok()
               : Status(bad("aws-sm:// must name a secret that begins with PROVIDER_SECRETS_PREFIX")
                 );
}

Status OutboundRules::check_reference(std::string_view reference) const {
    if (reference.starts_with(kEnv)) {
        return check_variable(reference.substr(kEnv.size()));
    }
    if (reference.starts_with(kSecretScheme)) {
        return check_secret_name(reference.substr(kSecretScheme.size()));
    }
    if (!reference.starts_with(kFile)) {
        return bad("must be env:NAME, file:/path or aws-sm://NAME");
    }
    const std::string_view path = reference.substr(kFile.size());
    if (secrets_folder_.empty()) {
        return bad("file: needs PROVIDER_SECRETS_DIR, the folder such files are in; it is not set");
    }
    if (!path.starts_with('/') || path.find('\0') != std::string_view::npos ||
        path.find("..") != std::string_view::npos) {
        return bad("file: must name a whole path below PROVIDER_SECRETS_DIR, without \"..\"");
    }
    const fs::path within = fs::path(path).lexically_normal().lexically_relative(
        fs::path(secrets_folder_).lexically_normal()
    );
    return within.empty() || within == "." || *within.begin() == ".."
               ? Status(bad("file: must name a file below PROVIDER_SECRETS_DIR"))
               : ok();
}

Result<std::string> OutboundRules::read_secret_file(std::string_view path) const {
    std::error_code code;
    // Links are followed, as Kubernetes mounts secrets, but not out of the folder.
    const fs::path folder = fs::canonical(secrets_folder_, code);
    const fs::path file = code ? fs::path() : fs::canonical(path, code);
    const fs::path within = file.lexically_relative(folder);
    if (code || !fs::is_regular_file(file, code)) {
        return Error(Code::not_found, "there is no such file");
    }
    if (within.empty() || *within.begin() == "..") {
        return bad("file: leads out of PROVIDER_SECRETS_DIR");
    }
    std::ifstream stream(file, std::ios::binary);
    std::string text(kSecretBytesMax + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
    text = trim(text);
    return is_key(text) ? Result<std::string>(text)
                        : Error(Code::not_found, "the file cannot be read or holds no key");
}

Result<std::string> OutboundRules::follow_key(std::string_view reference) const {
    LAB_TRY(std::string key, follow_(reference));
    return is_key(key) ? Result<std::string>(std::move(key))
                       : Error(Code::not_found, "the secret holds no key");
}

Result<std::string> OutboundRules::resolve(std::string_view reference) const {
    LAB_CHECK(check_reference(reference));
    if (reference.starts_with(kFile)) {
        return read_secret_file(reference.substr(kFile.size()));
    }
    if (reference.starts_with(kSecretScheme)) {
        return follow_key(reference);
    }
    const std::string name(reference.substr(kEnv.size()));
    const std::string value(trim(environment_(name).value_or("")));
    if (value.starts_with(kSecretScheme)) {
        return follow_key(value);  // the operator's own words
    }
    if (!is_key(value)) {
        return Error(
            Code::not_found,
            "the environment variable " + name + " of the service is not set, or holds no key"
        );
    }
    return value;
}

}  // namespace lab::app
