#include "platform/crypto/id_token.h"

#include "fuzz/fuzz.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/crypto/impl/test_keys.h"

#include <nlohmann/json.hpp>

namespace {
using namespace lab;
using fuzz::require;

// The public half of kEcPrivate (RFC 7515, A.3).
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::int64_t kNow = 1'700'000'000;

Result<Json> verify(std::string_view token, const JwkSet& keys) {
    static const IdTokenRules kRules{.issuer = "https://id", .client_id = "lab", .nonce = "n"};
    return verify_id_token(token, keys, kRules, WallTime(std::chrono::seconds(kNow)));
}

std::string sign(std::string_view header, std::string_view payload) {
    static const auto kKey =
        *crypto::JwsKey::from_private_pem(JwtAlgorithm::es256, test::kEcPrivate);
    const std::string text = base64url_encode(header) + "." + base64url_encode(payload);
    return text + "." + base64url_encode(kKey.sign(text));
}

void check_taken(const Result<Json>& claims) {
    if (!claims) {
        require(
            claims.error().code == Code::unauthorized || claims.error().code == Code::not_found,
            "a refusal is one"
        );
        return;
    }
    require(claims->value("iss", "") == "https://id", "the issuer is ours");
    require(claims->value("nonce", "") == "n", "the login is ours");
    const std::string subject = claims->value("sub", "");
    require(!subject.empty() && subject.size() <= 255, "a subject has a length");
    require(claims->value("exp", 0.0) + 60 >= static_cast<double>(kNow), "expired is not taken");
    const Json& audience = claims->at("aud");
    const bool is_ours = audience.is_array()
                             ? std::ranges::find(audience, Json("lab")) != audience.end()
                             : audience == "lab";
    require(is_ours, "the audience is ours");
}
}  // namespace

// Tokens and keys of an identity provider. The first byte says whether the text is a key set, a
// token, or a payload or a header that the provider signs.
FUZZ_TARGET(id_token) {
    std::string_view text = input;
    static const JwkSet kSet = *JwkSet::parse(kKeys);
    static const std::string kHeader = R"({"alg":"ES256","kid":"e"})";
    static const std::string kPayload =
        R"({"iss":"https://id","aud":"lab","sub":"s","nonce":"n","iat":1699999990,"exp":1700000300})";
    static const std::string kGood = sign(kHeader, kPayload);
    switch (fuzz::take_choice(text) % 4) {
        case 0: {
            const auto keys = JwkSet::parse(text);
            if (keys && verify(kGood, *keys)) {
                require(text.contains("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), "no key");
            }
            break;
        }
        case 1:
            require(!verify(text, kSet) || text == kGood, "a token was forged");
            break;
        case 2:
            check_taken(verify(sign(kHeader, text), kSet));
            break;
        default: {
            require(verify(kGood, kSet).has_value(), "a good token is taken");
            if (verify(sign(text, kPayload), kSet)) {
                const auto header = parse_json(text);
                require(header && header->value("alg", "") == "ES256", "one algorithm a key");
                require(!header->contains("jwk") && !header->contains("jku"), "no key of theirs");
            }
        }
    }
}
