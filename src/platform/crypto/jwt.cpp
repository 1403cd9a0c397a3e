#include "platform/crypto/jwt.h"

#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <optional>

// Over OpenSSL instead of Debian's cpp-jwt 1.4, which was tried with forged tokens first: a byte
// above 127 in the header aborts the process, of repeated members the last counts, `crit` is
// ignored, exp = -1 and exp = 1e308 are accepted, signatures are compared byte by byte, and the
// clock is the machine's. What would be left of it is one call of HMAC.

namespace lab {
namespace {

using crypto::JwsKey;

constexpr std::size_t kTokenBytesMax = 8U << 10;
constexpr JsonLimits kHeaderLimits{.bytes_max = 256, .depth_max = 2, .keys_max = 4};
constexpr JsonLimits kClaimLimits{.bytes_max = kTokenBytesMax, .depth_max = 4, .keys_max = 64};
constexpr std::int64_t kYear9999 = 253'402'300'799;
constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kEmailBytesMax = 320;
constexpr std::size_t kRolesMax = 32;
constexpr std::size_t kRoleBytesMax = 64;

std::string_view name_of(JwtAlgorithm algorithm) {
    switch (algorithm) {
        case JwtAlgorithm::hs256:
            return "HS256";
        case JwtAlgorithm::rs256:
            return "RS256";
        case JwtAlgorithm::es256:
            return "ES256";
    }
    LAB_ASSERT(false, "an algorithm has a name");
}

std::string_view name_of(TokenType type) {
    return type == TokenType::access ? "access" : "refresh";
}

Error refused(std::string_view cause) {
    Error error(Code::unauthorized, "the credential is not valid");
    error.cause = "jwt: " + std::string(cause);
    return error;
}

std::int64_t seconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

WallTime wall_of(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

bool is_plain(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

Result<Json> parse_object(std::string_view text, const JsonLimits& limits) {
    // Not even the byte order mark that readers of JSON may skip.
    if (!text.starts_with('{')) {
        return Error(Code::bad_request, "not a JSON object");
    }
    return parse_json(text, limits);
}

/// Takes claims out of the payload by type; remembers the first that is not as it has to be.
class ClaimReader {
  public:
    explicit ClaimReader(const Json& claims) : claims_(claims) {}

    std::string text(const char* name, std::size_t bytes_min, std::size_t bytes_max) {
        const Json* value = find(name);
        if (value == nullptr || !value->is_string()) {
            fail(name);
            return "";
        }
        auto out = value->get<std::string>();
        if (out.size() < bytes_min || out.size() > bytes_max || !is_plain(out)) {
            fail(name);
        }
        return out;
    }

    std::vector<std::string> texts(const char* name) {
        const Json* value = find(name);
        if (value == nullptr || !value->is_array() || value->size() > kRolesMax) {
            fail(name);
            return {};
        }
        std::vector<std::string> out;
        for (const Json& item : *value) {
            if (!item.is_string()) {
                fail(name);
                return {};
            }
            out.push_back(item.get<std::string>());
            if (out.back().empty() || out.back().size() > kRoleBytesMax || !is_plain(out.back())) {
                fail(name);
            }
        }
        return out;
    }

    /// NumericDate of RFC 7519, of which we take whole seconds up to the year 9999 only.
    std::int64_t time(const char* name) {
        const Json* value = find(name);
        if (value == nullptr || !value->is_number_unsigned() ||
            value->get<std::uint64_t>() > static_cast<std::uint64_t>(kYear9999)) {
            fail(name);
            return 0;
        }
        return value->get<std::int64_t>();
    }

    void expect(const char* name, std::string_view wanted) {
        const Json* value = find(name);
        if (value == nullptr || !value->is_string() ||
            value->get_ref<const std::string&>() != wanted) {
            fail(name);
        }
    }

    void fail(const char* name) {
        if (failed_.empty()) {
            failed_ = std::string("claim ") + name;
        }
    }
    /// Empty when all were fine.
    const std::string& failed() const { return failed_; }

  private:
    const Json* find(const char* name) const {
        const auto found = claims_.find(name);
        return found == claims_.end() ? nullptr : &*found;
    }
    const Json& claims_;
    std::string failed_;
};

struct Parts {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signing_input;
};

std::optional<Parts> split_token(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t second = first == token.npos ? first : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos) {
        return std::nullopt;
    }
    return Parts{
        token.substr(0, first),
        token.substr(first + 1, second - first - 1),
        token.substr(second + 1),
        token.substr(0, second)
    };
}

}  // namespace

struct Jwt::Impl {
    const Clock& clock;
    JwtAlgorithm algorithm;
    std::optional<JwsKey> signer;
    std::vector<JwsKey> verifiers;
    std::string issuer;
    std::string audience;
    std::int64_t leeway_s;

    Status load_secrets(const JwtConfig& config);
    Status load_pairs(const JwtConfig& config);
    std::string check_header(std::string_view encoded) const;
    bool is_ours(const Parts& parts) const;
    Claims read_claims(ClaimReader& claims, TokenType wanted) const;
    void check_times(ClaimReader& claims) const;
};

Status Jwt::Impl::load_secrets(const JwtConfig& config) {
    LAB_TRY(JwsKey current, JwsKey::from_secret(config.secret));
    verifiers.push_back(current);
    signer = std::move(current);
    if (!config.secret_previous.empty()) {
        LAB_TRY(JwsKey previous, JwsKey::from_secret(config.secret_previous));
        verifiers.push_back(std::move(previous));
    }
    return ok();
}

Status Jwt::Impl::load_pairs(const JwtConfig& config) {
    if (!config.private_key_pem.empty()) {
        LAB_TRY(JwsKey key, JwsKey::from_private_pem(algorithm, config.private_key_pem));
        signer = std::move(key);
    }
    if (!config.public_key_pem.empty()) {
        LAB_TRY(JwsKey key, JwsKey::from_public_pem(algorithm, config.public_key_pem));
        if (signer && !key.verify("probe", signer->sign("probe"))) {
            return Error(Code::validation, "the public key is not that of the private key");
        }
        verifiers.push_back(std::move(key));
    } else if (signer) {
        verifiers.push_back(*signer);
    } else {
        return Error(Code::validation, "there is neither a private nor a public key");
    }
    if (!config.public_key_previous_pem.empty()) {
        LAB_TRY(JwsKey key, JwsKey::from_public_pem(algorithm, config.public_key_previous_pem));
        verifiers.push_back(std::move(key));
    }
    return ok();
}

/// What is wrong with the header, or nothing.
std::string Jwt::Impl::check_header(std::string_view encoded) const {
    const std::optional<std::string> text = base64url_decode(encoded);
    if (!text) {
        return "header encoding";
    }
    const Result<Json> header = parse_object(*text, kHeaderLimits);
    if (!header) {
        return "header syntax";
    }
    ClaimReader members(*header);
    members.expect("alg", name_of(algorithm));
    members.expect("typ", "JWT");
    if (!members.failed().empty()) {
        return "header: " + members.failed();
    }
    // kid, jku, jwk, x5u, x5c, crit, b64, cty ...: we issue none of them.
    return header->size() == 2 ? "" : "header: more than alg and typ";
}

bool Jwt::Impl::is_ours(const Parts& parts) const {
    const std::optional<std::string> signature = base64url_decode(parts.signature);
    return signature && std::ranges::any_of(verifiers, [&](const JwsKey& key) {
               return key.verify(parts.signing_input, *signature);
           });
}

Claims Jwt::Impl::read_claims(ClaimReader& claims, TokenType wanted) const {
    Claims out;
    claims.expect("iss", issuer);
    claims.expect("aud", audience);
    claims.expect("token_type", name_of(wanted));
    out.token_type = wanted;
    out.subject = claims.text("sub", 1, kIdBytesMax);
    claims.expect("user_id", out.subject);
    out.email = claims.text("email", 0, kEmailBytesMax);
    out.roles = claims.texts("roles");
    out.jti = claims.text("jti", 1, kIdBytesMax);
    out.family = claims.text("family", wanted == TokenType::refresh ? 1 : 0, kIdBytesMax);
    out.org = claims.text("org_id", 0, kIdBytesMax);
    out.issued_at = wall_of(claims.time("iat"));
    out.expires_at = wall_of(claims.time("exp"));
    return out;
}

void Jwt::Impl::check_times(ClaimReader& claims) const {
    const std::int64_t iat = claims.time("iat");
    const std::int64_t nbf = claims.time("nbf");
    const std::int64_t exp = claims.time("exp");
    const std::int64_t now = seconds_of(clock.wall());
    if (now >= exp + leeway_s || exp <= iat) {
        claims.fail("exp");
    }
    if (nbf > now + leeway_s) {
        claims.fail("nbf");
    }
    if (iat > now + leeway_s) {
        claims.fail("iat");
    }
}

Result<Jwt> Jwt::create(const JwtConfig& config, const Clock& clock) {
    if (config.issuer.empty() || config.audience.empty()) {
        return Error(Code::validation, "tokens need an issuer and an audience");
    }
    const std::int64_t leeway_s = config.leeway.count();
    if (leeway_s < 0 || leeway_s > 300) {
        return Error(Code::validation, "the leeway of tokens is 0 to 300 seconds");
    }
    Impl impl{clock, config.algorithm, std::nullopt, {}, config.issuer, config.audience, leeway_s};
    LAB_CHECK(
        config.algorithm == JwtAlgorithm::hs256 ? impl.load_secrets(config)
                                                : impl.load_pairs(config)
    );
    return Jwt(std::make_shared<const Impl>(std::move(impl)));
}

Result<std::string> Jwt::sign(const Claims& claims) const {
    const std::optional<JwsKey>& signer = impl_->signer;
    if (!signer) {
        return Error(Code::invalid_state, "tokens are only verified here: there is no private key");
    }
    const std::int64_t iat = seconds_of(claims.issued_at);
    const std::int64_t exp = seconds_of(claims.expires_at);
    const Json payload = {
        {"iss", impl_->issuer},
        {"aud", impl_->audience},
        {"sub", claims.subject},
        {"user_id", claims.subject},
        {"email", claims.email},
        {"roles", claims.roles},
        {"token_type", name_of(claims.token_type)},
        {"jti", claims.jti},
        {"family", claims.family},
        {"org_id", claims.org},
        {"iat", iat},
        {"nbf", iat},
        {"exp", exp}
    };
    const std::string text = dump_json(payload);
    // What verify would refuse is not issued. Time is left out: the caller may sign ahead.
    const Result<Json> read = parse_json(text, kClaimLimits);
    if (!read || iat < 0 || exp <= iat) {
        return Error(Code::validation, "the claims make no token");
    }
    ClaimReader reader(*read);
    Claims wanted = claims;
    wanted.issued_at = wall_of(iat);
    wanted.expires_at = wall_of(exp);
    if (impl_->read_claims(reader, claims.token_type) != wanted || !reader.failed().empty()) {
        return Error(Code::validation, "the claims make no token");
    }
    std::string token = base64url_encode(
        R"({"alg":")" + std::string(name_of(impl_->algorithm)) + R"(","typ":"JWT"})"
    );
    token += '.';
    token += base64url_encode(text);
    const std::string signature = signer->sign(token);
    token += '.';
    token += base64url_encode(signature);
    if (token.size() > kTokenBytesMax) {
        return Error(Code::validation, "the claims make a token that is too long");
    }
    return token;
}

Result<Claims> Jwt::verify(std::string_view token, TokenType wanted) const {
    if (token.size() > kTokenBytesMax) {
        return refused("too long");
    }
    const std::optional<Parts> parts = split_token(token);
    if (!parts) {
        return refused("not three parts");
    }
    if (const std::string problem = impl_->check_header(parts->header); !problem.empty()) {
        return refused(problem);
    }
    // Nothing of the payload is looked at before this.
    if (!impl_->is_ours(*parts)) {
        return refused("signature");
    }
    const std::optional<std::string> text = base64url_decode(parts->payload);
    if (!text) {
        return refused("payload encoding");
    }
    const Result<Json> payload = parse_object(*text, kClaimLimits);
    if (!payload) {
        return refused("payload syntax");
    }
    ClaimReader reader(*payload);
    Claims claims = impl_->read_claims(reader, wanted);
    impl_->check_times(reader);
    if (!reader.failed().empty()) {
        return refused(reader.failed());
    }
    return claims;
}

}  // namespace lab
