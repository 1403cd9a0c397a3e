#include "platform/crypto/id_token.h"

#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/crypto/impl/test_keys.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

// The keys of RFC 7515, appendices A.2 and A.3, as they are written there.
constexpr std::string_view kRsa =
    R"({"kty":"RSA","kid":"r","use":"sig","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbj)"
    R"(i9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2j)"
    R"(Z47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQ)"
    R"(Y4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h)"
    R"(4FRWyuXpoQ"})";
constexpr std::string_view kEc =
    R"({"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::int64_t kNow = 1'700'000'000;
const IdTokenRules kRules{.issuer = "https://id.example.org", .client_id = "lab", .nonce = "n-1"};

JwkSet keys_of(std::string_view list) {
    auto set = JwkSet::parse(R"({"keys":[)" + std::string(list) + "]}");
    EXPECT_TRUE(set) << (set ? "" : set.error().message);
    return set ? *std::move(set) : JwkSet();
}

Json claims() {
    return {
        {"iss", "https://id.example.org"},
        {"aud", "lab"},
        {"sub", "s-1"},
        {"nonce", "n-1"},
        {"iat", kNow - 5},
        {"exp", kNow + 300},
    };
}

Json claims_but(const char* name, const Json& value) {
    Json out = claims();
    out[name] = value;
    return out;
}

std::string signed_by(JwtAlgorithm algorithm, const Json& header, const Json& payload) {
    const auto key = crypto::JwsKey::from_private_pem(
        algorithm, algorithm == JwtAlgorithm::rs256 ? test::kRsaPrivate : test::kEcPrivate
    );
    const std::string input =
        base64url_encode(dump_json(header)) + "." + base64url_encode(dump_json(payload));
    return input + "." + base64url_encode(key->sign(input));
}

std::string rs256(const Json& payload) {
    return signed_by(JwtAlgorithm::rs256, {{"alg", "RS256"}, {"kid", "r"}}, payload);
}

/// "ok", "no such key", or what was wrong.
std::string outcome(const std::string& token, const JwkSet& keys) {
    const auto found = verify_id_token(token, keys, kRules, WallTime(std::chrono::seconds(kNow)));
    if (found) {
        return "ok";
    }
    constexpr std::string_view kStart = "oidc: identity: ";
    return found.error().code == Code::not_found
               ? "no such key"
               : std::string(found.error().cause.substr(kStart.size()));
}

std::string outcome(const Json& payload) { return outcome(rs256(payload), keys_of(kRsa)); }

TEST(IdTokens, OfBothAlgorithmsAreVerifiedByTheKeysOfTheSpecification) {
    const JwkSet keys = keys_of(std::string(kRsa) + "," + std::string(kEc));
    EXPECT_EQ(keys.size(), 2U);
    EXPECT_EQ(outcome(rs256(claims()), keys), "ok");
    const Json ec{{"alg", "ES256"}, {"kid", "e"}, {"typ", "JWT"}};
    EXPECT_EQ(outcome(signed_by(JwtAlgorithm::es256, ec, claims()), keys), "ok");
    // Without a name every key of the algorithm is tried.
    EXPECT_EQ(outcome(signed_by(JwtAlgorithm::rs256, {{"alg", "RS256"}}, claims()), keys), "ok");
    const auto read =
        verify_id_token(rs256(claims()), keys, kRules, WallTime(std::chrono::seconds(kNow)));
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)["sub"], "s-1");
}

TEST(IdTokens, AreRefusedForEachClaimThatIsNotRight) {
    EXPECT_EQ(outcome(claims_but("iss", "https://id.example.org/")), "iss");
    EXPECT_EQ(outcome(claims_but("aud", "other")), "aud");
    EXPECT_EQ(outcome(claims_but("aud", Json::array())), "aud");
    EXPECT_EQ(outcome(claims_but("aud", {"lab", "other"})), "aud");
    EXPECT_EQ(outcome(claims_but("azp", "other")), "aud");
    EXPECT_EQ(outcome(claims_but("nonce", "n-2")), "nonce");
    EXPECT_EQ(outcome(claims_but("nonce", nullptr)), "nonce");
    EXPECT_EQ(outcome(claims_but("exp", kNow - 61)), "exp");
    EXPECT_EQ(outcome(claims_but("exp", kNow - 59)), "ok");
    EXPECT_EQ(outcome(claims_but("exp", "1900000000")), "exp");
    EXPECT_EQ(outcome(claims_but("exp", -1)), "exp");
    EXPECT_EQ(outcome(claims_but("exp", 1e308)), "exp");
    EXPECT_EQ(outcome(claims_but("iat", kNow + 61)), "iat");
    EXPECT_EQ(outcome(claims_but("iat", nullptr)), "iat");
    EXPECT_EQ(outcome(claims_but("nbf", kNow + 61)), "nbf");
    EXPECT_EQ(outcome(claims_but("nbf", "soon")), "nbf");
    EXPECT_EQ(outcome(claims_but("sub", "")), "sub");
    EXPECT_EQ(outcome(claims_but("sub", std::string(256, 's'))), "sub");
    Json several = claims_but("aud", {"lab", "other"});
    several["azp"] = "lab";
    EXPECT_EQ(outcome(several), "ok");
    EXPECT_EQ(outcome(Json::array()), "payload");
}

TEST(IdTokens, DoNotChooseHowTheyAreChecked) {
    const JwkSet keys = keys_of(std::string(kRsa) + "," + std::string(kEc));
    for (const char* alg : {"none", "None", "HS256", "RS512", "PS256", ""}) {
        const Json header{{"alg", alg}, {"kid", "r"}};
        EXPECT_EQ(outcome(signed_by(JwtAlgorithm::rs256, header, claims()), keys), "alg") << alg;
    }
    for (const char* name : {"jku", "jwk", "x5u", "crit"}) {
        const Json header{{"alg", "RS256"}, {"kid", "r"}, {name, "https://evil.example"}};
        EXPECT_EQ(
            outcome(signed_by(JwtAlgorithm::rs256, header, claims()), keys),
            "header says how it wants to be checked"
        );
    }
    // A key is of one algorithm, whatever the header says.
    EXPECT_EQ(
        outcome(signed_by(JwtAlgorithm::rs256, {{"alg", "ES256"}, {"kid", "r"}}, claims()), keys),
        "no such key"
    );
    EXPECT_EQ(
        outcome(signed_by(JwtAlgorithm::rs256, {{"alg", "RS256"}, {"kid", "x"}}, claims()), keys),
        "no such key"
    );
    const std::string good = rs256(claims());
    EXPECT_EQ(outcome(good.substr(0, good.rfind('.') + 1), keys), "encoding");
    EXPECT_EQ(outcome(good.substr(0, good.rfind('.')), keys), "form");
    EXPECT_EQ(outcome(good + ".x", keys), "form");
    EXPECT_EQ(outcome(good.substr(0, good.size() - 8) + "AAAAAAAA", keys), "signature");
    EXPECT_EQ(outcome(std::string(20'000, 'a') + "." + good, keys), "form");
    EXPECT_EQ(outcome("", keys), "form");
}

TEST(KeySets, TakeWhatCanCheckAndLeaveTheRest) {
    EXPECT_EQ(keys_of("").size(), 0U);
    std::string other(kRsa);
    other.replace(other.find("\"sig\""), 5, "\"enc\"");
    const std::string secret = R"({"kty":"oct","k":"AAAA","kid":"r"})";
    const std::string small = R"({"kty":"RSA","e":"AQAB","n":"ofgW"})";
    const std::string off_curve =
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
        R"("y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})";
    for (const std::string& bad : {other, secret, small, off_curve, std::string("1")}) {
        EXPECT_EQ(keys_of(bad).size(), 0U) << bad;
        EXPECT_EQ(keys_of(bad + "," + std::string(kEc)).size(), 1U) << bad;
    }
    for (const char* text : {"", "[]", "{}", R"({"keys":1})", R"({"keys":[],"keys":[]})"}) {
        EXPECT_FALSE(JwkSet::parse(text)) << text;
    }
}

}  // namespace
}  // namespace lab
