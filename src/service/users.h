#pragma once
#include "platform/json/json.h"
#include "service/identity.h"
#include "service/nouns.h"
#include "service/request.h"
#include "storage/store/users.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Who may log in. Nobody can give, or take over, more than they may do themselves. Every change is
/// in the audit log, in the same transaction.
namespace lab::service {

struct NewUser {
    std::string email;
    std::string name;
    std::string password;  ///< empty: no password opens the account
    std::vector<domain::Role> roles;
    domain::Tier tier = domain::Tier::professional;
};

/// JSON Schemas of what may be written.
const Json& new_user_schema();
const Json& user_changes_schema();

/// Errors: forbidden; validation; conflict with `existing_id` when the e-mail is taken.
Result<Shown> create_user(const Request& request, Identity& identity, const Json& body);
Result<Shown> create_user(const Request& request, Identity& identity, const NewUser& user);

Result<NounList> list_users(
    const Request& request, const storage::UserFilter& filter, const storage::ResourcePage& page
);
/// Errors: forbidden; not_found.
Result<Shown> get_user(const Request& request, const std::string& id);

/// Replaces the members that are given. A new password, and `is_active` false, end all logins of
/// the user. `if_revision`: only over this one.
/// Errors: forbidden; not_found; validation; precondition_failed; conflict for an e-mail that is
/// taken, for the last active administrator, and when somebody else changed the user meanwhile.
Result<Shown> update_user(
    const Request& request,
    Identity& identity,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision = std::nullopt
);
/// What is theirs stays, and they can be made active again. Errors: as update_user.
Status deactivate_user(
    const Request& request,
    Identity& identity,
    const std::string& id,
    std::optional<std::int64_t> if_revision = std::nullopt
);

/// Their own; ends all their logins, also this one, and begins a new one: its tokens, as
/// Identity::login gives them. Errors: unauthorized when `current` is wrong; rate_limited;
/// validation; forbidden for a caller who did not log in.
Result<Json> change_password(
    const Request& request, Identity& identity, std::string_view current, std::string_view next
);

/// What is wrong with a password for this account; empty when nothing is.
std::vector<std::string> password_problems(std::string_view password, std::string_view email);

/// Errors: forbidden when the caller may not do all of this.
Status require_all(const Caller& caller, const domain::PermissionSet& rights);

/// As the API shows it: never with a hash.
Json show_user(const storage::User& user);

}  // namespace lab::service
