#include "service/api_keys.h"
#include "service/impl/test_identity.h"
#include "storage/store/tokens.h"

#include <set>
#include <thread>

namespace lab::service {
namespace {

using test::kPassword;
using namespace std::chrono_literals;
using domain::Role;

class Login : public test::IdentityTest {
  protected:
    Result<Json> try_login(
        const std::string& account, std::string_view password, const std::string& ip = "10.0.0.9"
    ) {
        Caller from;
        from.ip = ip;
        return identity_->login(as(from), account, password);
    }
    static std::string retry_after(const Result<Json>& got) {
        EXPECT_FALSE(got);
        if (got) {
            return "let in";
        }
        EXPECT_EQ(got.error().code, Code::rate_limited) << got.error().message;
        return got.error().details.empty() ? "none" : got.error().details[0].message;
    }
    void expect_wrong(const Result<Json>& got) {
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::unauthorized);
        EXPECT_EQ(got.error().message, "the credential is not valid");
    }
    Result<Json> refresh(const std::string& token) {
        return identity_->refresh(as(stranger_), token);
    }
};

TEST_F(Login, GivesAPairOfTokens) {
    add_user("ann@example.org");
    const Json got = try_login("  ANN@example.ORG ", kPassword).value();
    EXPECT_EQ(got["token_type"], "Bearer");
    EXPECT_EQ(got["expires_in"], 3600);
    EXPECT_EQ(got["refresh_expires_in"], 604'800);
    const Claims access = *make_jwt().verify(got.value("access_token", ""), TokenType::access);
    const Claims refresh = *make_jwt().verify(got.value("refresh_token", ""), TokenType::refresh);
    EXPECT_EQ(access.roles, std::vector<std::string>{"Researcher"});
    EXPECT_EQ(access.email, "ann@example.org");
    EXPECT_EQ(access.family, refresh.family);
    EXPECT_NE(access.jti, refresh.jti);
    EXPECT_EQ(access.expires_at - access.issued_at, 1h);
    EXPECT_EQ(refresh.expires_at - refresh.issued_at, 7 * 24h);
    EXPECT_EQ(refresh.roles, std::vector<std::string>{});
    const auto user = storage::Users(*session_).find_by_email(ctx_, "ann@example.org").value();
    EXPECT_EQ(user->last_login_at, format_rfc3339(clock_.wall()));
}

TEST_F(Login, SaysTheSameToEveryoneWhoIsWrong) {
    const std::string gone = add_user("gone@example.org");
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, gone));
    add_user("ann@example.org");
    add_user("nopass@example.org", {Role::viewer}, "");
    for (const auto& [account, password] : std::vector<std::pair<std::string, std::string>>{
             {"ann@example.org", "wrong"},
             {"ann@example.org", ""},
             {"ann@example.org", std::string(5000, 'x')},
             {"ann@example.org", std::string(kPassword) + std::string(1, '\0')},
             {"nobody@example.org", std::string(kPassword)},
             {"gone@example.org", std::string(kPassword)},
             {"nopass@example.org", ""},
             {"nopass@example.org", std::string(kPassword)},
             {"", ""},
             {"' OR 1=1 --", "x"},
             {"%", std::string(kPassword)},
             {std::string(100'000, 'a'), "x"}
         }) {
        expect_wrong(try_login(account, password));
    }
    EXPECT_TRUE(try_login("ann@example.org", kPassword));
}

TEST_F(Login, FiveFailuresCloseAnAccountForThatNetwork) {
    add_user("ann@example.org");
    for (int i = 0; i < 5; ++i) {
        expect_wrong(try_login("ann@example.org", "wrong"));
        clock_.advance(1min);
    }
    EXPECT_EQ(retry_after(try_login("ann@example.org", kPassword)), "600") << "also when right";
    EXPECT_EQ(retry_after(try_login("ANN@example.org ", "wrong")), "600") << "other spelling";
    EXPECT_TRUE(try_login("ann@example.org", kPassword, "10.0.0.10")) << "another network";
    expect_wrong(try_login("bob@example.org", "wrong"));
    clock_.advance(599s);
    EXPECT_EQ(retry_after(try_login("ann@example.org", kPassword)), "1");
    clock_.advance(1s);
    EXPECT_TRUE(try_login("ann@example.org", kPassword));
    for (int i = 0; i < 5; ++i) {
        expect_wrong(try_login("ann@example.org", "wrong"));
    }
    EXPECT_EQ(retry_after(try_login("ann@example.org", kPassword)), "900");
}

TEST_F(Login, AnAccountThatIsNotThereClosesAlike) {
    for (int i = 0; i < 5; ++i) {
        expect_wrong(try_login("nobody@example.org", "wrong"));
    }
    EXPECT_EQ(retry_after(try_login("nobody@example.org", "wrong")), "900");
}

TEST_F(Login, AWholeIpv6NetworkIsOne) {
    for (int i = 0; i < 5; ++i) {
        expect_wrong(try_login("a@example.org", "wrong", "2001:db8::" + std::to_string(i)));
    }
    EXPECT_EQ(retry_after(try_login("a@example.org", "wrong", "2001:db8::ffff:9")), "900");
}

TEST_F(Login, ManyAtOnceAreNoWayAround) {
    add_user("ann@example.org");
    std::atomic<int> wrong = 0;
    std::atomic<int> blocked = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            const auto session = another_session();
            const Request request{ctx_, deps_, *session, stranger_};
            for (int i = 0; i < 5; ++i) {
                const auto got = identity_->login(request, "ann@example.org", "wrong");
                ASSERT_FALSE(got);
                wrong += got.error().code == Code::unauthorized ? 1 : 0;
                blocked += got.error().code == Code::rate_limited ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong.load(), 5);
    EXPECT_EQ(blocked.load(), 25);
}

TEST_F(Login, ARightPasswordForgivesTheWrongOnes) {
    add_user("ann@example.org");
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 4; ++i) {
            expect_wrong(try_login("ann@example.org", "wrong"));
        }
        EXPECT_TRUE(try_login("ann@example.org", kPassword));
    }
}

TEST_F(Login, IsWrittenDown) {
    const std::string id = add_user("ann@example.org");
    for (int i = 0; i < 6; ++i) {
        EXPECT_FALSE(try_login("ann@example.org", "wrong"));
    }
    EXPECT_FALSE(try_login("nobody@example.org", "my password typed into the wrong field"));
    EXPECT_TRUE(try_login("ann@example.org", kPassword, "10.0.0.10"));
    EXPECT_EQ(audited({.action = "login_failed"}).size(), 6U) << "what is not tried is not told";
    EXPECT_EQ(
        audited({.action = "login"}), std::vector<std::string>{"authentication login success"}
    );
    const auto rows = audit_rows({.action = "login_failed"});
    EXPECT_EQ(Json::parse(rows[0].resource)["id"], id);
    EXPECT_EQ(Json::parse(rows[0].actor)["ip"], "10.0.0.9");
    EXPECT_EQ(Json::parse(rows[3].details)["blocked"], false);
    EXPECT_EQ(Json::parse(rows[4].details)["blocked"], true);
    const auto login = audit_rows({.action = "login"});
    EXPECT_EQ(Json::parse(login[0].actor)["email"], "ann@example.org");
    for (const storage::AuditRow& row : audit_rows()) {
        const std::string all = row.actor + row.resource + row.outcome + row.details;
        EXPECT_EQ(all.find("typed into"), std::string::npos);
        EXPECT_EQ(all.find(kPassword), std::string::npos);
    }
}

TEST_F(Login, AnOldHashIsMadeAnew) {
    add_user("ann@example.org");
    storage::Users users(*session_);
    const auto before = users.find_by_email(ctx_, "ann@example.org").value();
    IdentityConfig stronger = config();
    stronger.hasher = *PasswordHasher::create({.passes = 2, .memory_bytes = 16'384});
    identity_ = make_identity(std::move(stronger));
    ASSERT_TRUE(try_login("ann@example.org", kPassword));
    const auto after = users.find_by_email(ctx_, "ann@example.org").value();
    EXPECT_NE(after->password_hash, before->password_hash);
    EXPECT_EQ(after->revision, before->revision);
    EXPECT_TRUE(try_login("ann@example.org", kPassword));
    EXPECT_EQ(
        users.find_by_email(ctx_, "ann@example.org").value()->password_hash, after->password_hash
    );
}

TEST_F(Login, ARefreshTokenGivesOnePairAndIsDead) {
    add_user("ann@example.org");
    const auto first = log_in("ann@example.org");
    clock_.advance(30min);
    const auto second = tokens_of(refresh(first.refresh));
    EXPECT_TRUE(with_token(first.access)) << "good until it expires";
    EXPECT_TRUE(with_token(second.access));
    const auto third = tokens_of(refresh(second.refresh));
    EXPECT_TRUE(with_token(third.access));
    EXPECT_EQ(audited({.event_type = "security", .outcome = "denied"}).size(), 0U);
}

TEST_F(Login, ARefreshTokenUsedTwiceEndsTheLogin) {
    const std::string id = add_user("ann@example.org");
    const auto stolen = log_in("ann@example.org");
    const auto other = log_in("ann@example.org");
    const auto thief = tokens_of(refresh(stolen.refresh));
    ASSERT_TRUE(with_token(thief.access));
    expect_wrong(refresh(stolen.refresh));
    expect_refused(with_token(thief.access), "the thief");
    expect_refused(with_token(stolen.access), "and the owner");
    expect_wrong(refresh(thief.refresh));
    expect_wrong(refresh(stolen.refresh));
    EXPECT_TRUE(with_token(other.access)) << "the other login is another family";
    const auto rows = audit_rows({.event_type = "security", .outcome = "denied"});
    ASSERT_EQ(rows.size(), 1U) << "told once";
    EXPECT_EQ(Json::parse(rows[0].resource)["id"], id);
}

TEST_F(Login, OfManyWhoRefreshAtOnceOneIsLetThrough) {
    add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    std::atomic<int> through = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            const auto session = another_session();
            const auto got = identity_->refresh({ctx_, deps_, *session, stranger_}, tokens.refresh);
            through += got ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(through.load(), 1);
    expect_refused(with_token(tokens.access), "and the login is over");
}

TEST_F(Login, WhatIsNoGoodRefreshTokenIsRefused) {
    const std::string id = add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    Claims claims = *make_jwt().verify(tokens.refresh, TokenType::refresh);
    const Claims good = claims;
    claims.family = "made-up";
    const std::string no_login = *make_jwt().sign(claims);
    claims = good;
    claims.subject = add_user("bob@example.org");
    const std::string another_user = *make_jwt().sign(claims);
    claims = good;
    claims.org = "00000000-0000-4000-8000-000000000002";
    const std::string another_tenant = *make_jwt().sign(claims);
    const std::string forged = *make_jwt(std::string(32, 'x')).sign(good);
    for (const std::string& token :
         {std::string(),
          std::string("x"),
          tokens.access,
          no_login,
          another_user,
          another_tenant,
          forged}) {
        expect_wrong(refresh(token));
    }
    EXPECT_TRUE(refresh(tokens.refresh)) << "none of that ended the login";
    const auto again = log_in("ann@example.org");
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, id));
    expect_wrong(refresh(again.refresh));
}

TEST_F(Login, ALoginEndsOneDayHoweverOftenItIsRefreshed) {
    add_user("ann@example.org");
    auto tokens = log_in("ann@example.org");
    for (int day = 0; day < 84; day += 6) {
        clock_.advance(6 * 24h);
        tokens = tokens_of(refresh(tokens.refresh));
    }
    clock_.advance(5 * 24h);
    const Json last = refresh(tokens.refresh).value();
    EXPECT_EQ(last["refresh_expires_in"], 24 * 3600);
    clock_.advance(24h);
    expect_wrong(refresh(last.value("refresh_token", "")));
}

TEST_F(Login, ExpiresWhenItIsNotRefreshed) {
    add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    clock_.advance(7 * 24h + 30s);
    expect_wrong(refresh(tokens.refresh));
}

TEST_F(Login, LoggingOutEndsAllOfIt) {
    const std::string id = add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    const auto other = log_in("ann@example.org");
    const auto next = tokens_of(refresh(tokens.refresh));
    const Caller caller = with_token(tokens.access).value();
    ASSERT_TRUE(with_token(next.access));
    ASSERT_TRUE(identity_->logout(as(caller), "Bearer " + tokens.access));
    expect_refused(with_token(tokens.access), "the token");
    expect_refused(with_token(next.access), "its sister");
    expect_wrong(refresh(next.refresh));
    EXPECT_TRUE(with_token(other.access));
    EXPECT_EQ(
        audited({.action = "logout"}), std::vector<std::string>{"authentication logout success"}
    );
    EXPECT_TRUE(identity_->logout(as(caller), "Bearer " + tokens.access)) << "again is no error";
    EXPECT_EQ(audited({.action = "logout"}).size(), 1U);
    EXPECT_EQ(identity_->logout(as(caller), "Bearer x").error().code, Code::unauthorized);
    EXPECT_EQ(identity_->logout(as(caller), "ApiKey x").error().code, Code::bad_request);
    EXPECT_EQ(identity_->logout(as(caller), "").error().code, Code::unauthorized);
}

TEST_F(Login, SomebodyKnownFromElsewhereNeedsNoPassword) {
    add_user("ann@example.org", {Role::viewer}, "");
    auto user = storage::Users(*session_).find_by_email(ctx_, "ann@example.org").value();
    EXPECT_TRUE(with_token(tokens_of(identity_->open_login(as(stranger_), *user)).access));
    user->is_active = false;
    EXPECT_EQ(identity_->open_login(as(stranger_), *user).error().code, Code::unauthorized);
}

TEST_F(Login, TokensForScriptsCanBeMadeAndEnded) {
    const std::string id = add_user("ann@example.org");
    const Json made = identity_->create_token(as(local_), "Ann@example.org", 24h).value();
    EXPECT_EQ(made["expires_in"], 86'400);
    EXPECT_FALSE(made.contains("refresh_token"));
    const std::string token = made.value("access_token", "");
    clock_.advance(23h);
    EXPECT_EQ(with_token(token)->user_id, id);
    ASSERT_TRUE(update_user(as(local_), *identity_, id, Json{{"password", "another long password"}})
    );
    expect_refused(with_token(token), "a new password ends it");
    const auto code = [&](const Caller& caller, const std::string& email, auto life) {
        return identity_->create_token(as(caller), email, life).error().code;
    };
    EXPECT_EQ(code(local_, "nobody@example.org", 1h), Code::not_found);
    EXPECT_EQ(code(local_, "ann@example.org", 59s), Code::validation);
    EXPECT_EQ(code(local_, "ann@example.org", 91 * 24h), Code::validation);
    EXPECT_EQ(code(stranger_, "ann@example.org", 1h), Code::unauthorized);
    Caller manager;
    manager.kind = Caller::Kind::api_key;
    manager.granted.set(static_cast<std::size_t>(domain::Permission::manage_users));
    EXPECT_EQ(code(manager, "ann@example.org", 1h), Code::forbidden) << "no way to more rights";
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, id));
    EXPECT_EQ(code(local_, "ann@example.org", 1h), Code::invalid_state);
}

class FirstAdmin : public test::IdentityTest {
  protected:
    Result<Json> bootstrap(
        std::string_view token,
        std::string_view email = "root@example.org",
        std::string_view password = kPassword
    ) {
        return identity_->bootstrap(as(stranger_), token, email, "Root", password);
    }
};

TEST_F(FirstAdmin, IsMadeOnceByWhoHasTheToken) {
    const std::string token = identity_->offer_bootstrap(ctx_, *session_).value().value();
    EXPECT_EQ(bootstrap("bootstrap_x").error().code, Code::unauthorized);
    EXPECT_EQ(bootstrap("").error().code, Code::unauthorized);
    EXPECT_EQ(bootstrap(token, "root@example.org", "").error().code, Code::validation);
    EXPECT_EQ(bootstrap(token, "root@example.org", "short").error().code, Code::validation);
    EXPECT_EQ(bootstrap(token, "no address").error().code, Code::validation);
    const auto made = bootstrap(token);
    ASSERT_TRUE(made) << made.error().message << made.error().cause;
    EXPECT_EQ((*made)["roles"], Json({"Admin"}));
    EXPECT_TRUE(logged_in("root@example.org").is_admin());
    EXPECT_EQ(bootstrap(token, "second@example.org").error().code, Code::unauthorized);
    EXPECT_FALSE(identity_->offer_bootstrap(ctx_, *session_).value());
}

TEST_F(FirstAdmin, HasAnHourAndTheLatestToken) {
    const std::string early = identity_->offer_bootstrap(ctx_, *session_).value().value();
    const std::string late = identity_->offer_bootstrap(ctx_, *session_).value().value();
    EXPECT_NE(early, late);
    EXPECT_EQ(bootstrap(early).error().code, Code::unauthorized);
    clock_.advance(1h);
    EXPECT_EQ(bootstrap(late).error().code, Code::unauthorized);
    const std::string fresh = identity_->offer_bootstrap(ctx_, *session_).value().value();
    clock_.advance(59min);
    EXPECT_TRUE(bootstrap(fresh));
}

TEST_F(FirstAdmin, ComesBeforeAllOthers) {
    const std::string token = identity_->offer_bootstrap(ctx_, *session_).value().value();
    add_user("ann@example.org");
    EXPECT_EQ(bootstrap(token).error().code, Code::conflict);
}

TEST_F(FirstAdmin, OfManyAtOnceOneIs) {
    const std::string token = identity_->offer_bootstrap(ctx_, *session_).value().value();
    std::atomic<int> made = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const auto session = another_session();
            const Request request{ctx_, deps_, *session, stranger_};
            const std::string email = std::to_string(t) + "@example.org";
            made += identity_->bootstrap(request, token, email, "Root", kPassword) ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(made.load(), 1);
}

TEST_F(FirstAdmin, IsNotKeptInTheClear) {
    const std::string token = identity_->offer_bootstrap(ctx_, *session_).value().value();
    const storage::Query all{"all_settings", "SELECT value FROM service_settings"};
    int rows = 0;
    ASSERT_TRUE(session_->query(ctx_, all, {}, [&](const storage::Row& row) {
        EXPECT_EQ(row.text(0).find(token), std::string_view::npos);
        ++rows;
        return ok();
    }));
    EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace lab::service
