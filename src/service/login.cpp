#include "base/text.h"
#include "base/time_text.h"
#include "service/audit.h"
#include "service/impl/identity_impl.h"
#include "service/rate_limit.h"
#include "service/users.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::chrono::seconds kTokenLifeMin{60};
constexpr std::chrono::seconds kTokenLifeMax{90 * 24 * 3600};

Error too_many(Duration wait) {
    const std::int64_t seconds =
        std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
    return {
        Code::rate_limited,
        "too many failed attempts, try again in " + std::to_string(seconds) + " s",
        {{"retry_after", std::to_string(seconds)}}
    };
}

}  // namespace

Result<std::string> Identity::Impl::make_access(
    const storage::User& user, const std::string& family, WallTime now, std::chrono::seconds life
) {
    Claims claims;
    claims.subject = user.id;
    claims.email = user.email;
    for (const domain::Role role : user.roles) {
        claims.roles.emplace_back(to_string(role));
    }
    claims.token_type = TokenType::access;
    claims.jti = uuids.next();
    claims.family = family;
    claims.org = user.org_id;
    claims.issued_at = now;
    claims.expires_at = now + life;
    return keys()->jwt.sign(claims);
}

Result<Identity::Impl::Pair> Identity::Impl::make_pair(
    const storage::User& user, const std::string& family, WallTime began
) {
    const WallTime now = clock.wall();
    // However often it is refreshed, a login ends one day.
    const auto left = std::chrono::floor<std::chrono::seconds>(began + config.login_life_max - now);
    const std::chrono::seconds refresh_life = std::min(config.refresh_life, left);
    if (refresh_life < std::chrono::seconds(1)) {
        return refuse_credential("jwt: the login is too old");
    }
    Pair out;
    out.refresh_jti = uuids.next();
    Claims refresh;
    refresh.subject = user.id;
    refresh.email = user.email;
    refresh.token_type = TokenType::refresh;
    refresh.jti = out.refresh_jti;
    refresh.family = family;
    refresh.org = user.org_id;
    refresh.issued_at = now;
    refresh.expires_at = now + refresh_life;
    LAB_TRY(const std::string access_text, make_access(user, family, now, config.access_life));
    LAB_TRY(const std::string refresh_text, keys()->jwt.sign(refresh));
    out.expires_at = format_rfc3339(now + std::max(refresh_life, config.access_life));
    out.json = {
        {"access_token", access_text},
        {"refresh_token", refresh_text},
        {"token_type", "Bearer"},
        {"expires_in", config.access_life.count()},
        {"refresh_expires_in", refresh_life.count()},
    };
    return out;
}

Result<bool> Identity::Impl::try_password(
    const Request& request,
    const std::string& account,
    const storage::User* user,
    std::string_view password
) {
    const std::string who = account + "\n" + network_of(request.caller.ip);
    if (const auto wait = throttle.begin(who)) {
        return too_many(*wait);
    }
    auto pass = gate.enter(request.ctx);
    if (!pass) {
        throttle.undecided(who);
        return std::move(pass).error();
    }
    // Without a user the same work is done.
    const bool fits = config.hasher.verify(user != nullptr ? user->password_hash : "", password);
    if (fits && user != nullptr && user->is_active) {
        throttle.succeeded(who);
        return true;
    }
    const bool is_last = throttle.failed(who);
    AuditEvent event = audit_event(
        request.caller,
        AuditType::authentication,
        AuditAction::login_failed,
        "user",
        user != nullptr ? user->id : ""
    );
    event.outcome = AuditOutcome::failure;
    event.reason = "wrong account or password";
    event.details = AuditDetails(Json{{"blocked", is_last}});
    LAB_CHECK(write_audit(request.ctx, request.session, uuids, event));
    return false;
}

Result<Json> Identity::Impl::begin_login(
    const Request& request, const storage::User& user, std::string_view new_hash
) {
    const WallTime now = clock.wall();
    const std::string at = format_rfc3339(now);
    const std::string family = uuids.next();
    LAB_TRY(Pair pair, make_pair(user, family, now));
    LAB_CHECK(storage::LoginSessions(request.session)
                  .create(
                      request.ctx,
                      {.family = family,
                       .org = user.org,
                       .user_id = user.id,
                       .refresh_jti = pair.refresh_jti,
                       .expires_at = pair.expires_at,
                       .created_at = at}
                  ));
    LAB_CHECK(
        storage::Users(request.session).note_login(request.ctx, user.org, user.id, at, new_hash)
    );
    AuditEvent event =
        audit_event(request.caller, AuditType::authentication, AuditAction::login, "user", user.id);
    event.org = user.org;
    event.actor_type = "user";
    event.actor_id = user.id;
    event.actor_name = user.email;
    LAB_CHECK(write_audit(request.ctx, request.session, uuids, event));
    return std::move(pair.json);
}

Result<Json> Identity::login(
    const Request& request, std::string_view account, std::string_view password
) {
    const std::string email = normal_email(account);
    LAB_TRY(const auto user, storage::Users(request.session).find_by_email(request.ctx, email));
    const storage::User* const found = user ? &*user : nullptr;
    LAB_TRY(const bool is_right, impl_->try_password(request, email, found, password));
    if (!is_right || found == nullptr) {
        return refuse_credential("wrong account or password");
    }
    std::string new_hash;
    if (impl_->config.hasher.needs_rehash(found->password_hash)) {
        LAB_TRY(new_hash, hash_password(request.ctx, password));
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    // A password that was changed while this one was checked lets nobody in any more.
    LAB_TRY(
        const auto now, storage::Users(request.session).find(request.ctx, found->org, found->id)
    );
    if (!now || !now->is_active || now->password_hash != found->password_hash) {
        return refuse_credential("the user was changed meanwhile");
    }
    LAB_TRY(Json out, impl_->begin_login(request, *now, new_hash));
    LAB_CHECK(transaction.commit(request.ctx));
    return out;
}

Result<Json> Identity::open_login(const Request& request, const storage::User& user) {
    if (!user.is_active) {
        return refuse_credential("the user is not active");
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Json out, impl_->begin_login(request, user, ""));
    LAB_CHECK(transaction.commit(request.ctx));
    return out;
}

Status Identity::check_password(
    const Request& request, const storage::User& user, std::string_view password
) {
    LAB_TRY(
        const bool is_right, impl_->try_password(request, normal_email(user.email), &user, password)
    );
    return is_right ? ok() : Status(refuse_credential("wrong password"));
}

Result<std::string> Identity::hash_password(const Ctx& ctx, std::string_view password) {
    LAB_TRY(const auto pass, impl_->gate.enter(ctx));
    return impl_->config.hasher.hash(password);
}

Result<Json> Identity::refresh(const Request& request, std::string_view refresh_token) {
    LAB_TRY(const Claims claims, impl_->keys()->jwt.verify(refresh_token, TokenType::refresh));
    const Ctx& ctx = request.ctx;
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    storage::LoginSessions logins(request.session);
    LAB_TRY(const auto login, logins.find(ctx, claims.subject, claims.family));
    if (!login || !login->ended_at.empty()) {
        return refuse_credential("jwt: the login has ended");
    }
    LAB_TRY(const auto user, storage::Users(request.session).find(ctx, login->org, login->user_id));
    if (!user || !user->is_active || user->org_id != claims.org) {
        return refuse_credential("jwt: the user is not active");
    }
    const auto began = parse_rfc3339(login->created_at);
    if (!began) {
        return Error(Code::internal, "a stored login has no beginning");
    }
    LAB_TRY(Impl::Pair pair, impl_->make_pair(*user, claims.family, *began));
    LAB_TRY(
        const bool rotated,
        logins.rotate(ctx, user->id, claims.family, claims.jti, pair.refresh_jti, pair.expires_at)
    );
    if (!rotated) {
        // We signed it, and it is not the last one: somebody has used it before. Who, of the two,
        // is the thief cannot be told, so both are out.
        LAB_CHECK(impl_->end_for_reuse(request, *login));
        LAB_CHECK(transaction.commit(ctx));
        impl_->forget(storage::Signal::What::login, claims.family);
        return refuse_credential("jwt: a refresh token was used twice");
    }
    LAB_CHECK(transaction.commit(ctx));
    return std::move(pair.json);
}

Status Identity::Impl::end_for_reuse(const Request& request, const storage::LoginSession& login) {
    const std::string at = format_rfc3339(clock.wall());
    LAB_CHECK(storage::LoginSessions(request.session)
                  .end(request.ctx, login.user_id, login.family, at, "refresh token used twice"));
    AuditEvent event = audit_event(
        request.caller, AuditType::security, AuditAction::login_failed, "user", login.user_id
    );
    event.org = login.org;
    event.outcome = AuditOutcome::denied;
    event.reason = "a used refresh came again, so the login has ended";
    return write_audit(request.ctx, request.session, uuids, event);
}

Status Identity::logout(const Request& request, std::string_view authorization) {
    LAB_TRY(
        const Impl::Credential credential, Impl::read_credential({.authorization = authorization})
    );
    if (credential.kind != Impl::Kind::bearer) {
        return Error(Code::bad_request, "only a token logs out; a key is revoked");
    }
    LAB_TRY(const Claims claims, impl_->keys()->jwt.verify(credential.text, TokenType::access));
    const Ctx& ctx = request.ctx;
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    const std::string at = format_rfc3339(impl_->clock.wall());
    LAB_CHECK(storage::RevokedTokens(request.session)
                  .add(ctx, claims.jti, format_rfc3339(claims.expires_at)));
    LAB_TRY(
        const bool ended,
        storage::LoginSessions(request.session)
            .end(ctx, claims.subject, claims.family, at, "logout")
    );
    if (ended) {
        AuditEvent event = audit_event(
            request.caller, AuditType::authentication, AuditAction::logout, "user", claims.subject
        );
        LAB_CHECK(write_audit(ctx, request.session, impl_->uuids, event));
    }
    LAB_CHECK(transaction.commit(ctx));
    impl_->forget(storage::Signal::What::login, claims.family);
    return ok();
}

Result<Json> Identity::create_token(
    const Request& request, std::string_view email, std::chrono::seconds life
) {
    LAB_CHECK(require(request.caller, domain::Permission::manage_users));
    if (life < kTokenLifeMin || life > kTokenLifeMax) {
        return Error(
            Code::validation,
            "a token cannot be made like this",
            {{"life", "must be 60 seconds to 90 days"}}
        );
    }
    const Ctx& ctx = request.ctx;
    storage::Users users(request.session);
    LAB_TRY(const auto user, users.find_by_email(ctx, normal_email(email)));
    if (!user || user->org != request.caller.org) {
        return Error(Code::not_found, "there is no user with this e-mail address");
    }
    if (!user->is_active) {
        return Error(Code::invalid_state, "the user is not active");
    }
    LAB_CHECK(require_all(request.caller, login_rights(user->roles)));
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    const WallTime now = impl_->clock.wall();
    const std::string family = impl_->uuids.next();
    LAB_TRY(const std::string token, impl_->make_access(*user, family, now, life));
    LAB_CHECK(storage::LoginSessions(request.session)
                  .create(
                      ctx,
                      {.family = family,
                       .org = user->org,
                       .user_id = user->id,
                       .expires_at = format_rfc3339(now + life),
                       .created_at = format_rfc3339(now)}
                  ));
    AuditEvent event =
        audit_event(request.caller, AuditType::security, AuditAction::create, "user", user->id);
    event.details = AuditDetails(Json{{"made", "access"}, {"seconds", life.count()}});
    LAB_CHECK(write_audit(ctx, request.session, impl_->uuids, event));
    LAB_CHECK(transaction.commit(ctx));
    return Json{{"access_token", token}, {"token_type", "Bearer"}, {"expires_in", life.count()}};
}

}  // namespace lab::service
