#include "platform/crypto/jwt.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/mac.h"
#include "platform/json/json.h"
#include "support/manual_clock.h"

#include <nlohmann/json.hpp>

namespace {
using namespace lab;
using fuzz::require;

const std::string kSecret(40, 's');

const test::ManualClock& fixed_clock() {
    static const test::ManualClock clock;
    return clock;
}

const Jwt& our_jwt() {
    static const Jwt jwt = *Jwt::create(
        {.secret = kSecret, .issuer = "issuer", .audience = "audience"}, fixed_clock()
    );
    return jwt;
}

/// As we would sign it, whatever it says.
std::string sign(std::string_view header, std::string_view payload) {
    const std::string text = base64url_encode(header) + "." + base64url_encode(payload);
    return text + "." + base64url_encode(hmac_sha256(kSecret, text));
}

/// What is taken could have been issued by us.
void check_taken(const Result<Claims>& claims) {
    if (!claims) {
        require(claims.error().code == Code::unauthorized, "a refusal is one");
        return;
    }
    const std::chrono::seconds leeway(30);
    const WallTime now = fixed_clock().wall();
    require(claims->expires_at + leeway > now, "what has expired is not taken");
    require(claims->issued_at <= now + leeway, "what has not begun is not taken");
    require(!claims->subject.empty() && claims->subject.size() <= 128, "a subject has a length");
    require(claims->roles.size() <= 32, "roles are few");
    const auto again = our_jwt().sign(*claims);
    require(again.has_value(), "what is taken can be issued");
    const auto read = our_jwt().verify(*again, claims->token_type);
    require(read && *read == *claims, "claims have one reading");
}

void change(std::string_view text) {
    static const std::string kGood = *our_jwt().sign(
        {.subject = "u",
         .jti = "j",
         .issued_at = fixed_clock().wall(),
         .expires_at = fixed_clock().wall() + std::chrono::hours(24)}
    );
    require(our_jwt().verify(kGood, TokenType::access).has_value(), "a good token is taken");
    require(!our_jwt().verify(kGood, TokenType::refresh), "an access token refreshes nothing");
    std::string token = kGood;
    for (std::size_t i = 0; i + 1 < text.size() && i < 16; i += 2) {
        const std::size_t at = static_cast<unsigned char>(text[i]) * token.size() / 256;
        token[at] = text[i + 1];
    }
    require(
        token == kGood || !our_jwt().verify(token, TokenType::access), "a changed token was taken"
    );
}

void issue(std::string_view text) {
    Claims claims;
    claims.token_type = fuzz::take_choice(text) % 2 == 0 ? TokenType::access : TokenType::refresh;
    claims.issued_at = std::chrono::floor<std::chrono::seconds>(fixed_clock().wall());
    claims.expires_at = claims.issued_at + std::chrono::seconds(fuzz::take_choice(text));
    claims.subject = fuzz::take_until(text, '\n');
    claims.email = fuzz::take_until(text, '\n');
    claims.jti = fuzz::take_until(text, '\n');
    claims.family = fuzz::take_until(text, '\n');
    claims.org = fuzz::take_until(text, '\n');
    while (!text.empty()) {
        claims.roles.emplace_back(fuzz::take_until(text, '\n'));
    }
    const auto token = our_jwt().sign(claims);
    if (!token) {
        require(is_utf8(token.error().message), "a refusal can be shown");
        return;
    }
    const auto read = our_jwt().verify(*token, claims.token_type);
    require(read && *read == claims, "what is issued is taken as it is");
    const bool is_access = claims.token_type == TokenType::access;
    require(
        !our_jwt().verify(*token, is_access ? TokenType::refresh : TokenType::access),
        "a token is of one type"
    );
}
}  // namespace

// No token is good that was not signed; of those that are, no reading but ours. The first byte says
// whether the text is a token, changes of a good one, a payload or a header that we sign, or
// claims.
FUZZ_TARGET(jwt) {
    std::string_view text = input;
    static const std::string kHeader = R"({"alg":"HS256","typ":"JWT"})";
    switch (fuzz::take_choice(text) % 5) {
        case 0:
            change(text);
            break;
        case 1:
            require(!our_jwt().verify(text, TokenType::access), "a token was forged");
            require(!our_jwt().verify(text, TokenType::refresh), "a token was forged");
            break;
        case 2:
            check_taken(our_jwt().verify(sign(kHeader, text), TokenType::access));
            check_taken(our_jwt().verify(sign(kHeader, text), TokenType::refresh));
            break;
        case 3: {
            static const std::string kPayload =
                R"({"iss":"issuer","aud":"audience","sub":"u","user_id":"u","email":"","roles":[],)"
                R"("token_type":"access","jti":"j","family":"","org_id":"","iat":1700000000,)"
                R"("nbf":1700000000,"exp":1700000600})";
            require(our_jwt().verify(sign(kHeader, kPayload), TokenType::access).has_value(), "ok");
            const auto header = parse_json(text);
            const bool is_ours = header && header->is_object() && header->size() == 2 &&
                                 header->value("alg", Json()) == "HS256" &&
                                 header->value("typ", Json()) == "JWT" && text.size() <= 256;
            const auto taken = our_jwt().verify(sign(text, kPayload), TokenType::access);
            require(taken.has_value() == is_ours, "no other header is taken");
            break;
        }
        default:
            issue(text);
    }
}
