#include "service/caller.h"

#include <algorithm>

namespace lab::service {

bool Caller::is_admin() const {
    return kind == Kind::admin_key || kind == Kind::local ||
           std::ranges::find(roles, domain::Role::admin) != roles.end();
}

storage::Viewer Caller::viewer() const {
    return {.org = org, .user = user_id, .is_admin = is_admin()};
}

Caller local_caller() {
    Caller out;
    out.kind = Caller::Kind::local;
    out.roles = {domain::Role::admin};
    out.granted.set();
    out.tier = domain::Tier::unlimited;
    return out;
}

Status require(const Caller& caller, domain::Permission permission) {
    if (caller.may(permission)) {
        return ok();
    }
    if (caller.kind == Caller::Kind::anonymous) {
        return Error(Code::unauthorized, "a credential is needed");
    }
    const std::string scope(domain::scope_of(permission));
    return Error(
        Code::forbidden, "this needs the permission " + scope, {{"required_permission", scope}}
    );
}

Status require_or_scope(
    const Caller& caller, domain::Permission permission, std::string_view scope
) {
    using domain::Role;
    const bool has_scope = !scope.empty() && caller.kind == Caller::Kind::api_key &&
                           std::ranges::find(caller.scopes, scope) != caller.scopes.end();
    // The rights of a service account are its scopes.
    const bool account =
        std::ranges::find(caller.roles, Role::service_account) != caller.roles.end();
    const auto of_roles = domain::permissions_of(caller.roles);
    if (has_scope && (account || of_roles[static_cast<std::size_t>(permission)])) {
        return ok();
    }
    return require(caller, permission);
}

}  // namespace lab::service
