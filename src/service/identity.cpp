#include "service/identity.h"

#include "base/text.h"
#include "base/time_text.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/sha256.h"
#include "service/impl/identity_impl.h"
#include "storage/store/settings_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::string_view kKeyStart = "llm-research_";
constexpr std::size_t kPrefixLetters = 8;
constexpr int kPrefixBits = 47;  // 8 letters of base62
constexpr int kSecretBits = 256;
constexpr std::size_t kSecretLettersMin = 43;
constexpr std::size_t kKeyBytesMax = 128;
constexpr std::size_t kPepperBytesMin = 32;
constexpr std::size_t kUsedMax = 10'000;
constexpr std::int64_t kPurgeRowsMax = 1000;

bool is_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool equals_fold(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    });
}

/// The public letters of a key, when the text has the form of one.
std::optional<std::string_view> prefix_of(std::string_view key) {
    if (!key.starts_with(kKeyStart) || key.size() > kKeyBytesMax) {
        return std::nullopt;
    }
    const std::string_view letters = key.substr(kKeyStart.size());
    if (letters.size() < kPrefixLetters + kSecretLettersMin ||
        !std::ranges::all_of(letters, is_letter)) {
        return std::nullopt;
    }
    return letters.substr(0, kPrefixLetters);
}

void fill_in(Caller& caller, const Presented& presented) {
    caller.ip = presented.ip;
    caller.user_agent = presented.user_agent;
    caller.request_id = presented.request_id;
}

Caller user_caller(const storage::User& user) {
    Caller out;
    out.kind = Caller::Kind::user;
    out.org = user.org;
    out.user_id = user.id;
    out.email = user.email;
    for (const domain::Role role : user.roles) {
        if (role != domain::Role::service_account) {
            out.roles.push_back(role);
        }
    }
    out.granted = login_rights(user.roles);
    out.tier = user.tier;
    return out;
}

Caller key_caller(const storage::ApiKey& key, const storage::User& owner) {
    Caller out;
    out.kind = Caller::Kind::api_key;
    out.org = key.org;
    out.user_id = owner.id;
    out.email = owner.email;
    for (const domain::Role role : key.roles) {
        const bool is_held = std::ranges::find(owner.roles, role) != owner.roles.end();
        if (is_held || role == domain::Role::service_account) {
            out.roles.push_back(role);
        }
    }
    out.granted = key_rights(key, owner);
    out.scopes = key.scopes;
    out.key_id = key.id;
    out.tier = key.tier;
    return out;
}

/// How long until a moment, an hour at most; zero when it has passed.
Duration until(WallTime moment, WallTime now) {
    constexpr std::chrono::hours kMost{1};
    return moment <= now          ? Duration::zero()
           : moment - now > kMost ? Duration(kMost)
                                  : Duration(moment - now);
}

/// The same for a moment that is kept as text, where none means never.
Duration until(std::string_view moment, WallTime now) {
    const auto parsed =
        moment.empty() ? std::optional(now + std::chrono::hours(1)) : parse_rfc3339(moment);
    return parsed ? until(*parsed, now) : Duration::zero();
}

Status check_peppers(std::string_view now, std::string_view previous) {
    const bool is_short =
        now.size() < kPepperBytesMin || (!previous.empty() && previous.size() < kPepperBytesMin);
    return is_short
               ? Status(Error(Code::validation, "the secret of API keys needs at least 32 bytes"))
               : ok();
}

}  // namespace

Error refuse_credential(std::string_view cause) {
    Error error(Code::unauthorized, "the credential is not valid");
    error.cause = "auth: " + std::string(cause);
    return error;
}

std::string normal_email(std::string_view email) { return to_lower(trim(email)); }

domain::PermissionSet login_rights(std::span<const domain::Role> roles) {
    std::vector<domain::Role> held;
    std::ranges::copy_if(roles, std::back_inserter(held), [](domain::Role role) {
        return role != domain::Role::service_account;
    });
    return domain::permissions_of(held);
}

domain::PermissionSet key_rights(const storage::ApiKey& key, const storage::User& owner) {
    return domain::permissions_of_scopes(key.scopes) & domain::permissions_of(key.roles) &
           domain::permissions_of(owner.roles);
}

Result<std::string> load_secret(
    const Ctx& ctx,
    storage::Session& session,
    RandomSource& random,
    std::string_view name,
    std::string_view configured
) {
    if (!configured.empty()) {
        return std::string(configured);
    }
    const std::string fresh = base64url_encode(random_bytes(random, kPepperBytesMin));
    return storage::ServiceSettings(session).put_if_absent(
        ctx, name, fresh, format_rfc3339(ctx.clock().wall())
    );
}

Identity::Impl::Impl(
    IdentityConfig config_, const Clock& clock_, RandomSource& random_, UuidSource& uuids_
)
    : config(std::move(config_)),
      clock(clock_),
      random(random_),
      uuids(uuids_),
      dummy_hash(random_bytes(random_, 32)),
      cache(clock_, config.cache_life, config.cache_entries_max),
      throttle(
          clock_, config.login_failures_max, config.login_failures_window, config.login_entries_max
      ),
      gate(config.hashes_at_once_max, config.hashes_waiting_max) {
    set_keys({config.jwt, config.pepper, config.pepper_previous, config.admin_key});
}

std::shared_ptr<const Identity::Impl::Keys> Identity::Impl::keys() const {
    const std::lock_guard lock(keys_mutex);
    return kept_keys;
}

void Identity::Impl::set_keys(IdentityKeys fresh) {
    auto now = std::make_shared<const Keys>(Keys{
        std::move(fresh.jwt),
        std::move(fresh.pepper),
        std::move(fresh.pepper_previous),
        fresh.admin_key.empty() ? "" : sha256(fresh.admin_key),
    });
    const std::lock_guard lock(keys_mutex);
    kept_keys = std::move(now);
}

Status Identity::use(IdentityKeys keys) {
    LAB_CHECK(check_peppers(keys.pepper, keys.pepper_previous));
    impl_->set_keys(std::move(keys));
    return ok();
}

Identity::Identity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Identity::~Identity() = default;

Result<std::unique_ptr<Identity>> Identity::create(
    IdentityConfig config, const Clock& clock, RandomSource& random, UuidSource& uuids
) {
    LAB_CHECK(check_peppers(config.pepper, config.pepper_previous));
    if (config.access_life < std::chrono::seconds(1) ||
        config.refresh_life < std::chrono::seconds(1) || config.hashes_at_once_max < 1) {
        return Error(Code::validation, "tokens need to live for a second at least");
    }
    return std::unique_ptr<Identity>(
        new Identity(std::make_unique<Impl>(std::move(config), clock, random, uuids))
    );
}

Result<Identity::Impl::Credential> Identity::Impl::read_credential(const Presented& presented) {
    const int count = static_cast<int>(presented.authorization.has_value()) +
                      static_cast<int>(presented.api_key.has_value()) +
                      static_cast<int>(presented.admin_key.has_value());
    if (count > 1) {
        return Error(Code::bad_request, "a request carries one credential, not several");
    }
    if (presented.admin_key) {
        return Credential{Kind::admin_key, *presented.admin_key};
    }
    if (presented.api_key) {
        return Credential{Kind::api_key, trim_ascii(*presented.api_key)};
    }
    if (!presented.authorization) {
        return Credential{};
    }
    const std::string_view header = trim_ascii(*presented.authorization);
    const std::size_t space = header.find(' ');
    const std::string_view scheme = header.substr(0, space);
    const std::string_view rest =
        space == header.npos ? std::string_view() : trim_ascii(header.substr(space));
    if (equals_fold(scheme, "bearer")) {
        return Credential{Kind::bearer, rest};
    }
    if (equals_fold(scheme, "apikey")) {
        return Credential{Kind::api_key, rest};
    }
    return refuse_credential("unknown scheme");
}

std::string Identity::Impl::digest_of(const Credential& credential) {
    Sha256 hash;
    hash.update(credential.kind == Kind::bearer ? "bearer:" : "api_key:");
    hash.update(credential.text);
    return hash.finish();
}

Result<Caller> Identity::Impl::check_admin_key(const Presented& presented, std::string_view text)
    const {
    // Compared even where it cannot be right; digests, so that the length is not told either.
    const auto keys_now = keys();
    const bool is_right = constant_time_equal(sha256(text), keys_now->admin_key_digest);
    if (keys_now->admin_key_digest.empty() || !presented.is_admin_route) {
        return refuse_credential("admin key where there is none");
    }
    if (!is_right) {
        return refuse_credential("wrong admin key");
    }
    Caller out;
    out.kind = Caller::Kind::admin_key;
    out.roles = {domain::Role::admin};
    out.granted.set();
    out.tier = domain::Tier::unlimited;
    return out;
}

Result<std::optional<Caller>> Identity::recognize(const Presented& presented) {
    LAB_TRY(const Impl::Credential credential, Impl::read_credential(presented));
    std::optional<Caller> out;
    switch (credential.kind) {
        case Impl::Kind::none:
            out.emplace();
            break;
        case Impl::Kind::admin_key: {
            LAB_TRY(out, impl_->check_admin_key(presented, credential.text));
            break;
        }
        case Impl::Kind::api_key:
            if (!prefix_of(credential.text)) {
                return refuse_credential("not the form of an API key");
            }
            [[fallthrough]];
        case Impl::Kind::bearer:
            out = impl_->cache.find(Impl::digest_of(credential));
            break;
    }
    if (out) {
        fill_in(*out, presented);
    }
    return out;
}

Result<Caller> Identity::authenticate(
    const Ctx& ctx, storage::Session& session, const Presented& presented
) {
    LAB_TRY(std::optional<Caller> known, recognize(presented));
    if (known) {
        return *std::move(known);
    }
    LAB_TRY(const Impl::Credential credential, Impl::read_credential(presented));
    const std::string digest = Impl::digest_of(credential);
    LAB_TRY(
        Caller out,
        credential.kind == Impl::Kind::bearer
            ? impl_->check_token(ctx, session, credential.text, digest)
            : impl_->check_key(ctx, session, credential.text, digest)
    );
    fill_in(out, presented);
    return out;
}

Result<Caller> Identity::Impl::check_token(
    const Ctx& ctx, storage::Session& session, std::string_view token, const std::string& digest
) {
    const std::uint64_t generation = cache.generation();
    LAB_TRY(const Claims claims, keys()->jwt.verify(token, TokenType::access));
    storage::Users users(session);
    LAB_TRY(const auto state, users.find_for_token(ctx, claims.subject, claims.jti, claims.family));
    if (!state) {
        return refuse_credential("jwt: unknown user");
    }
    if (state->is_revoked || !state->session_alive) {
        return refuse_credential("jwt: revoked");
    }
    if (!state->user.is_active) {
        return refuse_credential("jwt: the user is not active");
    }
    if (claims.org != state->user.org_id) {
        return refuse_credential("jwt: another tenant");
    }
    Caller out = user_caller(state->user);
    out.token_id = claims.jti;
    const Duration life = until(claims.expires_at, clock.wall());
    cache.put(digest, out, claims.family, life, generation);
    return out;
}

bool Identity::Impl::fits_key(std::string_view text, std::string_view hash) const {
    const auto keys_now = keys();
    bool fits = constant_time_equal(hmac_sha256(keys_now->pepper, text), hash);
    if (!keys_now->pepper_previous.empty()) {
        // Always both, so that the time does not tell with which a key was made.
        const bool fits_previous =
            constant_time_equal(hmac_sha256(keys_now->pepper_previous, text), hash);
        fits = fits || fits_previous;
    }
    return fits;
}

Result<Caller> Identity::Impl::check_key(
    const Ctx& ctx, storage::Session& session, std::string_view text, const std::string& digest
) {
    const std::uint64_t generation = cache.generation();
    const auto prefix = prefix_of(text);
    if (!prefix) {
        return refuse_credential("not the form of an API key");
    }
    LAB_TRY(const auto found, storage::ApiKeys(session).find_for_check(ctx, *prefix));
    // Where there is no such key another row came back, and a hash that fits nothing is compared:
    // unknown and wrong keys take the same time.
    const bool is_known = found && found->key.key_prefix == *prefix;
    if (!fits_key(text, is_known ? found->key.key_hash : dummy_hash) || !is_known) {
        return refuse_credential("unknown or wrong API key");
    }
    const auto& [key, owner] = *found;
    const Duration life = until(key.expires_at, clock.wall());
    if (!key.is_active || life == Duration::zero()) {
        return refuse_credential("the API key is revoked or expired");
    }
    if (!owner.is_active) {
        return refuse_credential("the owner of the API key is not active");
    }
    note_used(key);
    Caller out = key_caller(key, owner);
    cache.put(digest, out, "", life, generation);
    return out;
}

/// Written by maintain(): whoever only reads need not wait for who writes.
void Identity::Impl::note_used(const storage::ApiKey& key) {
    const std::lock_guard lock(used_mutex);
    if (used.size() < kUsedMax || used.contains(key.id)) {
        used[key.id] = {key.org, format_rfc3339(clock.wall())};
    }
}

NewKey Identity::make_key() {
    NewKey out;
    out.prefix = random_base62(impl_->random, kPrefixBits);
    out.text = std::string(kKeyStart) + out.prefix + random_base62(impl_->random, kSecretBits);
    LAB_ASSERT(prefix_of(out.text) == out.prefix, "a key has the form of a key");
    out.hash = hmac_sha256(impl_->keys()->pepper, out.text);
    return out;
}

void Identity::Impl::forget_here(const storage::Signal& signal) {
    switch (signal.what) {
        case storage::Signal::What::user:
            cache.forget_user(signal.about);
            break;
        case storage::Signal::What::key:
            cache.forget_key(signal.about);
            break;
        case storage::Signal::What::login:
            cache.forget_login(signal.about);
            break;
        case storage::Signal::What::switches:
        case storage::Signal::What::cache:
            break;  // no credentials
    }
}

void Identity::Impl::forget(storage::Signal::What what, std::string_view about) {
    const storage::Signal signal{what, std::string(about)};
    forget_here(signal);
    if (tell) {
        tell(signal);
    }
}

void Identity::forget_user(std::string_view user_id) {
    impl_->forget(storage::Signal::What::user, user_id);
}
void Identity::forget_key(std::string_view key_id) {
    impl_->forget(storage::Signal::What::key, key_id);
}
void Identity::on_forgotten(std::function<void(const storage::Signal&)> tell) {
    impl_->tell = std::move(tell);
}
void Identity::forget(const storage::Signal& signal) { impl_->forget_here(signal); }
CacheStats Identity::cache_stats() const { return impl_->cache.stats(); }
std::string Identity::next_id() { return impl_->uuids.next(); }
std::string Identity::now_text() const { return format_rfc3339(impl_->clock.wall()); }

Status Identity::maintain(const Ctx& ctx, storage::Session& session) {
    std::map<std::string, Impl::Use, std::less<>> used;
    {
        const std::lock_guard lock(impl_->used_mutex);
        used.swap(impl_->used);
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    storage::ApiKeys keys(session);
    for (const auto& [id, use] : used) {
        LAB_CHECK(keys.note_used(ctx, use.org, id, use.at));
    }
    // Tokens count a little longer than they say: the leeway of their check.
    const std::string before = format_rfc3339(impl_->clock.wall() - std::chrono::minutes(10));
    LAB_CHECK(storage::LoginSessions(session).purge(ctx, before, kPurgeRowsMax));
    LAB_CHECK(storage::RevokedTokens(session).purge(ctx, before, kPurgeRowsMax));
    return transaction.commit(ctx);
}

Result<Json> Identity::me(const Request& request) {
    const Caller& caller = request.caller;
    if (caller.kind == Caller::Kind::anonymous) {
        return Error(Code::unauthorized, "a credential is needed");
    }
    Json roles = Json::array();
    for (const domain::Role role : caller.roles) {
        roles.push_back(to_string(role));
    }
    Json permissions = Json::array();
    for (std::size_t i = 0; i < domain::kPermissions; ++i) {
        if (caller.granted[i]) {
            permissions.push_back(to_string(static_cast<domain::Permission>(i)));
        }
    }
    Json out = {{"id", nullptr}, {"email", nullptr}, {"name", nullptr}};
    if (!caller.user_id.empty()) {
        LAB_TRY(
            const auto user,
            storage::Users(request.session).find(request.ctx, caller.org, caller.user_id)
        );
        out["id"] = caller.user_id;
        out["email"] = caller.email;
        out["name"] = user ? Json(user->name) : Json();
    }
    const bool is_key = caller.kind == Caller::Kind::api_key;
    out["credential"] = is_key                                   ? "api_key"
                        : caller.kind == Caller::Kind::user      ? "token"
                        : caller.kind == Caller::Kind::admin_key ? "admin_key"
                                                                 : "local";
    out["roles"] = roles;
    out["permissions"] = permissions;
    out["scopes"] = is_key ? Json(caller.scopes) : Json();
    out["rate_limit_tier"] = to_string(caller.tier);
    return out;
}

}  // namespace lab::service
