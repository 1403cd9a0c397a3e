#pragma once
#include "base/result.h"
#include "domain/access.h"
#include "storage/store/resources.h"

#include <string>
#include <vector>

namespace lab::service {

/// Who asks for something, and with which rights. Made by whoever checked the credential
/// (identity.h); use cases believe it.
struct Caller {
    enum class Kind : std::uint8_t {
        anonymous,
        user,       ///< a token of somebody who logged in
        api_key,    ///< a key, on behalf of its owner
        admin_key,  ///< the operator's key, on /admin alone
        local,      ///< the command line on this machine, without a server
    };
    Kind kind = Kind::anonymous;
    std::int64_t org = 1;
    std::string user_id;  ///< of the key's owner for keys; empty for anonymous and admin_key
    std::string email;
    std::vector<domain::Role> roles;
    domain::PermissionSet granted;    ///< what the roles grant, narrowed by the scopes of a key
    std::vector<std::string> scopes;  ///< of a key
    std::string key_id;               ///< of a key
    domain::Tier tier = domain::Tier::free;
    std::string token_id;  ///< `jti` of a token
    std::string request_id;
    std::string ip;
    std::string user_agent;

    bool may(domain::Permission permission) const {
        return granted[static_cast<std::size_t>(permission)];
    }
    /// Sees and changes every object of its tenant.
    bool is_admin() const;
    storage::Viewer viewer() const;
};

/// The command line without a server: everything, as nobody in particular.
Caller local_caller();

/// Errors: unauthorized without a credential; forbidden, the scope in `details` as
/// `required_permission`.
Status require(const Caller& caller, domain::Permission permission);
/// The same, and a key with this scope will do where its roles have the permission. An empty scope:
/// none will.
Status require_or_scope(
    const Caller& caller, domain::Permission permission, std::string_view scope
);

}  // namespace lab::service
