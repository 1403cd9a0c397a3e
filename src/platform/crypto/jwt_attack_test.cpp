#include "platform/crypto/impl/test_jwt.h"
#include "platform/crypto/impl/test_keys.h"
#include "platform/crypto/jwt.h"

#include <gtest/gtest.h>

#include <set>

// Forged, broken and misused tokens. Each is put together without our code and, where it can be,
// signed with the right secret, so that nothing but the named check can refuse it.
namespace lab {
namespace {

using namespace test;

struct Attack {
    const char* name;
    std::string text;
    const char* cause;  ///< of the error, without "jwt: "
};

std::string with_header(std::string_view header) { return token(header, payload()); }
std::string with_claim(std::string_view member, std::string_view by) {
    return token(kHeader, payload(member, by));
}
std::string unsigned_token(std::string_view header) {
    return encode(header) + "." + encode(payload()) + ".";
}
std::string good() { return token(kHeader, payload()); }
std::string signature_of(const std::string& text) { return text.substr(text.rfind('.') + 1); }
std::string without_signature(const std::string& text) { return text.substr(0, text.rfind('.')); }

std::vector<Attack> of_algorithms() {
    return {
        {"alg none", unsigned_token(R"({"alg":"none","typ":"JWT"})"), "header: claim alg"},
        {"alg None", unsigned_token(R"({"alg":"None","typ":"JWT"})"), "header: claim alg"},
        {"alg NONE", unsigned_token(R"({"alg":"NONE","typ":"JWT"})"), "header: claim alg"},
        {"alg nOnE", unsigned_token(R"({"alg":"nOnE","typ":"JWT"})"), "header: claim alg"},
        {"alg none, signed", with_header(R"({"alg":"none","typ":"JWT"})"), "header: claim alg"},
        // RFC 7519 section 6.1, to the letter.
        {"unsecured example",
         "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
         "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
         "header: claim alg"},
        {"alg empty", with_header(R"({"alg":"","typ":"JWT"})"), "header: claim alg"},
        {"alg missing", with_header(R"({"typ":"JWT"})"), "header: claim alg"},
        {"alg null", with_header(R"({"alg":null,"typ":"JWT"})"), "header: claim alg"},
        {"alg list", with_header(R"({"alg":["HS256"],"typ":"JWT"})"), "header: claim alg"},
        {"alg lower case", with_header(R"({"alg":"hs256","typ":"JWT"})"), "header: claim alg"},
        {"alg with a blank", with_header(R"({"alg":"HS256 ","typ":"JWT"})"), "header: claim alg"},
        {"alg HS384", with_header(R"({"alg":"HS384","typ":"JWT"})"), "header: claim alg"},
        {"alg HS512", with_header(R"({"alg":"HS512","typ":"JWT"})"), "header: claim alg"},
        {"alg RS256", with_header(R"({"alg":"RS256","typ":"JWT"})"), "header: claim alg"},
        {"alg ES256", with_header(R"({"alg":"ES256","typ":"JWT"})"), "header: claim alg"},
    };
}

std::vector<Attack> of_headers() {
    const auto with = [](std::string_view member) {
        return with_header(R"({"alg":"HS256","typ":"JWT",)" + std::string(member) + "}");
    };
    const char* const kMore = "header: more than alg and typ";
    return {
        {"jku", with(R"("jku":"https://evil.example/keys")"), kMore},
        {"jwk", with(R"("jwk":{"kty":"oct","k":"AAAA"})"), kMore},
        {"x5u", with(R"("x5u":"https://evil.example/x.pem")"), kMore},
        {"x5c", with(R"("x5c":["MIIB"])"), kMore},
        {"x5t", with(R"("x5t":"AAAA")"), kMore},
        {"kid as a path", with(R"("kid":"../../../../dev/null")"), kMore},
        {"kid as SQL", with(R"("kid":"x' UNION SELECT 'key")"), kMore},
        {"kid as a command", with(R"("kid":"key|id")"), kMore},
        {"kid empty", with(R"("kid":"")"), kMore},
        {"crit", with(R"("crit":["exp"],"exp":1)"), kMore},
        {"crit empty", with(R"("crit":[])"), kMore},
        {"b64 false", with(R"("b64":false)"), kMore},
        {"zip", with(R"("zip":"DEF")"), kMore},
        {"cty", with(R"("cty":"JWT")"), kMore},
        {"alg twice, none first",
         with_header(R"({"alg":"none","alg":"HS256","typ":"JWT"})"),
         "header syntax"},
        {"alg twice, none last",
         with_header(R"({"alg":"HS256","typ":"JWT","alg":"none"})"),
         "header syntax"},
        {"alg twice, one escaped",
         with_header(R"({"alg":"HS256","typ":"JWT","\u0061lg":"none"})"),
         "header syntax"},
        {"typ missing", with_header(R"({"alg":"HS256"})"), "header: claim typ"},
        {"typ JWE", with_header(R"({"alg":"HS256","typ":"JWE"})"), "header: claim typ"},
        {"typ at+jwt", with_header(R"({"alg":"HS256","typ":"at+jwt"})"), "header: claim typ"},
        {"typ lower case", with_header(R"({"alg":"HS256","typ":"jwt"})"), "header: claim typ"},
        {"header a list", with_header(R"(["HS256","JWT"])"), "header syntax"},
        {"header a text", with_header(R"("HS256")"), "header syntax"},
        {"header empty object", with_header("{}"), "header: claim alg"},
        {"header not JSON", with_header("alg=HS256"), "header syntax"},
        {"header with a comment", with_header(R"({"alg":"HS256"/**/,"typ":"JWT"})"), "header syntax"
        },
        {"header followed by more", with_header(std::string(kHeader) + "{}"), "header syntax"},
        {"header with a byte order mark",
         with_header("\xef\xbb\xbf" + std::string(kHeader)),
         "header syntax"},
        {"header not UTF-8", with_header("{\"alg\":\"HS256\",\"typ\":\"JWT\xff\"}"), "header syntax"
        },
        {"header deep",
         with_header(R"({"alg":"HS256","typ":"JWT","x":[[[[[[]]]]]]})"),
         "header syntax"},
        {"header long",
         with_header(R"({"alg":"HS256","typ":"JWT","x":")" + std::string(300, 'x') + "\"}"),
         "header syntax"},
    };
}

std::vector<Attack> of_signatures() {
    const std::string text = good();
    const std::string signature = signature_of(text);
    const std::string head = encode(kHeader);
    const std::string admin = encode(payload(R"(["Researcher","Viewer"])", R"(["Admin"])"));
    std::string flipped = text;
    flipped.back() = flipped.back() == 'A' ? 'E' : 'A';
    std::string padded = text + "=";
    return {
        {"signature empty", without_signature(text) + ".", "signature"},
        {"signature of another payload", head + "." + admin + "." + signature, "signature"},
        {"signature cut", text.substr(0, text.size() - 4), "signature"},
        {"signature cut by a letter", text.substr(0, text.size() - 1), "signature"},
        {"signature followed by more", text + "AAAA", "signature"},
        {"signature changed", flipped, "signature"},
        {"signature padded", padded, "signature"},
        {"signature in hexadecimal",
         without_signature(text) + "." + std::string(64, 'a'),
         "signature"},
        {"signature of zeros",
         without_signature(text) + "." + encode(std::string(32, '\0')),
         "signature"},
        {"signed with another secret",
         token(kHeader, payload(), "another secret of thirty-two byte"),
         "signature"},
        {"signed with the previous secret, which is not configured",
         token(kHeader, payload(), kOldSecret),
         "signature"},
        {"signed with nothing", token(kHeader, payload(), ""), "signature"},
        {"signed with the first half of the secret",
         token(kHeader, payload(), kSecret.substr(0, 16)),
         "signature"},
        {"signed with the secret and a line end",
         token(kHeader, payload(), std::string(kSecret) + "\n"),
         "signature"},
        {"signed with the public RSA key", token(kHeader, payload(), kRsaPublic), "signature"},
        {"signature over the decoded parts",
         without_signature(text) + "." +
             encode(hmac(kSecret, std::string(kHeader) + "." + payload())),
         "signature"},
        {"signature over the payload alone",
         without_signature(text) + "." + encode(hmac(kSecret, encode(payload()))),
         "signature"},
    };
}

std::vector<Attack> of_shapes() {
    const std::string text = good();
    const std::string head = encode(kHeader);
    std::string plus = seal(head, encode("\xfb\xff\xbe"));
    plus.replace(plus.find("-_--"), 4, "+/++");
    const std::string long_claims =
        payload(R"("org_id":"o-1")", R"("org_id":"o-1","x":")" + std::string(12'000, 'x') + "\"");
    return {
        {"empty", "", "not three parts"},
        {"one part", head, "not three parts"},
        {"two parts", without_signature(text), "not three parts"},
        {"two dots only", "..", "header syntax"},
        {"four parts", text + ".", "not three parts"},
        {"five parts, as JWE has", text + ".AAAA.AAAA", "not three parts"},
        {"first part missing", text.substr(text.find('.')), "header syntax"},
        {"payload missing", seal(head, ""), "payload syntax"},
        {"JSON form", R"({"payload":"e30","signatures":[]})", "not three parts"},
        {"header padded", seal(head + "=", encode(payload())), "header encoding"},
        {"payload padded", seal(head, encode(payload()) + "="), "payload encoding"},
        {"payload in plain text",
         seal(head, payload("\"ada@example.org\"", "\"\"")),
         "payload encoding"},
        {"payload in the other base64 alphabet", plus, "signature"},
        {"blank in front", " " + text, "header encoding"},
        {"line end behind", text + "\n", "signature"},
        {"zero byte behind", text + std::string(1, '\0'), "signature"},
        {"bytes above 127", "\x80\x80\x80\x80." + encode(payload()) + ".AAAA", "header encoding"},
        {"Bearer in front", "Bearer " + text, "header encoding"},
        {"16 KiB", token(kHeader, long_claims), "too long"},
        {"16 KiB of dots", std::string(16'384, '.'), "too long"},
        {"8 KiB of dots", std::string(8'192, '.'), "not three parts"},
    };
}

std::vector<Attack> of_payloads() {
    const auto raw = [](std::string_view text) { return token(kHeader, text); };
    std::string deep = payload(
        R"("org_id":"o-1")", R"("org_id":"o-1","x":)" + std::string(80, '[') + std::string(80, ']')
    );
    std::string many = R"("org_id":"o-1")";
    for (int i = 0; i < 100; ++i) {
        many += ",\"x" + std::to_string(i) + "\":1";
    }
    return {
        {"payload a list", raw("[]"), "payload syntax"},
        {"payload a text", raw(R"("sub")"), "payload syntax"},
        {"payload not JSON", raw("sub=u-1"), "payload syntax"},
        {"payload with a blank in front", raw(" " + payload()), "payload syntax"},
        {"payload empty object", raw("{}"), "claim iss"},
        {"payload followed by more", raw(payload() + "{}"), "payload syntax"},
        {"payload not UTF-8", with_claim("ada@", "\xff@"), "payload syntax"},
        {"half a surrogate", with_claim("ada@", "\\ud800@"), "payload syntax"},
        {"sub twice", with_claim(R"("sub":"u-1")", R"("sub":"u-1","sub":"admin")"), "payload syntax"
        },
        {"roles twice", with_claim(R"("jti")", R"("roles":["Admin"],"jti")"), "payload syntax"},
        {"exp twice, one escaped",
         with_claim(R"("exp":1700003600)", R"("exp":1700003600,"e\u0078p":9999999999)"),
         "payload syntax"},
        {"deep", token(kHeader, deep), "payload syntax"},
        {"many members", with_claim(R"("org_id":"o-1")", many), "payload syntax"},
    };
}

std::vector<Attack> of_times() {
    const auto exp = [](std::string_view value) {
        return with_claim(R"("exp":1700003600)", R"("exp":)" + std::string(value));
    };
    const auto nbf = [](std::string_view value) {
        return with_claim(R"("nbf":1700000000)", R"("nbf":)" + std::string(value));
    };
    const auto iat = [](std::string_view value) {
        return with_claim(R"("iat":1700000000)", R"("iat":)" + std::string(value));
    };
    return {
        {"exp as a string", exp(R"("1700003600")"), "claim exp"},
        {"exp as a float", exp("1700003600.0"), "claim exp"},
        {"exp with an exponent", exp("17000036e2"), "claim exp"},
        {"exp negative", exp("-1"), "claim exp"},
        {"exp 1e308", exp("1e308"), "claim exp"},
        {"exp 1e400", exp("1e400"), "payload syntax"},
        {"exp 2^63", exp("9223372036854775808"), "claim exp"},
        {"exp 2^64", exp("18446744073709551616"), "claim exp"},
        {"exp near 2^63", exp("9223372036854775807"), "claim exp"},
        {"exp in milliseconds", exp("1700003600000"), "claim exp"},
        {"exp null", exp("null"), "claim exp"},
        {"exp true", exp("true"), "claim exp"},
        {"exp a list", exp("[1700003600]"), "claim exp"},
        {"exp missing", with_claim(R"(,"exp":1700003600)", ""), "claim exp"},
        {"exp zero", exp("0"), "claim exp"},
        {"exp minus zero", exp("-0"), "claim exp"},
        {"expired by 31 s",
         with_claim(
             R"("iat":1700000000,"nbf":1700000000,"exp":1700003600)",
             R"("iat":1600000000,"nbf":1600000000,"exp":1699999970)"
         ),
         "claim exp"},
        {"exp before iat", exp("1699999999"), "claim exp"},
        {"nbf in 31 s", nbf("1700000032"), "claim nbf"},
        {"nbf as a string", nbf(R"("1700000000")"), "claim nbf"},
        {"nbf as a float", nbf("1.7e9"), "claim nbf"},
        {"nbf negative", nbf("-1"), "claim nbf"},
        {"nbf 1e308", nbf("1e308"), "claim nbf"},
        {"nbf missing", with_claim(R"("nbf":1700000000,)", ""), "claim nbf"},
        {"iat in 31 s", iat("1700000032"), "claim iat"},
        {"iat as a string", iat(R"("1700000000")"), "claim iat"},
        {"iat negative", iat("-1"), "claim iat"},
        {"iat missing", with_claim(R"("iat":1700000000,)", ""), "claim iat"},
    };
}

std::vector<Attack> of_claims() {
    return {
        {"another issuer", with_claim("llm-research-api", "evil"), "claim iss"},
        {"issuer with a suffix",
         with_claim("llm-research-api", "llm-research-api.evil"),
         "claim iss"},
        {"issuer as a list",
         with_claim(R"("llm-research-api")", R"(["llm-research-api"])"),
         "claim iss"},
        {"issuer missing", with_claim(R"("iss":"llm-research-api",)", ""), "claim iss"},
        {"another audience", with_claim("llm-research-users", "billing"), "claim aud"},
        {"audience as a list",
         with_claim(R"("llm-research-users")", R"(["llm-research-users"])"),
         "claim aud"},
        {"audience null", with_claim(R"("llm-research-users")", "null"), "claim aud"},
        {"audience missing", with_claim(R"("aud":"llm-research-users",)", ""), "claim aud"},
        {"refresh as access", with_claim(R"("access")", R"("refresh")"), "claim token_type"},
        {"type of neither", with_claim(R"("access")", R"("id")"), "claim token_type"},
        {"type as a list", with_claim(R"("access")", R"(["refresh","access"])"), "claim token_type"
        },
        {"type missing", with_claim(R"("token_type":"access",)", ""), "claim token_type"},
        {"sub empty",
         with_claim(R"("sub":"u-1","user_id":"u-1")", R"("sub":"","user_id":"")"),
         "claim sub"},
        {"sub a number",
         with_claim(R"("sub":"u-1","user_id":"u-1")", R"("sub":1,"user_id":1)"),
         "claim sub"},
        {"sub null", with_claim(R"("sub":"u-1")", R"("sub":null)"), "claim sub"},
        {"sub missing", with_claim(R"("sub":"u-1",)", ""), "claim sub"},
        {"sub with a zero byte",
         with_claim(R"("sub":"u-1","user_id":"u-1")", R"("sub":"u\u0000","user_id":"u\u0000")"),
         "claim sub"},
        {"sub with a line end",
         with_claim(R"("sub":"u-1","user_id":"u-1")", R"("sub":"u\n","user_id":"u\n")"),
         "claim sub"},
        {"user_id of somebody else",
         with_claim(R"("user_id":"u-1")", R"("user_id":"u-2")"),
         "claim user_id"},
        {"user_id missing", with_claim(R"("user_id":"u-1",)", ""), "claim user_id"},
        {"jti missing", with_claim(R"("jti":"t-1",)", ""), "claim jti"},
        {"jti empty", with_claim(R"("jti":"t-1")", R"("jti":"")"), "claim jti"},
        {"jti an object", with_claim(R"("jti":"t-1")", R"("jti":{})"), "claim jti"},
        {"roles a text", with_claim(R"(["Researcher","Viewer"])", R"("Admin")"), "claim roles"},
        {"roles an object",
         with_claim(R"(["Researcher","Viewer"])", R"({"Admin":true})"),
         "claim roles"},
        {"roles with a list",
         with_claim(R"(["Researcher","Viewer"])", R"([["Admin"]])"),
         "claim roles"},
        {"roles with an empty one",
         with_claim(R"(["Researcher","Viewer"])", R"([""])"),
         "claim roles"},
        {"roles missing", with_claim(R"("roles":["Researcher","Viewer"],)", ""), "claim roles"},
        {"email a number", with_claim(R"("ada@example.org")", "7"), "claim email"},
        {"email missing", with_claim(R"("email":"ada@example.org",)", ""), "claim email"},
        {"family missing", with_claim(R"("family":"f-1",)", ""), "claim family"},
        {"org missing", with_claim(R"("org_id":"o-1",)", ""), "claim org_id"},
    };
}

void expect_refused(const Jwt& jwt, const std::vector<Attack>& attacks) {
    std::set<std::string> tokens;
    for (const Attack& attack : attacks) {
        EXPECT_TRUE(tokens.insert(attack.text).second) << attack.name << " is another's twin";
        const auto answer = jwt.verify(attack.text, TokenType::access);
        ASSERT_FALSE(answer) << attack.name;
        EXPECT_EQ(answer.error().code, Code::unauthorized) << attack.name;
        EXPECT_EQ(answer.error().cause, std::string("jwt: ") + attack.cause) << attack.name;
        EXPECT_EQ(answer.error().message, "the credential is not valid") << attack.name;
        EXPECT_TRUE(answer.error().details.empty()) << attack.name;
    }
}

class JwtAttack : public testing::Test {
  protected:
    ManualClock clock_;
    Jwt jwt_ = *Jwt::create(config(), clock_);
};

TEST_F(JwtAttack, TheTokenTheyAreMadeOfIsGood) {
    const auto claims_back = jwt_.verify(good(), TokenType::access);
    ASSERT_TRUE(claims_back) << claims_back.error().cause;
    EXPECT_EQ(*claims_back, claims());
}

TEST_F(JwtAttack, OnAlgorithms) { expect_refused(jwt_, of_algorithms()); }
TEST_F(JwtAttack, OnHeaders) { expect_refused(jwt_, of_headers()); }
TEST_F(JwtAttack, OnSignatures) { expect_refused(jwt_, of_signatures()); }
TEST_F(JwtAttack, OnShapes) { expect_refused(jwt_, of_shapes()); }
TEST_F(JwtAttack, OnPayloads) { expect_refused(jwt_, of_payloads()); }
TEST_F(JwtAttack, OnTimes) { expect_refused(jwt_, of_times()); }
TEST_F(JwtAttack, OnClaims) { expect_refused(jwt_, of_claims()); }

TEST_F(JwtAttack, AnAccessTokenRefreshesNothing) {
    const auto answer = jwt_.verify(good(), TokenType::refresh);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().cause, "jwt: claim token_type");
    // A refresh token belongs to a family, or reuse could not be seen.
    const std::string orphan = token(
        kHeader,
        payload(R"("access","jti":"t-1","family":"f-1")", R"("refresh","jti":"t-1","family":"")")
    );
    ASSERT_FALSE(jwt_.verify(orphan, TokenType::refresh));
    EXPECT_EQ(jwt_.verify(orphan, TokenType::refresh).error().cause, "jwt: claim family");
}

TEST_F(JwtAttack, APublicKeyIsNoSecret) {
    // The classic: the verifier wants RS256, the token says HS256 and is "signed" with the public
    // key, which everybody has.
    JwtConfig rsa = config();
    rsa.algorithm = JwtAlgorithm::rs256;
    rsa.secret = "";
    rsa.public_key_pem = kRsaPublic;
    const auto jwt = Jwt::create(rsa, clock_);
    ASSERT_TRUE(jwt);
    const std::string header_rs = R"({"alg":"RS256","typ":"JWT"})";
    EXPECT_EQ(
        jwt->verify(token(kHeader, payload(), kRsaPublic), TokenType::access).error().cause,
        "jwt: header: claim alg"
    );
    EXPECT_EQ(
        jwt->verify(token(header_rs, payload(), kRsaPublic), TokenType::access).error().cause,
        "jwt: signature"
    );
    EXPECT_EQ(
        jwt->verify(unsigned_token(header_rs), TokenType::access).error().cause, "jwt: signature"
    );
}

TEST_F(JwtAttack, NoOtherTextOfOneLetterMoreLessOrElseIsAccepted) {
    const std::string text = good();
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string less = text;
        less.erase(i, 1);
        EXPECT_FALSE(jwt_.verify(less, TokenType::access)) << i;
        for (const char c : {'A', 'B', '_', '.', '=', '\0', '\n', '\x80'}) {
            std::string other = text;
            other[i] = c;
            EXPECT_EQ(jwt_.verify(other, TokenType::access).has_value(), other == text) << i;
            std::string more = text;
            more.insert(i, 1, c);
            EXPECT_FALSE(jwt_.verify(more, TokenType::access)) << i;
        }
    }
}

}  // namespace
}  // namespace lab
