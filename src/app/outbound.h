#pragma once
#include "platform/config/server_settings.h"
#include "platform/http/client.h"
#include "service/credentials.h"

namespace lab::app {

/// Whose calls they are: of users of a service, who are guarded, or of the one who runs the program
/// and calls for himself, through his own proxies.
enum class Ways : std::uint8_t { guarded, own };

/// How calls to models leave the service: only to the providers' own hosts, to those the operator
/// allows (PROVIDER_ALLOWED_HOSTS; in development, when he says nothing, this machine) and to the
/// public ones of a credential; and through no other proxy than OUTBOUND_PROXY. Secrets: keys of
/// providers in the environment, other variables that are made for keys (*_API_KEY), files of
/// PROVIDER_SECRETS_DIR, and secrets of AWS whose names begin with PROVIDER_SECRETS_PREFIX.
class OutboundRules final : public service::Outbound {
  public:
    /// What "aws-sm://..." stands for.
    using Follow = std::function<Result<std::string>(std::string_view reference)>;
    /// `environment`: of the process. Errors: validation.
    static Result<std::unique_ptr<OutboundRules>> make(
        const ServerSettings& settings, EnvLookup environment, Ways ways, Follow follow
    );
    http::ClientOptions client_options() const;

    Status check_url(std::string_view url, std::span<const std::string> hosts) const override;
    Status check_reach(
        std::span<const std::string> hosts, std::string_view provider, std::string_view url
    ) const override;
    Status check_host(std::string_view host) const override;
    Status check_reference(std::string_view reference) const override;
    Result<std::string> resolve(std::string_view reference) const override;
    const std::vector<storage::Credential>& built_in() const override { return built_in_; }

  private:
    OutboundRules() = default;
    Status check_variable(std::string_view name) const;
    Status check_secret_name(std::string_view name) const;
    Result<std::string> follow_key(std::string_view reference) const;
    Result<std::string> read_secret_file(std::string_view path) const;

    std::shared_ptr<const http::UrlGuard> guard_;
    std::string proxy_;
    std::string secrets_folder_;
    std::string secrets_prefix_;
    Follow follow_;
    EnvLookup environment_;
    std::vector<std::string> own_names_;  ///< variables of the service itself
    std::vector<std::string> provider_keys_;
    std::vector<storage::Credential> built_in_;
};

}  // namespace lab::app
