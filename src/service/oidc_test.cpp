#include "service/oidc.h"

#include "platform/crypto/base64url.h"
#include "platform/crypto/test_rsa_key.h"
#include "service/impl/test_identity.h"

#include <gtest/gtest.h>

#include <map>

namespace lab::service {
namespace {

using namespace test;

constexpr const char* kIssuer = "https://id.example.org";

/// A provider in memory: what it was asked, and tokens for whoever comes.
class Provider {
  public:
    Result<WebAnswer> answer(const WebRequest& request) {
        ++asked[request.url];
        if (request.method == "POST") {
            last = request;
        }
        if (request.url.ends_with("/.well-known/openid-configuration")) {
            return WebAnswer{200, dump_json(document)};
        }
        if (request.url.ends_with("/keys")) {
            return WebAnswer{200, keys};
        }
        if (request.url.ends_with("/token")) {
            return WebAnswer{token_status, token_status == 200 ? tokens() : token_error};
        }
        return Error(Code::upstream_error, "there is nothing here");
    }
    std::string tokens() const {
        const std::string input = base64url_encode(R"({"alg":"RS256","kid":")" + key_id + "\"}") +
                                  "." + base64url_encode(dump_json(claims));
        return dump_json(Json{
            {"id_token", input + "." + lab::test::the_rsa_key().sign(input)},
            {"token_type", "Bearer"}
        });
    }

    Json document{
        {"issuer", kIssuer},
        {"authorization_endpoint", "https://id.example.org/auth"},
        {"token_endpoint", "https://id.example.org/token"},
        {"jwks_uri", "https://id.example.org/keys"},
    };
    std::string keys = R"({"keys":[{"kty":"RSA","kid":"e","n":")" +
                       lab::test::the_rsa_key().modulus() + R"(","e":")" +
                       lab::test::the_rsa_key().exponent() + "\"}]}";
    std::string key_id = "e";
    Json claims;
    int token_status = 200;
    std::string token_error = R"({"error":"invalid_grant"})";
    std::map<std::string, int> asked;
    WebRequest last;
};

class Oidc : public IdentityTest {
  protected:
    Oidc() {
        config_.issuer = kIssuer;
        config_.client_id = "lab";
        config_.client_secret = "s:e/c r&t";
        config_.redirect_url = "https://lab.example.org/auth/oidc/callback";
        config_.role_map = {{"admins", Role::admin}, {"staff", Role::researcher}};
    }
    OidcLogin& login() {
        if (!login_) {
            login_ = std::make_unique<OidcLogin>(
                config_,
                *identity_,
                [this](const Ctx&, const WebRequest& request) { return provider_.answer(request); },
                clock_,
                random_,
                signing_
            );
        }
        return *login_;
    }
    static std::string parameter(const std::string& url, const std::string& name) {
        const std::size_t at = url.find(name + "=");
        EXPECT_NE(at, url.npos) << name;
        const std::size_t from = at + name.size() + 1;
        return url.substr(from, url.find('&', from) - from);
    }
    /// Goes to the provider as somebody with these claims, and comes back.
    OidcReturn visit(Json claims) {
        const auto begun = login().begin(ctx_);
        EXPECT_TRUE(begun) << (begun ? "" : begun.error().cause);
        const auto now =
            std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch())
                .count();
        claims.update(
            {{"iss", kIssuer},
             {"aud", "lab"},
             {"iat", now},
             {"exp", now + 300},
             {"nonce", parameter(begun->location, "nonce")}}
        );
        provider_.claims = std::move(claims);
        return {
            .state = parameter(begun->location, "state"),
            .code = "a code",
            .error = {},
            .issuer = {},
            .cookie = "a=b; " + begun->cookie.substr(0, begun->cookie.find(';')) + "; c=d",
        };
    }
    static Json ann() {
        return {
            {"sub", "s-ann"},
            {"email", "Ann@Example.org"},
            {"email_verified", true},
            {"name", "Ann"},
            {"groups", {"staff", "others"}},
        };
    }
    Caller logged_in_as(const Json& claims) {
        const auto tokens = login().finish(as(stranger_), visit(claims));
        auto caller = with_token(tokens_of(tokens).access);
        EXPECT_TRUE(caller);
        return caller ? *caller : Caller{};
    }
    std::string refusal(const OidcReturn& back) {
        const auto tokens = login().finish(as(stranger_), back);
        return tokens ? "none" : std::string(info(tokens.error().code).wire_name);
    }

    OidcConfig config_;
    Provider provider_;
    SigningKeys signing_{"key"};
    std::unique_ptr<OidcLogin> login_;
};

TEST_F(Oidc, MakesAUserWithTheRolesOfTheGroupsAndFindsThemAgain) {
    const Caller first = logged_in_as(ann());
    EXPECT_EQ(first.email, "ann@example.org");
    EXPECT_EQ(first.roles, std::vector{Role::researcher});
    // The subject counts, not the address; and the groups of today.
    Json later = ann();
    later["email"] = "ann.smith@example.org";
    later["groups"] = Json("admins");
    const Caller again = logged_in_as(later);
    EXPECT_EQ(again.user_id, first.user_id);
    EXPECT_EQ(again.roles, std::vector{Role::admin});
    EXPECT_EQ(
        audited({.event_type = "authentication"}),
        (std::vector<std::string>{"authentication login success", "authentication login success"})
    );
}

TEST_F(Oidc, FindsGroupsInsideOtherClaims) {
    config_.groups_claim = "realm_access.roles";
    Json claims = ann();
    claims["groups"] = {"admins"};
    claims["realm_access"] = {{"roles", {"staff"}}};
    EXPECT_EQ(logged_in_as(claims).roles, std::vector{Role::researcher});
    claims["realm_access.roles"] = {"admins"};
    EXPECT_EQ(logged_in_as(claims).roles, std::vector{Role::admin});
    claims.erase("realm_access.roles");
    claims["realm_access"] = "staff";
    EXPECT_EQ(refusal(visit(claims)), "FORBIDDEN");
}

TEST_F(Oidc, SendsTheCodeWithItsVerifierAndTheSecretAsTheProtocolsSay) {
    const auto begun = login().begin(ctx_);
    ASSERT_TRUE(begun);
    EXPECT_EQ(parameter(begun->location, "code_challenge_method"), "S256");
    EXPECT_EQ(
        parameter(begun->location, "redirect_uri"),
        "https%3A%2F%2Flab.example.org%2Fauth%2Foidc%2Fcallback"
    );
    EXPECT_TRUE(begun->cookie.find("; HttpOnly; SameSite=Lax; ") != std::string::npos);
    EXPECT_TRUE(begun->cookie.ends_with("; Secure"));
    const OidcReturn back = visit(ann());
    ASSERT_TRUE(login().finish(as(stranger_), back));
    const WebRequest& asked = provider_.last;
    EXPECT_EQ(asked.method, "POST");
    EXPECT_EQ(asked.authorization, "Basic bGFiOnMlM0FlJTJGYyUyMHIlMjZ0");  // RFC 6749 section 2.3.1
    EXPECT_EQ(parameter(asked.form, "code"), "a%20code");
    EXPECT_EQ(parameter(asked.form, "code_verifier").size(), 43U);
}

TEST_F(Oidc, IsFinishedInTheBrowserThatBeganItAndInTime) {
    OidcReturn back = visit(ann());
    OidcReturn other = back;
    other.cookie = visit(ann()).cookie;
    EXPECT_EQ(refusal(other), "BAD_REQUEST");
    other = back;
    other.cookie.clear();
    EXPECT_EQ(refusal(other), "BAD_REQUEST");
    other = back;
    other.cookie.replace(other.cookie.find("; c="), 0, "x");
    EXPECT_EQ(refusal(other), "BAD_REQUEST");
    clock_.advance(std::chrono::minutes(11));
    EXPECT_EQ(refusal(back), "BAD_REQUEST");
    back = visit(ann());
    back.issuer = "https://evil.example.org";
    EXPECT_EQ(refusal(back), "UNAUTHORIZED");
    back.issuer = kIssuer;
    EXPECT_EQ(refusal(back), "none");
}

TEST_F(Oidc, IsFinishedWhenTheSecretWasRotatedMeanwhileButNotTwice) {
    const OidcReturn once = visit(ann());
    signing_.use("the next", "key");
    EXPECT_EQ(refusal(once), "none");
    const OidcReturn twice = visit(ann());
    signing_.use("one more", "and one between");
    EXPECT_EQ(refusal(twice), "BAD_REQUEST");
}

TEST_F(Oidc, LetsInNobodyWhoIsNotToBe) {
    config_.allowed_domains = {"example.org"};
    const std::string theirs = add_user("bob@example.org");
    for (const auto& [name, value] : std::vector<std::pair<const char*, Json>>{
             {"email_verified", false},
             {"email_verified", nullptr},
             {"email", "ann@evil.example"},
             {"email", "nothing"},
             {"groups", {"other"}},
         }) {
        Json claims = ann();
        claims[name] = value;
        EXPECT_EQ(refusal(visit(claims)), "FORBIDDEN") << name << value;
    }
    EXPECT_EQ(
        audited({.event_type = "authentication"}),
        std::vector<std::string>(5, "authentication login_failed denied")
    );
    // An address that is only claimed gives nobody the account that has it.
    config_.require_verified_email = false;
    login_.reset();
    Json eve = ann();
    eve["email"] = "bob@example.org";
    eve["email_verified"] = false;
    EXPECT_EQ(refusal(visit(eve)), "UNAUTHORIZED");
    eve["email_verified"] = true;
    EXPECT_EQ(logged_in_as(eve).user_id, theirs);
}

TEST_F(Oidc, AsksForKeysAgainWhenATokenNamesAnotherAFewTimesAMinute) {
    EXPECT_EQ(refusal(visit(ann())), "none");
    EXPECT_EQ(provider_.asked["https://id.example.org/keys"], 1);
    provider_.key_id = "invented";
    for (int i = 0; i < 9; ++i) {
        EXPECT_EQ(refusal(visit(ann())), "UNAUTHORIZED");
    }
    EXPECT_EQ(provider_.asked["https://id.example.org/keys"], 6);
    clock_.advance(std::chrono::minutes(1));
    provider_.keys.replace(provider_.keys.find(":\"e\""), 4, ":\"invented\"");
    EXPECT_EQ(refusal(visit(ann())), "none");
}

TEST_F(Oidc, CallsTheIssuersHostsAndNoOther) {
    for (const char* place :
         {"https://evil.example.org/token",
          "http://id.example.org/token",
          "https://id.example.org@evil.example.org/token",
          "https://id.example.org\\@evil.example.org/token",
          "http://127.0.0.1/token",
          "file:///etc/passwd",
          ""}) {
        provider_.document["token_endpoint"] = place;
        login_.reset();
        const auto begun = login().begin(ctx_);
        ASSERT_FALSE(begun) << place;
        EXPECT_EQ(begun.error().code, Code::upstream_error);
    }
    config_.hosts = {"tokens.example.org"};
    provider_.document["token_endpoint"] = "https://tokens.example.org/token";
    login_.reset();
    EXPECT_TRUE(login().begin(ctx_));
    provider_.document["issuer"] = "https://id.example.org/";
    login_.reset();
    EXPECT_FALSE(login().begin(ctx_));
}

TEST_F(Oidc, TellsARefusedCodeFromABrokenProvider) {
    provider_.token_status = 400;
    EXPECT_EQ(refusal(visit(ann())), "UNAUTHORIZED");
    provider_.token_error = R"({"error":"invalid_client"})";
    EXPECT_EQ(refusal(visit(ann())), "UPSTREAM_ERROR");
    provider_.token_status = 500;
    EXPECT_EQ(refusal(visit(ann())), "UPSTREAM_ERROR");
}

}  // namespace
}  // namespace lab::service
