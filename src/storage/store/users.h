#pragma once
#include "domain/access.h"
#include "storage/store/resources.h"
#include "storage/store/row_count.h"
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// Somebody who may log in, or owns keys.
struct User {
    std::int64_t key = 0;  ///< the store's own number
    std::string id;        ///< UUID
    std::int64_t org = 1;  ///< tenant
    std::string org_id;    ///< its UUID; read only
    std::string email;     ///< in lower case; unique over all tenants
    std::string name;
    std::vector<domain::Role> roles;
    domain::Tier tier = domain::Tier::professional;
    std::string password_hash;  ///< empty: no password opens this account
    bool is_active = true;
    std::int64_t revision = 1;  ///< grows with every change
    std::string last_login_at;  ///< empty = never
    std::string created_at;
    std::string updated_at;
};

/// Every condition that is set must hold.
struct UserFilter {
    std::optional<bool> is_active;
    std::optional<domain::Role> role;
    std::optional<std::string> text;  ///< somewhere in name or e-mail, in lower case
};

/// What decides about a token: its user, and what became of it.
struct TokenState {
    User user;
    bool is_revoked = false;     ///< the token itself
    bool session_alive = false;  ///< the login it descends from is there and has not ended
};

/// Borrows the session; same thread rule.
class Users {
  public:
    explicit Users(Session& session) : session_(session) {}
    /// Gives it its key. Errors: conflict when the e-mail is taken.
    Status create(const Ctx& ctx, User& user);
    Result<std::optional<User>> find(const Ctx& ctx, std::int64_t org, std::string_view id);
    /// In any tenant: who logs in does not say which. `email` in lower case.
    Result<std::optional<User>> find_by_email(const Ctx& ctx, std::string_view email);
    /// nullopt: there is no such user. `family`: the login the token descends from.
    Result<std::optional<TokenState>> find_for_token(
        const Ctx& ctx, std::string_view user_id, std::string_view jti, std::string_view family
    );
    /// Writes all of it over revision `user.revision` and makes that one more. false: somebody else
    /// changed it meanwhile. Errors: conflict when the e-mail is taken.
    Result<bool> update(const Ctx& ctx, User& user);
    /// Notes a login, and keeps `password_hash` when it is not empty: the same password, hashed
    /// anew. Neither counts as a change.
    Status note_login(
        const Ctx& ctx,
        std::int64_t org,
        std::string_view id,
        std::string_view at,
        std::string_view password_hash
    );
    /// By created_at; `page.sort` is not looked at.
    Result<std::vector<User>> list(
        const Ctx& ctx, std::int64_t org, const UserFilter& filter, const ResourcePage& page
    );
    Result<RowCount> count(const Ctx& ctx, std::int64_t org, const UserFilter& filter);
    /// Whether there is any user, in any tenant.
    Result<bool> any(const Ctx& ctx);
    /// Inside a transaction: from here to its end nobody else changes users of the tenant who does
    /// this first. SQLite has one writer anyway; other databases lock the row of the tenant.
    Status lock(const Ctx& ctx, std::int64_t org);

  private:
    Session& session_;
};

}  // namespace lab::storage
