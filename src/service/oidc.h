#pragma once
#include "domain/access.h"
#include "platform/crypto/random.h"
#include "platform/crypto/signing_keys.h"
#include "service/identity.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Login at an identity provider: OpenID Connect Core 1.0, the authorization code flow with PKCE
/// (RFC 7636, S256), state, nonce and the issuer's own name (RFC 9207).
namespace lab::service {

/// A request to the provider and its answer, whatever carries them.
struct WebRequest {
    std::string method;
    std::string url;
    std::string authorization;  ///< header; empty = none
    std::string form;           ///< body of a POST, form-encoded
};
struct WebAnswer {
    int status = 0;
    std::string body;
};
/// Errors: upstream_error, upstream_timeout.
using WebFetch = std::function<Result<WebAnswer>(const Ctx&, const WebRequest&)>;

struct OidcConfig {
    std::string issuer;  ///< exactly as the provider calls itself
    std::string client_id;
    std::string client_secret;  ///< empty: a public client
    std::string redirect_url;   ///< of GET /auth/oidc/callback
    std::string scopes = "openid email profile";
    std::vector<std::string> hosts;  ///< beside that of the issuer: of its tokens and keys
    std::string org = "default";     ///< tenant of who logs in
    std::string groups_claim = "groups";
    /// Who is in the group has the role. When there are any, roles follow the groups at each login.
    std::vector<std::pair<std::string, domain::Role>> role_map;
    std::optional<domain::Role> default_role;  ///< of new users whose groups give none
    std::vector<std::string> allowed_domains;  ///< of e-mail addresses, lower case; empty = all
    bool require_verified_email = true;
    bool plain_loopback = false;  ///< http:// on this machine is good enough
};

/// What the browser brings back.
struct OidcReturn {
    std::string state;
    std::string code;
    std::string error;
    std::string issuer;
    std::string cookie;  ///< the whole Cookie header
};

/// Made once in app. Any thread.
class OidcLogin {
  public:
    /// What is referred to outlives it. `signing`: of what the browser keeps.
    OidcLogin(
        OidcConfig config,
        Identity& identity,
        WebFetch fetch,
        const Clock& clock,
        RandomSource& random,
        const SigningKeys& signing
    );
    ~OidcLogin();

    struct Begun {
        std::string location;  ///< where the browser goes
        std::string cookie;    ///< value of Set-Cookie: binds the login to this browser
    };
    /// Errors: upstream_error, upstream_timeout when the provider is away or answers nonsense.
    Result<Begun> begin(const Ctx& ctx);

    /// Tokens as Identity::login gives them. A user is found by issuer and subject, else by a
    /// verified e-mail address in the tenant, else made.
    /// Errors: bad_request when the login was not begun in this browser or took too long;
    /// unauthorized when the provider or its token says no; forbidden for an e-mail address or
    /// groups that let nobody in; those of begin().
    Result<Json> finish(const Request& request, const OidcReturn& back);

    /// Set-Cookie that makes the browser forget.
    std::string forget_cookie() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::service
