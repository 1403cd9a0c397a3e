#pragma once
#include "base/clock.h"
#include "base/result.h"
#include "platform/json/json.h"

#include <memory>
#include <string>
#include <string_view>

namespace lab {

/// The public keys of an OpenID provider (RFC 7517): those that can check RS256 (2048 to 8192 bits)
/// and ES256 (P-256). Others are left out. Copies share the keys; any thread.
class JwkSet {
  public:
    /// Errors: bad_request when it is no key set.
    static Result<JwkSet> parse(std::string_view text);
    JwkSet() = default;
    std::size_t size() const;

  private:
    friend Result<Json> verify_id_token(
        std::string_view, const JwkSet&, const struct IdTokenRules&, WallTime
    );
    struct Key;
    std::shared_ptr<const std::vector<Key>> keys_;
};

struct IdTokenRules {
    std::string issuer;
    std::string client_id;
    std::string nonce;
    std::chrono::seconds leeway{60};
};

/// The claims of an ID token, checked as OpenID Connect Core 1.0 section 3.1.3.7 asks: signed with
/// RS256 or ES256 by one of the keys, `iss`, `aud` (with `azp` where it has several), `exp`, `iat`,
/// `nbf`, `nonce`, and `sub` of 1 to 255 bytes. Where the token says that other keys are to be used
/// (jku, jwk, x5u) it is refused.
/// Errors: not_found when there is no key of this name: they may have been changed; unauthorized,
/// always with the same message, `cause` says which check failed and nothing of what it contains.
Result<Json> verify_id_token(
    std::string_view token, const JwkSet& keys, const IdTokenRules& rules, WallTime now
);

}  // namespace lab
