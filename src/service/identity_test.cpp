#include "service/identity.h"

#include "platform/crypto/mac.h"
#include "service/api_keys.h"
#include "service/impl/test_identity.h"
#include "storage/store/settings_table.h"
#include "storage/store/tokens.h"

#include <atomic>
#include <set>
#include <thread>

namespace lab::service {
namespace {

using domain::Permission;
using test::kAdminKey;
using test::kPepper;
using test::kSecret;
using namespace std::chrono_literals;
using domain::Role;

class Credentials : public test::IdentityTest {
  protected:
    /// A key of the user as create_key makes it: {id, key, ...}.
    Json add_key(const std::string& owner, Json more = Json::object()) {
        Json body = {{"name", "key"}, {"scopes", {"*"}}, {"owner_id", owner}};
        body.update(more);
        auto made = create_key(as(local_), *identity_, body);
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made ? *std::move(made) : Json::object();
    }
};

TEST_F(Credentials, WithoutOneTheCallerIsNobody) {
    const auto caller =
        identity_->recognize({.ip = "10.0.0.1", .user_agent = "curl", .request_id = "r-1"});
    ASSERT_TRUE(caller);
    ASSERT_TRUE(*caller);
    EXPECT_EQ((*caller)->kind, Caller::Kind::anonymous);
    EXPECT_TRUE((*caller)->granted.none());
    EXPECT_EQ((*caller)->ip, "10.0.0.1");
    EXPECT_EQ((*caller)->user_agent, "curl");
    EXPECT_EQ((*caller)->request_id, "r-1");
}

TEST_F(Credentials, TwoAreOneTooMany) {
    const std::vector<Presented> attempts{
        {.authorization = "Bearer x", .api_key = "y"},
        {.authorization = "Bearer x", .admin_key = kAdminKey, .is_admin_route = true},
        {.api_key = "y", .admin_key = kAdminKey, .is_admin_route = true},
        {.authorization = "", .api_key = "", .admin_key = ""},
    };
    for (const Presented& presented : attempts) {
        const auto got = identity_->authenticate(ctx_, *session_, presented);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::bad_request);
    }
}

TEST_F(Credentials, ATokenIsItsUserAsTheStoreKnowsHim) {
    const std::string id = add_user("Ann@Example.org", {Role::researcher, Role::service_account});
    const auto tokens = log_in("ann@example.org");
    const auto caller = with_token(tokens.access);
    ASSERT_TRUE(caller) << caller.error().cause;
    EXPECT_EQ(caller->kind, Caller::Kind::user);
    EXPECT_EQ(caller->user_id, id);
    EXPECT_EQ(caller->email, "ann@example.org");
    EXPECT_EQ(caller->org, 1);
    EXPECT_EQ(caller->roles, std::vector{Role::researcher})
        << "a service account's rights are those of its keys";
    EXPECT_TRUE(caller->may(Permission::run_experiment));
    EXPECT_FALSE(caller->may(Permission::manage_users));
    EXPECT_EQ(caller->tier, domain::Tier::professional);
    EXPECT_FALSE(caller->token_id.empty());
    // What the token says about roles is old news.
    ASSERT_TRUE(update_user(as(local_), *identity_, id, Json{{"roles", {"Viewer"}}}));
    EXPECT_EQ(with_token(tokens.access)->roles, std::vector{Role::viewer});
    EXPECT_FALSE(with_token(tokens.access)->may(Permission::run_experiment));
    EXPECT_TRUE(with_header("bearer  " + tokens.access + " ")) << "schemes have no case";
}

TEST_F(Credentials, AServiceAccountMayDoNothingByLoggingIn) {
    add_user("bot@example.org", {Role::service_account});
    const Caller caller = logged_in("bot@example.org");
    EXPECT_TRUE(caller.granted.none());
    EXPECT_FALSE(caller.is_admin());
}

TEST_F(Credentials, WhatIsNoGoodTokenIsRefusedAlike) {
    const std::string id = add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    const std::string& good = tokens.access;
    std::string changed = good;
    changed[changed.size() / 2] ^= 1;
    Claims claims;
    claims.subject = id;
    claims.jti = "j";
    claims.family = "made-up";
    claims.org = "00000000-0000-4000-8000-000000000001";
    claims.issued_at = clock_.wall();
    claims.expires_at = clock_.wall() + 1h;
    const std::string no_login = *make_jwt().sign(claims);
    const std::string other_secret = *make_jwt(std::string(32, 'x')).sign(claims);
    claims.family.clear();
    const std::string no_family = *make_jwt().sign(claims);
    claims.subject = "nobody";
    const std::string nobody = *make_jwt().sign(claims);
    for (const std::string& header : std::vector<std::string>{
             "",
             " ",
             "Bearer",
             "Bearer ",
             "Bearer " + tokens.refresh,
             "Bearer " + changed,
             "Bearer " + good + "x",
             "Bearer " + good + ", Bearer " + good,
             "Bearer " + good.substr(0, good.rfind('.') + 1),
             "Bearer " + no_login,
             "Bearer " + other_secret,
             "Bearer " + no_family,
             "Bearer " + nobody,
             "Bearer " + std::string(16'000, 'a'),
             "Bearer ' OR 1=1 --",
             "Basic YW5uOnB3",
             "Token " + good,
             good,
             "ApiKey " + good,
             std::string("Bearer \0", 8) + good
         }) {
        expect_refused(with_header(header), header);
    }
    EXPECT_TRUE(with_token(good)) << "after all that";
}

TEST_F(Credentials, ATokenOfAnotherUsersLoginIsNone) {
    add_user("ann@example.org");
    const std::string bob = add_user("bob@example.org");
    log_in("ann@example.org");
    Claims claims = *make_jwt().verify(log_in("ann@example.org").access, TokenType::access);
    claims.subject = bob;
    expect_refused(with_token(*make_jwt().sign(claims)), "the login of somebody else");
    claims = *make_jwt().verify(log_in("bob@example.org").access, TokenType::access);
    claims.org = "00000000-0000-4000-8000-000000000002";
    expect_refused(with_token(*make_jwt().sign(claims)), "another tenant");
}

TEST_F(Credentials, ATokenExpires) {
    add_user("ann@example.org");
    const std::string token = log_in("ann@example.org").access;
    clock_.advance(3600s + 29s);
    EXPECT_TRUE(with_token(token)) << "the leeway";
    clock_.advance(1s);
    expect_refused(with_token(token), "expired");
}

TEST_F(Credentials, AUserWhoIsNotActiveIsOutAtOnce) {
    const std::string id = add_user("ann@example.org");
    const std::string key = add_key(id).value("key", "");
    const std::string token = log_in("ann@example.org").access;
    ASSERT_TRUE(with_token(token));
    ASSERT_TRUE(with_key(key));
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, id));
    expect_refused(with_token(token), "token");
    expect_refused(with_key(key), "key");
    ASSERT_TRUE(update_user(as(local_), *identity_, id, Json{{"is_active", true}}));
    expect_refused(with_token(token), "logins have ended for good");
    EXPECT_TRUE(with_key(key));
}

TEST_F(Credentials, AKeyIsCheckedAndNeverKept) {
    const std::string id = add_user("ann@example.org");
    const Json made = add_key(id);
    const std::string key = made.value("key", "");
    EXPECT_TRUE(key.starts_with("llm-research_" + made.value("key_prefix", "?")));
    EXPECT_EQ(key.find('_'), std::string("llm-research").size());
    EXPECT_EQ(key.size(), 13U + 8U + 43U);
    for (const auto& got : {with_key(key), with_header("ApiKey " + key), with_key(" " + key)}) {
        ASSERT_TRUE(got) << got.error().cause;
        EXPECT_EQ(got->kind, Caller::Kind::api_key);
        EXPECT_EQ(got->user_id, id);
        EXPECT_EQ(got->key_id, made.value("id", ""));
        EXPECT_EQ(got->tier, domain::Tier::standard);
        EXPECT_EQ(got->scopes, std::vector<std::string>{"*"});
    }
    const auto stored = storage::ApiKeys(*session_).find(ctx_, 1, made.value("id", "")).value();
    EXPECT_EQ(stored->key_hash, hmac_sha256(kPepper, key));
}

TEST_F(Credentials, WhatIsNoGoodKeyIsRefusedAlike) {
    const std::string id = add_user("ann@example.org");
    const std::string good = add_key(id).value("key", "");
    const std::string other = add_key(id).value("key", "");
    std::string wrong = good;
    wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
    std::string unknown = good;
    unknown[14] = unknown[14] == 'a' ? 'b' : 'a';
    for (const std::string& key : std::vector<std::string>{
             "",
             "llm-research_",
             "llm-research",
             good.substr(13),
             good.substr(0, 21),
             good.substr(0, good.size() - 1),
             good + "a",
             good + ", " + good,
             "LLM-RESEARCH_" + good.substr(13),
             wrong,
             unknown,
             good.substr(0, 21) + other.substr(21),
             good.substr(0, 21) + std::string(43, '%'),
             "llm-research_' OR '1'='1" + std::string(40, 'a'),
             "llm-research_%%%%%%%%" + good.substr(21),
             "llm-research_________" + good.substr(21),
             "llm-research_" + std::string(10'000, 'a'),
             std::string("llm-research_\0", 14) + good.substr(14),
             good + std::string(1, '\0')
         }) {
        expect_refused(with_key(key), key);
    }
    EXPECT_TRUE(with_key(good)) << "after all that";
}

TEST_F(Credentials, WithoutAnyKeysNoneIsFound) {
    expect_refused(with_key("llm-research_" + std::string(51, 'a')), "an empty table");
}

TEST_F(Credentials, AKeyGrantsWhatScopesRolesAndOwnerAllGrant) {
    const std::string admin = add_user("admin@example.org", {Role::admin});
    const auto rights = [&](const Json& more) {
        return with_key(add_key(admin, more).value("key", "")).value();
    };
    EXPECT_TRUE(rights(Json::object()).granted.all());
    EXPECT_TRUE(rights(Json::object()).is_admin());
    Caller caller = rights({{"scopes", {"experiments:read", "metrics:write"}}});
    EXPECT_EQ(caller.granted.count(), 1U);
    EXPECT_TRUE(caller.may(Permission::read_experiment));
    caller = rights({{"scopes", {"*"}}, {"roles", {"ServiceAccount"}}});
    EXPECT_TRUE(caller.granted.all());
    EXPECT_FALSE(caller.is_admin()) << "sees what it is shown, not everything";

    const std::string analyst = add_user("analyst@example.org", {Role::analyst, Role::viewer});
    const std::string all = add_key(analyst).value("key", "");
    EXPECT_EQ(with_key(all)->granted, domain::permissions_of(std::vector{Role::analyst}));
    const std::string free = add_key(analyst, {{"roles", {"ServiceAccount"}}}).value("key", "");
    EXPECT_EQ(with_key(free)->granted, domain::permissions_of(std::vector{Role::analyst}))
        << "no more than the owner";
    ASSERT_TRUE(update_user(as(local_), *identity_, analyst, Json{{"roles", {"Viewer"}}}));
    EXPECT_EQ(with_key(all)->roles, std::vector{Role::viewer});
    EXPECT_FALSE(with_key(all)->may(Permission::export_data)) << "the owner was demoted";
    EXPECT_FALSE(with_key(free)->may(Permission::export_data));

    const std::string bot = add_user("bot@example.org", {Role::service_account});
    caller = with_key(add_key(bot, {{"scopes", {"models:write"}}}).value("key", "")).value();
    EXPECT_EQ(caller.granted.count(), 2U) << "create and update";
}

TEST_F(Credentials, AKeyExpiresAndIsRevoked) {
    const std::string id = add_user("ann@example.org");
    const Json expiring = add_key(id, {{"expires_at", format_rfc3339(clock_.wall() + 10s)}});
    ASSERT_TRUE(with_key(expiring.value("key", "")));
    clock_.advance(10s - 1us);
    EXPECT_TRUE(with_key(expiring.value("key", "")));
    clock_.advance(1us);
    expect_refused(with_key(expiring.value("key", "")), "expired, also in the cache");
    const Json revoked = add_key(id);
    ASSERT_TRUE(with_key(revoked.value("key", "")));
    ASSERT_TRUE(revoke_key(as(local_), *identity_, revoked.value("id", "")));
    expect_refused(with_key(revoked.value("key", "")), "revoked, at once");
}

TEST_F(Credentials, AFarExpiryIsStillAnExpiry) {
    const std::string id = add_user("ann@example.org");
    const Json key = add_key(id, {{"expires_at", "9999-12-31T23:59:59Z"}});
    EXPECT_TRUE(with_key(key.value("key", "")));
}

TEST_F(Credentials, TheOperatorsKeyOpensAdminRoutesAlone) {
    const auto present = [&](Identity& to, std::string_view key, bool on_admin) {
        return to.authenticate(
            ctx_, *session_, {.admin_key = key, .is_admin_route = on_admin, .ip = "10.0.0.1"}
        );
    };
    const auto caller = present(*identity_, kAdminKey, true);
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->kind, Caller::Kind::admin_key);
    EXPECT_TRUE(caller->is_admin());
    EXPECT_TRUE(caller->granted.all());
    EXPECT_EQ(caller->user_id, "");
    expect_refused(present(*identity_, kAdminKey, false), "not on other routes");
    expect_refused(present(*identity_, std::string(kAdminKey) + "x", true), "longer");
    expect_refused(present(*identity_, kAdminKey.substr(1), true), "shorter");
    expect_refused(present(*identity_, "", true), "empty");
    IdentityConfig closed = config();
    closed.admin_key.clear();
    const auto without = make_identity(std::move(closed));
    expect_refused(present(*without, "", true), "there is none");
    expect_refused(present(*without, kAdminKey, true), "there is none");
}

TEST_F(Credentials, WhatWasFoundGoodCountsForAMoment) {
    const std::string id = add_user("ann@example.org");
    const std::string token = log_in("ann@example.org").access;
    const std::string header = "Bearer " + token;
    EXPECT_FALSE(identity_->recognize({.authorization = header}).value());
    ASSERT_TRUE(with_token(token));
    const auto known = identity_->recognize({.authorization = header, .ip = "10.9.9.9"}).value();
    ASSERT_TRUE(known);
    EXPECT_EQ(known->user_id, id);
    EXPECT_EQ(known->ip, "10.9.9.9") << "who and where are two things";
    EXPECT_FALSE(identity_->recognize({.api_key = token}).has_value()) << "kinds do not mix";
    clock_.advance(2s);
    EXPECT_FALSE(identity_->recognize({.authorization = header}).value());
}

TEST_F(Credentials, WhatAnotherProcessRevokesIsOutWithinTwoSeconds) {
    const std::string id = add_user("ann@example.org");
    const std::string key = add_key(id).value("key", "");
    const std::string token = log_in("ann@example.org").access;
    ASSERT_TRUE(with_key(key));
    ASSERT_TRUE(with_token(token));
    const auto elsewhere = make_identity();
    ASSERT_TRUE(deactivate_user(as(local_), *elsewhere, id));
    clock_.advance(2s);
    expect_refused(with_key(key), "key");
    expect_refused(with_token(token), "token");
}

TEST_F(Credentials, WhatAnotherProcessTellsOfIsOutAtOnce) {
    const std::string id = add_user("ann@example.org");
    const Json made = add_key(id);
    const std::string key = made.value("key", "");
    const std::string token = log_in("ann@example.org").access;
    const auto elsewhere = make_identity();
    std::vector<storage::Signal::What> told;
    elsewhere->on_forgotten([&](const storage::Signal& signal) {
        told.push_back(signal.what);
        identity_->forget(signal);
    });
    ASSERT_TRUE(with_key(key));
    ASSERT_TRUE(with_token(token));
    ASSERT_TRUE(elsewhere->logout(as(local_), "Bearer " + token));
    expect_refused(with_token(token), "the login has ended");
    ASSERT_TRUE(with_key(key));
    ASSERT_TRUE(revoke_key(as(local_), *elsewhere, made.value("id", "")));
    expect_refused(with_key(key), "the key is revoked");
    const std::string other = log_in("ann@example.org").access;
    ASSERT_TRUE(with_token(other));
    ASSERT_TRUE(deactivate_user(as(local_), *elsewhere, id));
    expect_refused(with_token(other), "the user is out");
    using What = storage::Signal::What;
    EXPECT_EQ(told, (std::vector<What>{What::login, What::key, What::user}));
}

TEST_F(Credentials, AStoreThatFailsIsNoWrongCredential) {
    const std::string id = add_user("ann@example.org");
    const std::string header = "Bearer " + log_in("ann@example.org").access;
    const CancelToken token;
    token.cancel(CancelReason::shutdown);
    const Ctx stopped(clock_, token);
    const auto got = identity_->authenticate(stopped, *session_, {.authorization = header});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::cancelled);
}

TEST_F(Credentials, KeysOfThePreviousPepperAreStillGood) {
    const std::string id = add_user("ann@example.org");
    const std::string old = add_key(id).value("key", "");
    IdentityConfig rotated = config();
    rotated.pepper = std::string(32, 'n');
    rotated.pepper_previous = kPepper;
    identity_ = make_identity(std::move(rotated));
    EXPECT_TRUE(with_key(old));
    EXPECT_TRUE(with_key(add_key(id).value("key", "")));
    IdentityConfig forgotten = config();
    forgotten.pepper = std::string(32, 'n');
    identity_ = make_identity(std::move(forgotten));
    expect_refused(with_key(old), "the pepper is gone");
}

TEST_F(Credentials, RotatedSecretsCountFromThenOn) {
    const std::string id = add_user("ann@example.org");
    const std::string old_key = add_key(id).value("key", "");
    const std::string old_token = log_in("ann@example.org").access;
    const std::string fresh(40, 'n');
    JwtConfig jwt;
    jwt.secret = fresh;
    jwt.secret_previous = kSecret;
    jwt.issuer = "llm-research-api";
    jwt.audience = "llm-research-users";
    ASSERT_TRUE(identity_->use({*Jwt::create(jwt, clock_), fresh, kPepper, "another admin key"}));
    EXPECT_TRUE(with_key(old_key));
    EXPECT_TRUE(with_key(add_key(id).value("key", "")));
    EXPECT_TRUE(make_jwt(fresh).verify(log_in("ann@example.org").access, TokenType::access));
    EXPECT_TRUE(with_token(old_token));
    clock_.advance(std::chrono::seconds(10));  // nothing is good because it was a moment ago
    EXPECT_TRUE(with_token(old_token));
    Presented admin{.admin_key = kAdminKey, .is_admin_route = true};
    EXPECT_FALSE(identity_->recognize(admin));
    admin.admin_key = "another admin key";
    EXPECT_TRUE(identity_->recognize(admin));
    ASSERT_TRUE(identity_->use({make_jwt(fresh), fresh, "", "another admin key"}));
    clock_.advance(std::chrono::seconds(10));
    expect_refused(with_token(old_token), "the secret is gone");
    expect_refused(with_key(old_key), "the pepper is gone");
    EXPECT_FALSE(identity_->use({make_jwt(fresh), "short", "", ""}));
}

TEST_F(Credentials, UseIsNotedNowAndThen) {
    const std::string id = add_user("ann@example.org");
    const Json key = add_key(id);
    ASSERT_TRUE(with_key(key.value("key", "")));
    const std::string used_at = format_rfc3339(clock_.wall());
    const auto last_used = [&] {
        return get_key(as(local_), key.value("id", "")).value()["last_used_at"];
    };
    EXPECT_TRUE(last_used().is_null());
    clock_.advance(5s);
    ASSERT_TRUE(identity_->maintain(ctx_, *session_));
    EXPECT_EQ(last_used(), used_at);
    ASSERT_TRUE(identity_->maintain(ctx_, *session_)) << "with nothing to note";
}

TEST_F(Credentials, WhatHasExpiredIsForgotten) {
    const std::string id = add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    const Claims claims = *make_jwt().verify(tokens.access, TokenType::access);
    ASSERT_TRUE(identity_->logout(as(logged_in("ann@example.org")), "Bearer " + tokens.access));
    storage::LoginSessions logins(*session_);
    storage::RevokedTokens revoked(*session_);
    clock_.advance(1h);
    ASSERT_TRUE(identity_->maintain(ctx_, *session_));
    EXPECT_TRUE(revoked.contains(ctx_, claims.jti).value()) << "the leeway of its check";
    clock_.advance(11min);
    ASSERT_TRUE(identity_->maintain(ctx_, *session_));
    EXPECT_FALSE(revoked.contains(ctx_, claims.jti).value());
    EXPECT_TRUE(logins.find(ctx_, id, claims.family).value());
    clock_.advance(7 * 24h);
    ASSERT_TRUE(identity_->maintain(ctx_, *session_));
    EXPECT_FALSE(logins.find(ctx_, id, claims.family).value());
}

TEST_F(Credentials, ThePepperIsMadeOnceForAStore) {
    EXPECT_EQ(load_secret(ctx_, *session_, random_, "api_key_pepper", kPepper).value(), kPepper);
    const std::string made = load_secret(ctx_, *session_, random_, "api_key_pepper", "").value();
    EXPECT_GE(made.size(), 32U);
    EXPECT_EQ(load_secret(ctx_, *session_, random_, "api_key_pepper", "").value(), made);
}

TEST_F(Credentials, WeakSettingsAreRefused) {
    IdentityConfig weak = config();
    weak.pepper = "short";
    EXPECT_FALSE(Identity::create(std::move(weak), clock_, random_, uuids_));
    weak = config();
    weak.pepper_previous = "short";
    EXPECT_FALSE(Identity::create(std::move(weak), clock_, random_, uuids_));
    weak = config();
    weak.access_life = 0s;
    EXPECT_FALSE(Identity::create(std::move(weak), clock_, random_, uuids_));
}

TEST_F(Credentials, MeSaysWhoAndWhat) {
    const std::string id = add_user("ann@example.org", {Role::viewer});
    const Caller caller = logged_in("ann@example.org");
    const Json me = identity_->me(as(caller)).value();
    EXPECT_EQ(me["id"], id);
    EXPECT_EQ(me["email"], "ann@example.org");
    EXPECT_EQ(me["name"], "Name");
    EXPECT_EQ(me["credential"], "token");
    EXPECT_EQ(me["roles"], Json({"Viewer"}));
    EXPECT_EQ(me["permissions"].size(), 5U);
    EXPECT_TRUE(me["scopes"].is_null());
    EXPECT_EQ(me["rate_limit_tier"], "professional");
    const Caller key = with_key(add_key(id).value("key", "")).value();
    EXPECT_EQ(identity_->me(as(key)).value()["credential"], "api_key");
    EXPECT_EQ(identity_->me(as(key)).value()["scopes"], Json({"*"}));
    EXPECT_EQ(identity_->me(as(local_)).value()["permissions"].size(), domain::kPermissions);
    EXPECT_EQ(identity_->me(as(stranger_)).error().code, Code::unauthorized);
}

// One identity, many threads, while users come and go: nobody gets in after he is out.
TEST_F(Credentials, ManyThreadsSeeAnEndAtOnce) {
    const std::string id = add_user("ann@example.org");
    const std::string key = add_key(id).value("key", "");
    const std::string token = log_in("ann@example.org").access;
    std::atomic<bool> is_out = false;
    std::atomic<bool> done = false;
    std::atomic<int> let_in = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            const auto session = another_session();
            while (!done) {
                const bool was_out = is_out;
                const auto got = t % 2 == 0
                                     ? identity_->authenticate(ctx_, *session, {.api_key = key})
                                     : identity_->authenticate(
                                           ctx_, *session, {.authorization = "Bearer " + token}
                                       );
                if (got) {
                    ++let_in;
                    EXPECT_FALSE(was_out) << "let in after the end";
                } else {
                    EXPECT_EQ(got.error().code, Code::unauthorized) << got.error().message;
                }
            }
        });
    }
    while (let_in < 50) {
        std::this_thread::yield();
    }
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, id));
    is_out = true;
    for (int i = 0; i < 50; ++i) {
        expect_refused(with_key(key), "key");
    }
    done = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
}

}  // namespace
}  // namespace lab::service
