#include "storage/store/api_keys.h"

#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/list_text.h"
#include "storage/store/impl/queries.h"
#include "storage/store/impl/read_user.h"

namespace lab::storage {
namespace {

// The columns of read_key(), in its order.
#define LAB_KEY_COLUMNS                                                                     \
    "k.key, k.id, k.org, k.owner_id, k.name, k.key_prefix, k.key_hash, k.scopes, k.roles, " \
    "k.rate_limit_tier, k.is_active, k.expires_at, k.last_used_at, k.created_at "
constexpr int kKeyColumns = 14;

constexpr Query kCreate{"create_api_key", R"sql(
    INSERT INTO api_keys (
        id, org, owner_id, name, key_prefix, key_hash, scopes, roles, rate_limit_tier, is_active,
        expires_at, created_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    RETURNING key
)sql"};
constexpr Query kFind{
    "find_api_key", "SELECT " LAB_KEY_COLUMNS "FROM api_keys k WHERE k.org = $1 AND k.id = $2"
};
// Without a tenant: a key says itself whose it is.
constexpr Query kFindForCheck{
    "find_api_key_for_check",
    "SELECT " LAB_KEY_COLUMNS ", " LAB_USER_COLUMNS
    "FROM api_keys k "
    "JOIN users u ON u.id = k.owner_id AND u.org = k.org JOIN orgs o ON o.key = u.org "
    "WHERE k.key = COALESCE((SELECT key FROM api_keys WHERE key_prefix = $1), "
    "(SELECT MIN(key) FROM api_keys))"
};

// One optional condition: no value, no condition.
#define LAB_KEYS_MATCH                                                        \
    "WHERE k.org = $1 AND (CAST($2 AS BOOLEAN) IS NULL OR k.is_active = $2) " \
    "AND (CAST($3 AS TEXT) IS NULL OR k.owner_id = $3) "
constexpr Query kList{
    "list_api_keys",
    "SELECT " LAB_KEY_COLUMNS "FROM api_keys k " LAB_KEYS_MATCH
    "AND (CAST($4 AS TEXT) IS NULL OR (k.created_at, k.id) > ($4, $5)) "
    "ORDER BY k.created_at ASC, k.id ASC LIMIT $6 OFFSET $7"
};
constexpr Query kListDescending{
    "list_api_keys_desc",
    "SELECT " LAB_KEY_COLUMNS "FROM api_keys k " LAB_KEYS_MATCH
    "AND (CAST($4 AS TEXT) IS NULL OR (k.created_at, k.id) < ($4, $5)) "
    "ORDER BY k.created_at DESC, k.id DESC LIMIT $6 OFFSET $7"
};
constexpr Query kCount{"count_api_keys", LAB_COUNT_ROWS("FROM api_keys k " LAB_KEYS_MATCH)};
#undef LAB_KEYS_MATCH

constexpr Query kRevoke{"revoke_api_key", R"sql(
    UPDATE api_keys SET is_active = FALSE WHERE org = $1 AND id = $2 AND is_active = TRUE
)sql"};
constexpr Query kExpire{"expire_api_key", R"sql(
    UPDATE api_keys
    SET expires_at = CASE WHEN expires_at IS NULL OR expires_at > $3 THEN $3 ELSE expires_at END
    WHERE org = $1 AND id = $2 AND is_active = TRUE
)sql"};
constexpr Query kNoteUsed{"note_api_key_used", R"sql(
    UPDATE api_keys SET last_used_at = $3
    WHERE org = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)
)sql"};

constexpr const Query* kQueries[] = {
    &kCreate,
    &kFind,
    &kFindForCheck,
    &kList,
    &kListDescending,
    &kCount,
    &kRevoke,
    &kExpire,
    &kNoteUsed,
};

Result<ApiKey> read_key(const Row& row) {
    ApiKey out;
    out.key = row.integer(0);
    out.id = row.text(1);
    out.org = row.integer(2);
    out.owner_id = row.text(3);
    out.name = row.text(4);
    out.key_prefix = row.text(5);
    out.key_hash = row.blob(6);
    out.scopes = split_words(row.text(7));
    LAB_TRY(out.roles, split_roles(row.text(8)));
    const auto tier = domain::tier_from(row.text(9));
    if (!tier) {
        return Error(Code::internal, "a stored key has an unknown tier");
    }
    out.tier = *tier;
    out.is_active = row.integer(10) != 0;
    out.expires_at = row.text(11);
    out.last_used_at = row.text(12);
    out.created_at = row.text(13);
    return out;
}

std::vector<Value> conditions(std::int64_t org, const ApiKeyFilter& filter) {
    std::vector<Value> out(3, Value(nullptr));
    out[0] = org;
    if (filter.is_active) {
        out[1] = std::int64_t{*filter.is_active ? 1 : 0};
    }
    if (filter.owner) {
        out[2] = std::string_view(*filter.owner);
    }
    return out;
}

Value text_or_null(const std::string& text) {
    return text.empty() ? Value(nullptr) : Value(std::string_view(text));
}

}  // namespace

std::span<const Query* const> api_key_queries() { return kQueries; }

Status ApiKeys::create(const Ctx& ctx, ApiKey& key) {
    const std::string scopes = join_words(key.scopes);
    const std::string roles = join_roles(key.roles);
    const Value values[] = {
        std::string_view(key.id),
        key.org,
        std::string_view(key.owner_id),
        std::string_view(key.name),
        std::string_view(key.key_prefix),
        Blob{key.key_hash},
        std::string_view(scopes),
        std::string_view(roles),
        to_string(key.tier),
        std::int64_t{key.is_active ? 1 : 0},
        text_or_null(key.expires_at),
        std::string_view(key.created_at),
    };
    return session_.query(ctx, kCreate, values, [&](const Row& row) {
        key.key = row.integer(0);
        return ok();
    });
}

Result<std::optional<ApiKey>> ApiKeys::find(const Ctx& ctx, std::int64_t org, std::string_view id) {
    std::optional<ApiKey> out;
    const Value values[] = {org, id};
    LAB_CHECK(session_.query(ctx, kFind, values, [&](const Row& row) -> Status {
        LAB_TRY(out, read_key(row));
        return ok();
    }));
    return out;
}

Result<std::optional<KeyAndOwner>> ApiKeys::find_for_check(
    const Ctx& ctx, std::string_view key_prefix
) {
    std::optional<KeyAndOwner> out;
    const Value values[] = {key_prefix};
    LAB_CHECK(session_.query(ctx, kFindForCheck, values, [&](const Row& row) -> Status {
        out.emplace();
        LAB_TRY(out->key, read_key(row));
        LAB_TRY(out->owner, read_user(row, kKeyColumns));
        return ok();
    }));
    return out;
}

Result<std::vector<ApiKey>> ApiKeys::list(
    const Ctx& ctx, std::int64_t org, const ApiKeyFilter& filter, const ResourcePage& page
) {
    std::vector<Value> values = conditions(org, filter);
    values.resize(7, Value(nullptr));
    if (page.after) {
        values[3] = std::string_view(page.after->sort_value);
        values[4] = std::string_view(page.after->id);
    }
    values[5] = page.limit;
    values[6] = page.offset;
    std::vector<ApiKey> out;
    const Query& query = page.descending ? kListDescending : kList;
    LAB_CHECK(session_.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(out.emplace_back(), read_key(row));
        return ok();
    }));
    return out;
}

Result<RowCount> ApiKeys::count(const Ctx& ctx, std::int64_t org, const ApiKeyFilter& filter) {
    return count_rows(ctx, session_, kCount, conditions(org, filter));
}

Result<bool> ApiKeys::revoke(const Ctx& ctx, std::int64_t org, std::string_view id) {
    const Value values[] = {org, id};
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kRevoke, values));
    return changed == 1;
}

Result<bool> ApiKeys::expire(
    const Ctx& ctx, std::int64_t org, std::string_view id, std::string_view at
) {
    const Value values[] = {org, id, at};
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kExpire, values));
    return changed == 1;
}

Status ApiKeys::note_used(
    const Ctx& ctx, std::int64_t org, std::string_view id, std::string_view at
) {
    const Value values[] = {org, id, at};
    LAB_CHECK(session_.exec(ctx, kNoteUsed, values));
    return ok();
}

}  // namespace lab::storage
