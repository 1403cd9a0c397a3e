#pragma once
#include "base/clock.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// JSON Web Tokens (RFC 7519 in the compact form of RFC 7515), as we issue them and no others.
///
/// Deliberately closed: one algorithm a deployment, chosen by configuration; a header of exactly
/// `alg` and `typ`; every claim present and of its type. Whatever a token says about how it wants
/// to be checked (other algorithms, keys, key locations) is a reason to refuse it. There is no way
/// to read a token without checking it.
enum class JwtAlgorithm : std::uint8_t { hs256, rs256, es256 };

enum class TokenType : std::uint8_t { access, refresh };

/// Claims we issue. Texts are UTF-8 without control characters.
struct Claims {
    std::string subject;             ///< `sub` and `user_id`: 1 to 128 bytes
    std::string email;               ///< at most 320 bytes, may be empty
    std::vector<std::string> roles;  ///< at most 32 of at most 64 bytes
    TokenType token_type = TokenType::access;
    std::string jti;     ///< the token's own id: 1 to 128 bytes
    std::string family;  ///< the login a refresh token descends from; needed in those
    std::string org;     ///< tenant, `org_id`; may be empty
    WallTime issued_at;  ///< whole seconds on the wire: `iat`, and `nbf`
    WallTime expires_at;
    bool operator==(const Claims&) const = default;
};

struct JwtConfig {
    JwtAlgorithm algorithm = JwtAlgorithm::hs256;
    /// HS256: at least 32 bytes (RFC 7518 section 3.2). The previous one still verifies.
    std::string secret;
    std::string secret_previous;
    /// RS256 (2048 to 8192 bits), ES256 (P-256): PEM. With a private key alone the public key is
    /// its own; with public keys alone this process verifies and cannot sign.
    std::string private_key_pem;
    std::string public_key_pem;
    std::string public_key_previous_pem;
    std::string issuer;
    std::string audience;
    std::chrono::seconds leeway{30};
};

/// Signs and verifies. Any thread; copies share the keys.
class Jwt {
  public:
    /// `clock` outlives all copies; only its wall time is asked.
    /// Errors: validation, and the message names no key material.
    static Result<Jwt> create(const JwtConfig& config, const Clock& clock);

    /// Errors: validation when the claims are not as described above or make more than 8 KiB;
    /// invalid_state when there is no key to sign with.
    Result<std::string> sign(const Claims& claims) const;

    /// The claims of a token of the wanted type that we signed, that has begun and has not expired
    /// (within the leeway). Whether it was revoked is the caller's question.
    /// Errors: unauthorized, always with the same message; `cause` says which check failed and
    /// nothing of what the token contains.
    Result<Claims> verify(std::string_view token, TokenType wanted) const;

  private:
    struct Impl;
    explicit Jwt(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

}  // namespace lab
