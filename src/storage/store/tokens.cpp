#include "storage/store/tokens.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kCreate{"create_login", R"sql(
    INSERT INTO login_sessions (
        family, org, user_id, refresh_jti, expires_at, end_reason, created_at
    ) VALUES ($1, $2, $3, $4, $5, '', $6)
)sql"};
constexpr Query kFind{"find_login", R"sql(
    SELECT family, org, user_id, refresh_jti, expires_at, ended_at, end_reason, created_at
    FROM login_sessions WHERE user_id = $1 AND family = $2
)sql"};
// The condition on the old token and the change are one statement: of two that come at once with
// the same token one finds it used.
constexpr Query kRotate{"rotate_login", R"sql(
    UPDATE login_sessions SET refresh_jti = $4, expires_at = $5
    WHERE user_id = $1 AND family = $2 AND refresh_jti = $3 AND refresh_jti <> ''
      AND ended_at IS NULL
)sql"};
constexpr Query kEnd{"end_login", R"sql(
    UPDATE login_sessions SET ended_at = $3, end_reason = $4
    WHERE user_id = $1 AND family = $2 AND ended_at IS NULL
)sql"};
constexpr Query kEndAll{"end_logins", R"sql(
    UPDATE login_sessions SET ended_at = $3, end_reason = $4
    WHERE org = $1 AND user_id = $2 AND ended_at IS NULL
)sql"};
constexpr Query kPurge{"purge_logins", R"sql(
    DELETE FROM login_sessions WHERE family IN (
        SELECT family FROM login_sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2
    )
)sql"};
constexpr Query kRevoke{"revoke_token", R"sql(
    INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING
)sql"};
constexpr Query kIsRevoked{"is_token_revoked", "SELECT 1 FROM revoked_tokens WHERE jti = $1"};
constexpr Query kPurgeRevoked{"purge_revoked_tokens", R"sql(
    DELETE FROM revoked_tokens WHERE jti IN (
        SELECT jti FROM revoked_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2
    )
)sql"};

constexpr const Query* kQueries[] = {
    &kCreate,
    &kFind,
    &kRotate,
    &kEnd,
    &kEndAll,
    &kPurge,
    &kRevoke,
    &kIsRevoked,
    &kPurgeRevoked,
};

}  // namespace

std::span<const Query* const> token_queries() { return kQueries; }

Status LoginSessions::create(const Ctx& ctx, const LoginSession& login) {
    const Value values[] = {
        std::string_view(login.family),
        login.org,
        std::string_view(login.user_id),
        std::string_view(login.refresh_jti),
        std::string_view(login.expires_at),
        std::string_view(login.created_at),
    };
    LAB_CHECK(session_.exec(ctx, kCreate, values));
    return ok();
}

Result<std::optional<LoginSession>> LoginSessions::find(
    const Ctx& ctx, std::string_view user_id, std::string_view family
) {
    std::optional<LoginSession> out;
    const Value values[] = {user_id, family};
    LAB_CHECK(session_.query(ctx, kFind, values, [&](const Row& row) {
        out = LoginSession{
            .family = std::string(row.text(0)),
            .org = row.integer(1),
            .user_id = std::string(row.text(2)),
            .refresh_jti = std::string(row.text(3)),
            .expires_at = std::string(row.text(4)),
            .ended_at = std::string(row.text(5)),
            .end_reason = std::string(row.text(6)),
            .created_at = std::string(row.text(7)),
        };
        return ok();
    }));
    return out;
}

Result<bool> LoginSessions::rotate(
    const Ctx& ctx,
    std::string_view user_id,
    std::string_view family,
    std::string_view old_jti,
    std::string_view new_jti,
    std::string_view expires_at
) {
    const Value values[] = {user_id, family, old_jti, new_jti, expires_at};
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kRotate, values));
    return changed == 1;
}

Result<bool> LoginSessions::end(
    const Ctx& ctx,
    std::string_view user_id,
    std::string_view family,
    std::string_view at,
    std::string_view reason
) {
    const Value values[] = {user_id, family, at, reason};
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kEnd, values));
    return changed == 1;
}

Result<std::int64_t> LoginSessions::end_all(
    const Ctx& ctx,
    std::int64_t org,
    std::string_view user_id,
    std::string_view at,
    std::string_view reason
) {
    const Value values[] = {org, user_id, at, reason};
    return session_.exec(ctx, kEndAll, values);
}

Result<std::int64_t> LoginSessions::purge(
    const Ctx& ctx, std::string_view before, std::int64_t rows_max
) {
    const Value values[] = {before, rows_max};
    return session_.exec(ctx, kPurge, values);
}

Status RevokedTokens::add(const Ctx& ctx, std::string_view jti, std::string_view expires_at) {
    const Value values[] = {jti, expires_at};
    LAB_CHECK(session_.exec(ctx, kRevoke, values));
    return ok();
}

Result<bool> RevokedTokens::contains(const Ctx& ctx, std::string_view jti) {
    bool out = false;
    const Value values[] = {jti};
    LAB_CHECK(session_.query(ctx, kIsRevoked, values, [&](const Row&) {
        out = true;
        return ok();
    }));
    return out;
}

Result<std::int64_t> RevokedTokens::purge(
    const Ctx& ctx, std::string_view before, std::int64_t rows_max
) {
    const Value values[] = {before, rows_max};
    return session_.exec(ctx, kPurgeRevoked, values);
}

}  // namespace lab::storage
