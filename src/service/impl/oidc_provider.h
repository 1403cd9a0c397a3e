#pragma once
#include "platform/crypto/id_token.h"
#include "service/oidc.h"

#include <mutex>

namespace lab::service {

/// The provider's side of a login: what it says of itself, its keys, its tokens. All of it is kept
/// for an hour; keys are asked for again when a token names one that is not there, which is
/// bounded. Any thread.
class OidcProvider {
  public:
    OidcProvider(const OidcConfig& config, WebFetch fetch, const Clock& clock);

    struct Endpoints {
        std::string authorization;
        std::string token;
        std::string keys;
        std::string userinfo;  ///< empty = none
        bool secret_in_body = false;
        bool names_itself = false;  ///< sends `iss` with the code
    };
    /// Errors: upstream_error, upstream_timeout.
    Result<Endpoints> endpoints(const Ctx& ctx);
    /// The checked claims of the ID token for a code, with those of the userinfo endpoint that it
    /// lacks. Errors: unauthorized; upstream_error, upstream_timeout.
    Result<Json> redeem(
        const Ctx& ctx,
        const std::string& code,
        const std::string& verifier,
        const std::string& nonce
    );

  private:
    /// Errors: upstream_error when the provider names a place it has no business with.
    Status check_place(const std::string& url) const;
    Result<Json> fetch_object(const Ctx& ctx, const WebRequest& request);
    Result<JwkSet> keys(const Ctx& ctx, bool again);
    Result<Json> verify(const Ctx& ctx, const std::string& token, const std::string& nonce);
    Status add_userinfo(const Ctx& ctx, const std::string& access_token, Json& claims);

    const OidcConfig& config_;
    WebFetch fetch_;
    const Clock& clock_;
    std::mutex mutex_;
    std::optional<Endpoints> endpoints_;
    TimePoint endpoints_until_{};
    JwkSet keys_;
    TimePoint keys_until_{};
    int refreshes_ = 0;  ///< since refreshes_from_
    TimePoint refreshes_from_{};
};

}  // namespace lab::service
