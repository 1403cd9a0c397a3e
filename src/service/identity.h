#pragma once
#include "platform/crypto/jwt.h"
#include "platform/crypto/password.h"
#include "platform/crypto/random.h"
#include "platform/json/json.h"
#include "service/cache_stats.h"
#include "service/caller.h"
#include "service/request.h"
#include "storage/cache/signals.h"
#include "storage/store/api_keys.h"
#include "storage/store/users.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// Who somebody is: credentials, logins, and how the first of them come to be.
namespace lab::service {

/// What a request says about who sends it; views live for the call. A header that came more than
/// once is given as RFC 9110 section 5.3 joins it, which makes it no valid credential.
struct Presented {
    std::optional<std::string_view> authorization;
    std::optional<std::string_view> api_key;    ///< X-API-Key
    std::optional<std::string_view> admin_key;  ///< X-Admin-Key
    bool is_admin_route = false;
    std::string_view ip;
    std::string_view user_agent;
    std::string_view request_id;
};

struct IdentityConfig {
    Jwt jwt;
    PasswordHasher hasher;
    std::string pepper;           ///< of API keys: at least 32 bytes
    std::string pepper_previous;  ///< keys made with it are still good; empty = none
    std::string admin_key;        ///< empty: nobody gets in by one
    std::chrono::seconds access_life{3600};
    std::chrono::seconds refresh_life{7 * 24 * 3600};
    std::chrono::seconds login_life_max{90 * 24 * 3600};  ///< however often it is refreshed
    /// How long a credential that was found good counts as good: what another process revokes is
    /// still accepted here so long, what this one revokes is not.
    Duration cache_life = std::chrono::milliseconds(1500);
    std::size_t cache_entries_max = 4096;
    std::size_t login_failures_max = 5;                   ///< of an account from a network ...
    std::chrono::seconds login_failures_window{15 * 60};  ///< ... in this time
    std::size_t login_entries_max = 16'384;
    int hashes_at_once_max = 2;  ///< each takes the memory of PasswordCost
    int hashes_waiting_max = 8;
};

/// What credentials are checked with, and new ones made.
struct IdentityKeys {
    Jwt jwt;
    std::string pepper;           ///< of API keys: at least 32 bytes
    std::string pepper_previous;  ///< as in IdentityConfig
    std::string admin_key;
};

/// An API key as it is made: `text` is shown once and never kept.
struct NewKey {
    std::string text;
    std::string prefix;
    std::string hash;
};

/// Made once in app. Any thread. Everything that is refused for its credential is `unauthorized`
/// with one message; `cause` says why, for the log, and holds nothing of the credential.
class Identity {
  public:
    /// What is referred to outlives it. Errors: validation when a life or the pepper is too short.
    static Result<std::unique_ptr<Identity>> create(
        IdentityConfig config, const Clock& clock, RandomSource& random, UuidSource& uuids
    );
    ~Identity();
    Identity(const Identity&) = delete;
    Identity& operator=(const Identity&) = delete;

    /// Who presents this, as far as it can be told without the store: nobody in particular, the
    /// operator, or a credential that was found good a moment ago. nullopt: ask authenticate().
    /// Never blocks. Errors: bad_request for two credentials at once; unauthorized.
    Result<std::optional<Caller>> recognize(const Presented& presented);

    /// Who presents this; anonymous without a credential.
    /// A token: signed by us, not expired, not revoked, of a login that has not ended, of a user
    /// who is active; roles are those of the user now. A key: known, active, not expired, of an
    /// active owner; grants what its scopes and its roles and its owner's roles all grant.
    /// Errors: as recognize(); those of the store, which say nothing about the credential.
    Result<Caller> authenticate(
        const Ctx& ctx, storage::Session& session, const Presented& presented
    );

    /// {access_token, refresh_token, token_type, expires_in, refresh_expires_in}. The time it takes
    /// and what it says do not tell whether there is such an account.
    /// Errors: unauthorized; rate_limited with `retry_after` in the details; unavailable.
    Result<Json> login(const Request& request, std::string_view account, std::string_view password);
    /// The same for somebody who has shown elsewhere who they are (OIDC).
    Result<Json> open_login(const Request& request, const storage::User& user);
    /// A new pair for a refresh token, which is dead from then on. One that is used twice ends its
    /// whole login. Errors: unauthorized.
    Result<Json> refresh(const Request& request, std::string_view refresh_token);
    /// Ends the login that the token of this header belongs to, and the token.
    /// Errors: unauthorized; bad_request for another kind of credential.
    Status logout(const Request& request, std::string_view authorization);
    /// What the caller is and may do. Errors: unauthorized when anonymous.
    Result<Json> me(const Request& request);

    /// An access token without a login, for `admin create-token`: {access_token, token_type,
    /// expires_in}. life: 60 s to 90 days. Errors: forbidden; not_found; invalid_state for a user
    /// who is not active; validation.
    Result<Json> create_token(
        const Request& request, std::string_view email, std::chrono::seconds life
    );

    /// For a store without users: a token that makes the first administrator, once and within the
    /// hour; an earlier one is void. nullopt: there are users. Only its hash is kept.
    Result<std::optional<std::string>> offer_bootstrap(const Ctx& ctx, storage::Session& session);
    /// Makes the first administrator. Errors: unauthorized; validation; conflict.
    Result<Json> bootstrap(
        const Request& request,
        std::string_view token,
        std::string_view email,
        std::string_view name,
        std::string_view password
    );

    // For the use cases of users and keys.

    /// Errors: validation (length), unavailable (too many at once).
    Result<std::string> hash_password(const Ctx& ctx, std::string_view password);
    /// Counts as an attempt to log in. Errors: unauthorized, rate_limited, unavailable.
    Status check_password(
        const Request& request, const storage::User& user, std::string_view password
    );
    NewKey make_key();
    /// After the change is committed: from here on this process does not take their word.
    void forget_user(std::string_view user_id);
    void forget_key(std::string_view key_id);

    /// Before anybody asks: is called with what was forgotten here (users, keys, logins), so that
    /// other processes forget it, too.
    void on_forgotten(std::function<void(const storage::Signal&)> tell);
    /// What another process has forgotten; tells nobody.
    void forget(const storage::Signal& signal);

    /// From here on these count, in place of those of the config: secrets that were rotated. What
    /// was found good a moment ago stays so for cache_life. Errors: as create().
    Status use(IdentityKeys keys);

    /// Now and then (every half minute): notes when keys were used, and forgets what has expired.
    Status maintain(const Ctx& ctx, storage::Session& session);

    /// Of credentials that were found good a moment ago.
    CacheStats cache_stats() const;

    std::string next_id();
    std::string now_text() const;

  private:
    struct Impl;
    explicit Identity(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// A secret that all processes of a store share ("api_key_pepper"): `configured`, or what was
/// generated once for this store.
Result<std::string> load_secret(
    const Ctx& ctx,
    storage::Session& session,
    RandomSource& random,
    std::string_view name,
    std::string_view configured
);

/// What a user may do by logging in; the role ServiceAccount counts for keys alone.
domain::PermissionSet login_rights(std::span<const domain::Role> roles);
/// What a key may do.
domain::PermissionSet key_rights(const storage::ApiKey& key, const storage::User& owner);

}  // namespace lab::service
