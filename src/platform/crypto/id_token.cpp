#include "platform/crypto/id_token.h"

#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/crypto/mac.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace lab {

struct JwkSet::Key {
    std::string id;
    JwtAlgorithm algorithm;
    crypto::JwsKey key;
};

namespace {

using crypto::JwsKey;

constexpr std::size_t kTokenBytesMax = 16U << 10;
constexpr std::size_t kKeysMax = 64;
constexpr JsonLimits kHeaderLimits{.bytes_max = 4096, .depth_max = 4, .keys_max = 16};
constexpr JsonLimits kClaimLimits{.bytes_max = kTokenBytesMax, .depth_max = 8, .keys_max = 256};
constexpr JsonLimits kSetLimits{.bytes_max = 256U << 10, .depth_max = 8, .keys_max = 64};
constexpr std::size_t kSubjectBytesMax = 255;
constexpr double kYear9999 = 253'402'300'799;

Error refused(std::string_view cause) {
    Error error(Code::unauthorized, "the credential is not valid");
    error.cause = "oidc: identity: " + std::string(cause);
    return error;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A public key in the form that OpenSSL reads (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7),
// written by hand: a dozen bytes of DER around the numbers of the JWK.

std::string der(char tag, const std::string& content) {
    std::string out(1, tag);
    const std::size_t size = content.size();
    if (size < 0x80) {
        out += static_cast<char>(size);
    } else {
        std::string length;
        for (std::size_t rest = size; rest != 0; rest >>= 8U) {
            length.insert(length.begin(), static_cast<char>(rest & 0xffU));
        }
        out += static_cast<char>(0x80U | length.size());
        out += length;
    }
    return out + content;
}

std::string der_integer(std::string_view bytes) {
    while (bytes.size() > 1 && bytes.front() == '\0') {
        bytes.remove_prefix(1);
    }
    std::string content(bytes);
    if (content.empty() || (static_cast<unsigned char>(content.front()) & 0x80U) != 0) {
        content.insert(content.begin(), '\0');
    }
    return der('\x02', content);
}

std::string pem_of(const std::string& info) {
    static constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out = "-----BEGIN PUBLIC KEY-----\n";
    std::size_t column = 0;
    for (std::size_t i = 0; i < info.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, info.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8U | (k < count ? static_cast<unsigned char>(info[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= count ? kLetters[(bits >> (18 - 6 * k)) & 63U] : '=';
        }
        column += 4;
        if (column == 64) {
            out += '\n';
            column = 0;
        }
    }
    return out + (column == 0 ? "" : "\n") + "-----END PUBLIC KEY-----\n";
}

std::optional<JwsKey> read_rsa(const Json& jwk) {
    const auto n = base64url_decode(text_of(jwk, "n"));
    const auto e = base64url_decode(text_of(jwk, "e"));
    if (!n || !e || n->empty() || e->empty() || n->size() > 1025 || e->size() > 8) {
        return std::nullopt;
    }
    static const std::string kAlgorithm("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 13);
    const std::string numbers = der('\x30', der_integer(*n) + der_integer(*e));
    const std::string info =
        der('\x30', der('\x30', kAlgorithm) + der('\x03', std::string(1, '\0') + numbers));
    auto key = JwsKey::from_public_pem(JwtAlgorithm::rs256, pem_of(info));
    return key ? std::optional(*std::move(key)) : std::nullopt;
}

std::optional<JwsKey> read_ec(const Json& jwk) {
    const auto x = base64url_decode(text_of(jwk, "x"));
    const auto y = base64url_decode(text_of(jwk, "y"));
    if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != 32 || y->size() != 32) {
        return std::nullopt;
    }
    static const std::string kAlgorithm(
        "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 19
    );
    const std::string point = std::string(1, '\0') + '\x04' + *x + *y;
    const std::string info = der('\x30', der('\x30', kAlgorithm) + der('\x03', point));
    auto key = JwsKey::from_public_pem(JwtAlgorithm::es256, pem_of(info));
    return key ? std::optional(*std::move(key)) : std::nullopt;
}

struct Parts {
    Json header;
    std::string_view payload;
    std::string_view signed_part;
    std::string signature;
};

Result<Parts> split_token(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t second = first == token.npos ? first : token.find('.', first + 1);
    if (token.size() > kTokenBytesMax || second == token.npos ||
        token.find('.', second + 1) != token.npos) {
        return refused("form");
    }
    const auto header_text = base64url_decode(token.substr(0, first));
    auto signature = base64url_decode(token.substr(second + 1));
    if (!header_text || !signature || signature->empty()) {
        return refused("encoding");
    }
    auto header = parse_json(*header_text, kHeaderLimits);
    if (!header || !header->is_object()) {
        return refused("header syntax");
    }
    return Parts{
        *std::move(header),
        token.substr(first + 1, second - first - 1),
        token.substr(0, second),
        *std::move(signature)
    };
}

bool has_audience(const Json& claims, const std::string& client) {
    const auto aud = claims.find("aud");
    if (aud == claims.end()) {
        return false;
    }
    const bool several = aud->is_array();
    const bool is_named =
        several ? std::ranges::find(*aud, Json(client)) != aud->end() : *aud == Json(client);
    const auto azp = claims.find("azp");
    if (azp == claims.end()) {
        return is_named && (!several || aud->size() == 1);
    }
    return is_named && *azp == Json(client);
}

/// Seconds since 1970; nullopt when it is no time, or none at all.
std::optional<double> time_of(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    if (found == claims.end() || !found->is_number()) {
        return std::nullopt;
    }
    const auto value = found->get<double>();
    return value >= 0 && value <= kYear9999 ? std::optional(value) : std::nullopt;
}

/// What is wrong with the claims, or nothing.
std::string_view problem_of(const Json& claims, const IdTokenRules& rules, WallTime now_wall) {
    const auto now = std::chrono::duration<double>(now_wall.time_since_epoch()).count();
    const auto leeway = static_cast<double>(rules.leeway.count());
    const auto exp = time_of(claims, "exp");
    const auto iat = time_of(claims, "iat");
    const auto nbf = time_of(claims, "nbf");
    const std::string subject = text_of(claims, "sub");
    if (text_of(claims, "iss") != rules.issuer) {
        return "iss";
    }
    if (!has_audience(claims, rules.client_id)) {
        return "aud";
    }
    if (!exp || now >= *exp + leeway) {
        return "exp";
    }
    if (!iat || *iat > now + leeway) {
        return "iat";
    }
    if (claims.contains("nbf") && (!nbf || *nbf > now + leeway)) {
        return "nbf";
    }
    if (rules.nonce.empty() || !constant_time_equal(text_of(claims, "nonce"), rules.nonce)) {
        return "nonce";
    }
    return subject.empty() || subject.size() > kSubjectBytesMax ? "sub" : "";
}

}  // namespace

Result<JwkSet> JwkSet::parse(std::string_view text) {
    const auto set = parse_json(text, kSetLimits);
    if (!set || !set->is_object() || !set->contains("keys") || !(*set)["keys"].is_array() ||
        (*set)["keys"].size() > kKeysMax) {
        return Error(Code::bad_request, "this is no set of keys");
    }
    auto keys = std::make_shared<std::vector<Key>>();
    for (const Json& jwk : (*set)["keys"]) {
        const std::string use = jwk.is_object() ? text_of(jwk, "use") : "none";
        if (!use.empty() && use != "sig") {
            continue;
        }
        const std::string alg = text_of(jwk, "alg");
        const std::string type = text_of(jwk, "kty");
        auto key = type == "RSA" && (alg.empty() || alg == "RS256")  ? read_rsa(jwk)
                   : type == "EC" && (alg.empty() || alg == "ES256") ? read_ec(jwk)
                                                                     : std::nullopt;
        if (key) {
            const JwtAlgorithm how = type == "RSA" ? JwtAlgorithm::rs256 : JwtAlgorithm::es256;
            keys->push_back({text_of(jwk, "kid"), how, *std::move(key)});
        }
    }
    JwkSet out;
    out.keys_ = std::move(keys);
    return out;
}

std::size_t JwkSet::size() const { return keys_ ? keys_->size() : 0; }

Result<Json> verify_id_token(
    std::string_view token, const JwkSet& keys, const IdTokenRules& rules, WallTime now
) {
    LAB_TRY(const Parts parts, split_token(token));
    for (const char* name : {"crit", "jku", "jwk", "x5u"}) {
        if (parts.header.contains(name)) {
            return refused("header says how it wants to be checked");
        }
    }
    // The algorithm only selects among ours, and each key has exactly one.
    const std::string alg = text_of(parts.header, "alg");
    if (alg != "RS256" && alg != "ES256") {
        return refused("alg");
    }
    const JwtAlgorithm algorithm = alg == "RS256" ? JwtAlgorithm::rs256 : JwtAlgorithm::es256;
    const std::string id = text_of(parts.header, "kid");
    bool is_known = false;
    bool is_theirs = false;
    for (std::size_t i = 0; i < keys.size() && !is_theirs; ++i) {
        const JwkSet::Key& key = (*keys.keys_)[i];
        if (key.algorithm == algorithm && (id.empty() || key.id == id)) {
            is_known = true;
            is_theirs = key.key.verify(parts.signed_part, parts.signature);
        }
    }
    if (!is_known) {
        return Error(Code::not_found, "the provider has no such key");
    }
    if (!is_theirs) {
        return refused("signature");
    }
    const auto text = base64url_decode(parts.payload);
    auto claims = text ? parse_json(*text, kClaimLimits)
                       : Result<Json>(Error(Code::bad_request, "not base64url"));
    if (!claims || !claims->is_object()) {
        return refused("payload");
    }
    if (const auto problem = problem_of(*claims, rules, now); !problem.empty()) {
        return refused(problem);
    }
    return *std::move(claims);
}

}  // namespace lab
