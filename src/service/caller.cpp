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

}  // namespace lab::service
