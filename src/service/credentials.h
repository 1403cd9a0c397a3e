#pragma once
#include "service/nouns.h"
#include "storage/store/credentials.h"

#include <span>

/// Keys of model servers. The operator names them and says where each may be sent; who uses a model
/// names one (`config.credential`) and never sees it.
namespace lab::service {

/// The ways out of the service, and the secrets that may take them. Any thread.
class Outbound {
  public:
    virtual ~Outbound() = default;
    /// Whether a URL that a user gave may be called; `hosts`: of the credential that goes with it.
    /// Errors: validation.
    virtual Status check_url(std::string_view url, std::span<const std::string> hosts) const = 0;
    /// Whether what is meant for these hosts may be sent there; an empty URL is the provider's own.
    /// A host without a port means port 443 over TLS. Errors: validation.
    virtual Status check_reach(
        std::span<const std::string> hosts, std::string_view provider, std::string_view url
    ) const = 0;
    /// Whether it can stand in a list of allowed hosts. Errors: validation.
    virtual Status check_host(std::string_view host) const = 0;
    /// Whether a reference has a form that can be followed here. Errors: validation.
    virtual Status check_reference(std::string_view reference) const = 0;
    /// The secret. Errors: as check_reference; not_found when it is not there. The message never
    /// holds it.
    virtual Result<std::string> resolve(std::string_view reference) const = 0;
    /// Those that the operator has set in the environment, for the providers' own hosts.
    virtual const std::vector<storage::Credential>& built_in() const = 0;
};

/// JSON Schemas of what may be written, and of what is shown.
const Json& credential_schema();
const Json& credential_changes_schema();
const Json& shown_credential_schema();

/// Errors: validation; conflict when the name is taken.
Result<Shown> create_credential(const Request& request, const Json& body);
/// By name, the built-in ones first.
Result<std::vector<Json>> list_credentials(const Request& request);
/// Errors: not_found.
Result<Shown> get_credential(const Request& request, const std::string& name);
/// Replaces the members that are given. Errors: validation, not_found, precondition_failed;
/// invalid_state for a built-in one.
Result<Shown> update_credential(
    const Request& request,
    const std::string& name,
    const Json& changes,
    std::optional<std::int64_t> if_revision
);
/// Runs that use it fail from their next start on. Errors: as update_credential.
Result<Json> remove_credential(
    const Request& request, const std::string& name, std::optional<std::int64_t> if_revision
);

/// What stands for a credential of a tenant where an experiment file names an environment variable.
std::string credential_variable(std::int64_t org, std::string_view name);
bool is_credential_variable(std::string_view variable);

/// The secret behind such a variable; nullopt when there is no such credential any more. Errors: as
/// Outbound::resolve.
Result<std::optional<std::string>> secret_of_variable(
    const Ctx& ctx, const Outbound& outbound, storage::Session& session, std::string_view variable
);

/// What a model says of the way to it. Errors: validation, with details below `config`.
std::vector<Detail> check_way_out(
    const Request& request, const std::string& provider, const Json& config
);
/// Whether the model of a run may be called with its credential, now. Errors: validation.
Status check_credential_of_run(
    const Ctx& ctx,
    const Outbound& outbound,
    storage::Session& session,
    const domain::ModelSpec& model
);

}  // namespace lab::service
