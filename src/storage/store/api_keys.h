#pragma once
#include "domain/access.h"
#include "storage/store/row_count.h"
#include "storage/store/users.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// A key of the API as it is kept: what opens it is not here.
struct ApiKey {
    std::int64_t key = 0;  ///< the store's own number
    std::string id;        ///< UUID
    std::int64_t org = 1;  ///< tenant
    std::string owner_id;
    std::string name;
    std::string key_prefix;  ///< public; unique over all tenants
    std::string key_hash;    ///< 32 raw bytes
    std::vector<std::string> scopes;
    std::vector<domain::Role> roles;
    domain::Tier tier = domain::Tier::standard;
    bool is_active = true;
    std::string expires_at;    ///< empty = never
    std::string last_used_at;  ///< empty = never; may be a minute old
    std::string created_at;
};

/// Every condition that is set must hold.
struct ApiKeyFilter {
    std::optional<bool> is_active;
    std::optional<std::string> owner;
};

struct KeyAndOwner {
    ApiKey key;
    User owner;
};

/// Borrows the session; same thread rule.
class ApiKeys {
  public:
    explicit ApiKeys(Session& session) : session_(session) {}
    /// Gives it its number. Errors: conflict when the prefix is taken, or there is no such owner.
    Status create(const Ctx& ctx, ApiKey& key);
    Result<std::optional<ApiKey>> find(const Ctx& ctx, std::int64_t org, std::string_view id);
    /// For checking a key that somebody presents: the row with this prefix and its owner, or,
    /// **where there is none, another row**, so that both take the same work and time. The caller
    /// compares prefixes. nullopt: there are no keys at all.
    Result<std::optional<KeyAndOwner>> find_for_check(const Ctx& ctx, std::string_view key_prefix);
    /// By created_at; `page.sort` is not looked at.
    Result<std::vector<ApiKey>> list(
        const Ctx& ctx, std::int64_t org, const ApiKeyFilter& filter, const ResourcePage& page
    );
    Result<RowCount> count(const Ctx& ctx, std::int64_t org, const ApiKeyFilter& filter);
    /// false: it was not active, or is not there.
    Result<bool> revoke(const Ctx& ctx, std::int64_t org, std::string_view id);
    /// Lets it expire at this moment, if it would not before. false: it is not active.
    Result<bool> expire(const Ctx& ctx, std::int64_t org, std::string_view id, std::string_view at);
    /// Later than what is noted, or nothing changes.
    Status note_used(const Ctx& ctx, std::int64_t org, std::string_view id, std::string_view at);

  private:
    Session& session_;
};

}  // namespace lab::storage
