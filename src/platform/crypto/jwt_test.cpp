#include "platform/crypto/jwt.h"

#include "base/text.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/crypto/impl/test_jwt.h"
#include "platform/crypto/impl/test_keys.h"

#include <gtest/gtest.h>

#include <thread>

namespace lab {
namespace {

using namespace test;

// --- The published examples ----------------------------------------------------------------------

constexpr std::string_view kJoe =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

// RFC 7515 appendix A.1; RFC 7519 section 3.1 has the same token.
constexpr std::string_view kA1 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    "."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view kA1Key =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

// RFC 7515 appendices A.2 and A.3.
constexpr std::string_view kA2Signature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju"
    "jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07"
    "Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipU"
    "TI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view kA3Signature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

TEST(Jws, HmacExampleOfTheStandard) {
    const auto key = crypto::JwsKey::from_secret(*base64url_decode(kA1Key));
    ASSERT_TRUE(key);
    const std::size_t dot = kA1.rfind('.');
    const std::string signature = *base64url_decode(kA1.substr(dot + 1));
    EXPECT_EQ(key->sign(kA1.substr(0, dot)), signature);
    EXPECT_TRUE(key->verify(kA1.substr(0, dot), signature));
    EXPECT_FALSE(key->verify(kA1.substr(1, dot - 1), signature));
}

TEST(Jws, RsaExampleOfTheStandard) {
    const std::string input = "eyJhbGciOiJSUzI1NiJ9." + std::string(kJoe);
    const std::string signature = *base64url_decode(kA2Signature);
    const auto pair = crypto::JwsKey::from_private_pem(JwtAlgorithm::rs256, kRsaPrivate);
    const auto key = crypto::JwsKey::from_public_pem(JwtAlgorithm::rs256, kRsaPublic);
    ASSERT_TRUE(pair && key);
    EXPECT_EQ(pair->sign(input), signature);
    EXPECT_TRUE(key->verify(input, signature));
    EXPECT_FALSE(key->verify(input + "A", signature));
    EXPECT_FALSE(key->verify(input, signature.substr(1)));
    EXPECT_FALSE(key->verify(input, ""));
}

TEST(Jws, EcdsaExampleOfTheStandard) {
    const std::string input = "eyJhbGciOiJFUzI1NiJ9." + std::string(kJoe);
    const std::string signature = *base64url_decode(kA3Signature);
    const auto pair = crypto::JwsKey::from_private_pem(JwtAlgorithm::es256, kEcPrivate);
    const auto key = crypto::JwsKey::from_public_pem(JwtAlgorithm::es256, kEcPublic);
    ASSERT_TRUE(pair && key);
    EXPECT_TRUE(key->verify(input, signature));
    EXPECT_FALSE(key->verify(input + "A", signature));
    EXPECT_FALSE(key->verify(input, signature + std::string(1, '\0')));
    EXPECT_FALSE(key->verify(input, std::string(64, '\0')));  // CVE-2022-21449
    EXPECT_FALSE(key->verify(input, std::string(64, '\xff')));
    EXPECT_FALSE(key->verify(input, ""));
    EXPECT_EQ(pair->sign(input).size(), 64U);
    EXPECT_TRUE(key->verify(input, pair->sign(input)));
}

// --- What we issue -------------------------------------------------------------------------------

TEST(Jwt, ReadsBackWhatItSigned) {
    const ManualClock clock;
    const auto jwt = Jwt::create(config(), clock);
    ASSERT_TRUE(jwt);
    for (const TokenType type : {TokenType::access, TokenType::refresh}) {
        Claims wanted = claims();
        wanted.token_type = type;
        const auto text = jwt->sign(wanted);
        ASSERT_TRUE(text);
        const auto back = jwt->verify(*text, type);
        ASSERT_TRUE(back) << back.error().cause;
        EXPECT_EQ(*back, wanted);
    }
}

TEST(Jwt, IssuesExactlyTheDocumentedMembers) {
    const ManualClock clock;
    const auto jwt = Jwt::create(config(), clock);
    EXPECT_EQ(*jwt->sign(claims()), token(kHeader, payload()));
}

// PyJWT 2.15.1: jwt.encode(claims, "0123456789abcdef0123456789ABCDEF", algorithm="HS256")
TEST(Jwt, ReadsTokensOfOtherImplementations) {
    const ManualClock clock;
    const auto back = Jwt::create(config(), clock)
                          ->verify(
                              "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                              "eyJpc3MiOiJsbG0tcmVzZWFyY2gtYXBpIiwiYXVkIjoibGxtLXJlc2VhcmNoLXVzZXJz"
                              "Iiwic3ViIjoidS0xIiwidXNlcl9pZCI6InUtMSIsImVtYWlsIjoiYWRhQGV4YW1wbGUu"
                              "b3JnIiwicm9sZXMiOlsiUmVzZWFyY2hlciIsIlZpZXdlciJdLCJ0b2tlbl90eXBlIjoi"
                              "YWNjZXNzIiwianRpIjoidC0xIiwiZmFtaWx5IjoiZi0xIiwib3JnX2lkIjoiby0xIiwi"
                              "aWF0IjoxNzAwMDAwMDAwLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0."
                              "ia-dHotDBoGb7T-6LxKz-f8D88jQbPhwV_P63TzSlyQ",
                              TokenType::access
                          );
    ASSERT_TRUE(back) << back.error().cause;
    EXPECT_EQ(*back, claims());
}

TEST(Jwt, BothPairsOfKeysWork) {
    const ManualClock clock;
    JwtConfig rsa = config();
    rsa.algorithm = JwtAlgorithm::rs256;
    rsa.private_key_pem = kRsaPrivate;
    JwtConfig ec = config();
    ec.algorithm = JwtAlgorithm::es256;
    ec.private_key_pem = kEcPrivate;
    ec.public_key_pem = kEcPublic;
    for (const JwtConfig& with : {rsa, ec}) {
        const auto jwt = Jwt::create(with, clock);
        ASSERT_TRUE(jwt) << jwt.error().message;
        const auto text = jwt->sign(claims());
        ASSERT_TRUE(text);
        EXPECT_EQ(*jwt->verify(*text, TokenType::access), claims());

        JwtConfig reader = with;
        reader.private_key_pem = "";
        reader.public_key_pem = with.algorithm == JwtAlgorithm::rs256 ? kRsaPublic : kEcPublic;
        const auto verifier = Jwt::create(reader, clock);
        ASSERT_TRUE(verifier) << verifier.error().message;
        EXPECT_EQ(*verifier->verify(*text, TokenType::access), claims());
        EXPECT_EQ(verifier->sign(claims()).error().code, Code::invalid_state);
    }
}

TEST(Jwt, ThePreviousSecretStillVerifiesAndNeverSigns) {
    const ManualClock clock;
    JwtConfig rotated = config();
    rotated.secret_previous = kOldSecret;
    const auto jwt = Jwt::create(rotated, clock);
    const std::string old = token(kHeader, payload(), kOldSecret);
    EXPECT_TRUE(jwt->verify(old, TokenType::access));
    EXPECT_EQ(*jwt->sign(claims()), token(kHeader, payload(), kSecret));
    // When the grace period is over.
    EXPECT_FALSE(Jwt::create(config(), clock)->verify(old, TokenType::access));
}

TEST(Jwt, ThePreviousPublicKeyStillVerifies) {
    const ManualClock clock;
    JwtConfig old = config();
    old.algorithm = JwtAlgorithm::es256;
    old.private_key_pem = kEcPrivate;
    const std::string text = *Jwt::create(old, clock)->sign(claims());
    JwtConfig rotated = config();
    rotated.algorithm = JwtAlgorithm::es256;
    rotated.public_key_pem = kOtherEcPublic;
    EXPECT_FALSE(Jwt::create(rotated, clock)->verify(text, TokenType::access));
    rotated.public_key_previous_pem = kEcPublic;
    EXPECT_TRUE(Jwt::create(rotated, clock)->verify(text, TokenType::access));
}

TEST(Jwt, ExpiresAndBeginsWithinTheLeeway) {
    const auto at = [](std::int64_t seconds) { return std::to_string(kNow + seconds); };
    ManualClock clock;
    const auto jwt = Jwt::create(config(), clock);
    const auto accepts = [&](std::string_view member, const std::string& by) {
        return jwt->verify(token(kHeader, payload(member, by)), TokenType::access).has_value();
    };
    const std::string early = R"("iat":1600000000,"nbf":1600000000,"exp":)";
    const std::string_view all = R"("iat":1700000000,"nbf":1700000000,"exp":1700003600)";
    EXPECT_TRUE(accepts(all, early + at(1)));
    EXPECT_TRUE(accepts(all, early + at(-29)));
    EXPECT_FALSE(accepts(all, early + at(-30)));
    EXPECT_FALSE(accepts(all, early + at(-31)));
    EXPECT_TRUE(accepts(R"("nbf":1700000000)", R"("nbf":)" + at(29)));
    EXPECT_TRUE(accepts(R"("nbf":1700000000)", R"("nbf":)" + at(30)));
    EXPECT_FALSE(accepts(R"("nbf":1700000000)", R"("nbf":)" + at(31)));
    EXPECT_TRUE(accepts(R"("iat":1700000000)", R"("iat":)" + at(29)));
    EXPECT_FALSE(accepts(R"("iat":1700000000)", R"("iat":)" + at(31)));
    EXPECT_TRUE(accepts("", ""));
    clock.advance(std::chrono::seconds(3600 + 29 - 1));
    EXPECT_TRUE(accepts("", ""));
    clock.advance(std::chrono::seconds(1));
    EXPECT_FALSE(accepts("", ""));
}

TEST(Jwt, IssuesNothingThatItWouldRefuse) {
    const ManualClock clock;
    const auto jwt = Jwt::create(config(), clock);
    const auto refuses = [&](auto change) {
        Claims bad = claims();
        change(bad);
        const auto made = jwt->sign(bad);
        return !made && made.error().code == Code::validation;
    };
    EXPECT_TRUE(refuses([](Claims& c) { c.subject = ""; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.subject = std::string(129, 'x'); }));
    EXPECT_TRUE(refuses([](Claims& c) { c.subject = "a\nb"; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.jti = ""; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.jti = "\xff"; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.org = std::string("a\0b", 3); }));
    EXPECT_TRUE(refuses([](Claims& c) { c.email = std::string(321, 'x'); }));
    EXPECT_TRUE(refuses([](Claims& c) { c.roles = {""}; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.roles.assign(33, "Viewer"); }));
    EXPECT_TRUE(refuses([](Claims& c) { c.expires_at = c.issued_at; }));
    EXPECT_TRUE(refuses([](Claims& c) { c.issued_at = WallTime(std::chrono::seconds(-1)); }));
    EXPECT_TRUE(refuses([](Claims& c) {
        c.token_type = TokenType::refresh;
        c.family = "";
    }));
    // All claims at their bounds fit into a token.
    Claims largest = claims();
    largest.email = std::string(320, '"');
    largest.roles.assign(32, std::string(64, 'x'));
    EXPECT_TRUE(jwt->sign(largest));
    EXPECT_TRUE(jwt->verify(*jwt->sign(largest), TokenType::access));
}

TEST(Jwt, RefusesKeysThatAreNone) {
    const ManualClock clock;
    const auto problem = [&](auto change) -> std::string {
        JwtConfig bad = config();
        change(bad);
        const auto made = Jwt::create(bad, clock);
        if (made) {
            return "";
        }
        EXPECT_EQ(made.error().code, Code::validation);
        EXPECT_EQ(made.error().message.find("0123456789"), std::string::npos);
        return made.error().message;
    };
    const auto with_pem = [](JwtAlgorithm algorithm, const char* secret, const char* open) {
        return [=](JwtConfig& c) {
            c.algorithm = algorithm;
            c.private_key_pem = secret;
            c.public_key_pem = open;
        };
    };
    const auto rs = JwtAlgorithm::rs256;
    const auto es = JwtAlgorithm::es256;
    EXPECT_NE(problem([](JwtConfig& c) { c.secret = ""; }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.secret = kSecret.substr(1); }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.secret_previous = "short"; }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.secret = kRsaPublic; }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.issuer = ""; }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.audience = ""; }), "");
    EXPECT_NE(problem([](JwtConfig& c) { c.leeway = std::chrono::hours(1); }), "");
    EXPECT_NE(problem(with_pem(rs, "", "")), "");
    EXPECT_NE(problem(with_pem(rs, "no key", "")), "");
    EXPECT_NE(problem(with_pem(rs, kEcPrivate, "")), "");
    EXPECT_NE(problem(with_pem(rs, "", kEcPublic)), "");
    EXPECT_NE(problem(with_pem(rs, "", kSmallRsaPublic)), "");
    EXPECT_NE(problem(with_pem(es, kRsaPrivate, "")), "");
    EXPECT_NE(problem(with_pem(es, "", kP384Public)), "");
    EXPECT_NE(problem(with_pem(es, kEcPrivate, kOtherEcPublic)), "");
    EXPECT_NE(problem(with_pem(es, kEcPublic, "")), "");
    EXPECT_NE(problem(with_pem(es, "", kEcPrivate)), "");
    EXPECT_NE(problem(with_pem(es, kEncryptedPrivate, "")), "");
    EXPECT_EQ(problem(with_pem(es, kEcPrivate, kEcPublic)), "");
}

TEST(Jwt, ManyThreadsShareOne) {
    const ManualClock clock;
    JwtConfig with = config();
    with.algorithm = JwtAlgorithm::es256;
    with.private_key_pem = kEcPrivate;
    const auto jwt = Jwt::create(with, clock);
    std::atomic<int> good = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20; ++n) {
                good += jwt->verify(*jwt->sign(claims()), TokenType::access).has_value();
            }
        });
    }
    threads.clear();
    EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace lab
