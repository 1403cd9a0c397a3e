#pragma once
#include "storage/store/session.h"

#include <optional>
#include <string>

/// What became of logins and of the tokens that descend from them.
namespace lab::storage {

struct LoginSession {
    std::string family;  ///< its name in the tokens
    std::int64_t org = 1;
    std::string user_id;
    std::string refresh_jti;  ///< of the only refresh token that may be used; empty = none
    std::string expires_at;   ///< when the last of its tokens has expired
    std::string ended_at;     ///< empty = alive
    std::string end_reason;
    std::string created_at;
};

/// Borrows the session; same thread rule.
class LoginSessions {
  public:
    explicit LoginSessions(Session& session) : session_(session) {}
    /// Errors: conflict when there is one of this family, or no such user.
    Status create(const Ctx& ctx, const LoginSession& login);
    Result<std::optional<LoginSession>> find(
        const Ctx& ctx, std::string_view user_id, std::string_view family
    );
    /// From now on `new_jti` is the refresh token that may be used, if `old_jti` was and the login
    /// has not ended. false: it was not.
    Result<bool> rotate(
        const Ctx& ctx,
        std::string_view user_id,
        std::string_view family,
        std::string_view old_jti,
        std::string_view new_jti,
        std::string_view expires_at
    );
    /// false: it had ended before, or is not of this user.
    Result<bool> end(
        const Ctx& ctx,
        std::string_view user_id,
        std::string_view family,
        std::string_view at,
        std::string_view reason
    );
    /// Ends all logins of a user; gives how many were alive.
    Result<std::int64_t> end_all(
        const Ctx& ctx,
        std::int64_t org,
        std::string_view user_id,
        std::string_view at,
        std::string_view reason
    );
    /// Forgets those that expired before this moment; at most `rows_max`. Gives how many.
    Result<std::int64_t> purge(const Ctx& ctx, std::string_view before, std::int64_t rows_max);

  private:
    Session& session_;
};

/// Access tokens that ended before their time, by `jti`.
class RevokedTokens {
  public:
    explicit RevokedTokens(Session& session) : session_(session) {}
    /// `expires_at`: of the token, after which nobody asks any more. Again is no error.
    Status add(const Ctx& ctx, std::string_view jti, std::string_view expires_at);
    Result<bool> contains(const Ctx& ctx, std::string_view jti);
    Result<std::int64_t> purge(const Ctx& ctx, std::string_view before, std::int64_t rows_max);

  private:
    Session& session_;
};

}  // namespace lab::storage
