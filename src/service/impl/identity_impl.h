#pragma once
#include "service/identity.h"
#include "service/impl/credential_cache.h"
#include "service/impl/login_guard.h"
#include "storage/store/tokens.h"

#include <map>
#include <memory>
#include <mutex>

namespace lab::service {

/// One message for everything that is wrong with a credential: that of platform/crypto/jwt.h.
Error refuse_credential(std::string_view cause);

/// E-mail addresses are compared in this form.
std::string normal_email(std::string_view email);

struct Identity::Impl {
    Impl(IdentityConfig config, const Clock& clock, RandomSource& random, UuidSource& uuids);

    /// Of bearer and api_key credentials; other kinds never come here.
    enum class Kind : std::uint8_t { none, bearer, api_key, admin_key };
    struct Credential {
        Kind kind = Kind::none;
        std::string_view text;
    };
    static Result<Credential> read_credential(const Presented& presented);
    static std::string digest_of(const Credential& credential);
    Result<Caller> check_admin_key(const Presented& presented, std::string_view text) const;
    Result<Caller> check_token(
        const Ctx& ctx, storage::Session& session, std::string_view token, const std::string& digest
    );
    Result<Caller> check_key(
        const Ctx& ctx, storage::Session& session, std::string_view text, const std::string& digest
    );
    bool fits_key(std::string_view text, std::string_view hash) const;
    void note_used(const storage::ApiKey& key);
    void forget_here(const storage::Signal& signal);
    /// Here and, as soon as they hear of it, in other processes.
    void forget(storage::Signal::What what, std::string_view about);

    /// A pair of tokens of one login, and when the later of them expires.
    struct Pair {
        Json json;
        std::string refresh_jti;
        std::string expires_at;
    };
    Result<Pair> make_pair(const storage::User& user, const std::string& family, WallTime began);
    Result<std::string> make_access(
        const storage::User& user,
        const std::string& family,
        WallTime now,
        std::chrono::seconds life
    );
    /// In a transaction of the caller.
    Result<Json> begin_login(
        const Request& request, const storage::User& user, std::string_view new_hash
    );
    /// Whether the password is right; counts the attempt.
    Result<bool> try_password(
        const Request& request,
        const std::string& account,
        const storage::User* user,
        std::string_view password
    );
    /// In a transaction of the caller.
    Status end_for_reuse(const Request& request, const storage::LoginSession& login);

    struct Keys {
        Jwt jwt;
        std::string pepper;
        std::string pepper_previous;
        std::string admin_key_digest;
    };
    /// Those that count now; they may change between two calls.
    std::shared_ptr<const Keys> keys() const;
    void set_keys(IdentityKeys fresh);

    IdentityConfig config;  ///< but for its keys
    const Clock& clock;
    RandomSource& random;
    UuidSource& uuids;
    mutable std::mutex keys_mutex;
    std::shared_ptr<const Keys> kept_keys;
    std::string dummy_hash;  ///< belongs to no key
    CredentialCache cache;
    std::function<void(const storage::Signal&)> tell;
    LoginThrottle throttle;
    HashGate gate;

    struct Use {
        std::int64_t org = 0;
        std::string at;
    };
    std::mutex used_mutex;
    std::map<std::string, Use, std::less<>> used;  ///< by key, since maintain()
};

}  // namespace lab::service
