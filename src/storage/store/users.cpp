#include "storage/store/users.h"

#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/list_text.h"
#include "storage/store/impl/queries.h"
#include "storage/store/impl/read_user.h"

namespace lab::storage {
namespace {

constexpr Query kCreate{"create_user", R"sql(
    INSERT INTO users (
        id, org, email, name, roles, rate_limit_tier, password_hash, is_active, revision,
        created_at, updated_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    RETURNING key
)sql"};
constexpr Query kFind{
    "find_user", "SELECT " LAB_USER_COLUMNS "FROM " LAB_USERS "WHERE u.org = $1 AND u.id = $2"
};
constexpr Query kFindByEmail{
    "find_user_by_email", "SELECT " LAB_USER_COLUMNS "FROM " LAB_USERS "WHERE u.email = $1"
};
constexpr Query kFindForToken{
    "find_user_for_token",
    "SELECT " LAB_USER_COLUMNS
    ", "
    "(SELECT COUNT(*) FROM revoked_tokens r WHERE r.jti = $2), "
    "(SELECT COUNT(*) FROM login_sessions s WHERE s.family = $3 AND s.user_id = u.id "
    "AND s.org = u.org AND s.ended_at IS NULL) "
    "FROM " LAB_USERS "WHERE u.id = $1"
};
constexpr Query kUpdate{"update_user", R"sql(
    UPDATE users
    SET email = $4, name = $5, roles = $6, rate_limit_tier = $7, password_hash = $8,
        is_active = $9, revision = revision + 1, updated_at = $10
    WHERE org = $1 AND id = $2 AND revision = $3
)sql"};
constexpr Query kNoteLogin{"note_login", R"sql(
    UPDATE users
    SET last_login_at = $3,
        password_hash = CASE WHEN $4 = '' THEN password_hash ELSE $4 END
    WHERE org = $1 AND id = $2
)sql"};

// One optional condition: no value, no condition.
#define LAB_USERS_MATCH                                                       \
    "WHERE u.org = $1 AND (CAST($2 AS BOOLEAN) IS NULL OR u.is_active = $2) " \
    "AND (CAST($3 AS TEXT) IS NULL OR u.roles LIKE $3 ESCAPE '\\') "          \
    "AND (CAST($4 AS TEXT) IS NULL OR u.email LIKE $4 ESCAPE '\\' "           \
    "OR lower(u.name) LIKE $4 ESCAPE '\\') "
constexpr Query kList{
    "list_users",
    "SELECT " LAB_USER_COLUMNS "FROM " LAB_USERS LAB_USERS_MATCH
    "AND (CAST($5 AS TEXT) IS NULL OR (u.created_at, u.id) > ($5, $6)) "
    "ORDER BY u.created_at ASC, u.id ASC LIMIT $7 OFFSET $8"
};
constexpr Query kListDescending{
    "list_users_desc",
    "SELECT " LAB_USER_COLUMNS "FROM " LAB_USERS LAB_USERS_MATCH
    "AND (CAST($5 AS TEXT) IS NULL OR (u.created_at, u.id) < ($5, $6)) "
    "ORDER BY u.created_at DESC, u.id DESC LIMIT $7 OFFSET $8"
};
constexpr Query kCount{"count_users", LAB_COUNT_ROWS("FROM users u " LAB_USERS_MATCH)};
#undef LAB_USERS_MATCH

constexpr Query kAny{"any_user", "SELECT 1 FROM users LIMIT 1"};
constexpr Query kLock{"lock_org", "UPDATE orgs SET name = name WHERE key = $1"};

constexpr const Query* kQueries[] = {
    &kCreate,
    &kFind,
    &kFindByEmail,
    &kFindForToken,
    &kUpdate,
    &kNoteLogin,
    &kList,
    &kListDescending,
    &kCount,
    &kAny,
    &kLock,
};

Result<std::optional<User>> read_one(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::optional<User> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(out, read_user(row, 0));
        return ok();
    }));
    return out;
}

/// The bound values of a filter; the patterns they point at live here.
class Conditions {
  public:
    Conditions(std::int64_t org, const UserFilter& filter) : org_(org), filter_(filter) {
        if (filter.role) {
            role_ = pattern_within(";" + std::string(to_string(*filter.role)) + ";");
        }
        if (filter.text) {
            text_ = pattern_within(*filter.text);
        }
    }
    std::vector<Value> values() const {
        std::vector<Value> out(4, Value(nullptr));
        out[0] = org_;
        if (filter_.is_active) {
            out[1] = std::int64_t{*filter_.is_active ? 1 : 0};
        }
        if (filter_.role) {
            out[2] = std::string_view(role_);
        }
        if (filter_.text) {
            out[3] = std::string_view(text_);
        }
        return out;
    }

  private:
    std::int64_t org_;
    const UserFilter& filter_;
    std::string role_;
    std::string text_;
};

}  // namespace

std::span<const Query* const> user_queries() { return kQueries; }

std::string join_roles(std::span<const domain::Role> roles) {
    std::vector<std::string> words;
    for (const domain::Role role : roles) {
        words.emplace_back(to_string(role));
    }
    return join_words(std::move(words));
}

Result<std::vector<domain::Role>> split_roles(std::string_view text) {
    std::vector<domain::Role> out;
    for (const std::string& word : split_words(text)) {
        const auto role = domain::role_from(word);
        if (!role) {
            return Error(Code::internal, "a stored role is unknown");
        }
        out.push_back(*role);
    }
    return out;
}

Result<User> read_user(const Row& row, int first) {
    User out;
    out.key = row.integer(first);
    out.id = row.text(first + 1);
    out.org = row.integer(first + 2);
    out.org_id = row.text(first + 3);
    out.email = row.text(first + 4);
    out.name = row.text(first + 5);
    LAB_TRY(out.roles, split_roles(row.text(first + 6)));
    const auto tier = domain::tier_from(row.text(first + 7));
    if (!tier) {
        return Error(Code::internal, "a stored user has an unknown tier");
    }
    out.tier = *tier;
    out.password_hash = row.text(first + 8);
    out.is_active = row.integer(first + 9) != 0;
    out.revision = row.integer(first + 10);
    out.last_login_at = row.text(first + 11);
    out.created_at = row.text(first + 12);
    out.updated_at = row.text(first + 13);
    return out;
}

Status Users::create(const Ctx& ctx, User& user) {
    const std::string roles = join_roles(user.roles);
    const Value values[] = {
        std::string_view(user.id),
        user.org,
        std::string_view(user.email),
        std::string_view(user.name),
        std::string_view(roles),
        to_string(user.tier),
        std::string_view(user.password_hash),
        std::int64_t{user.is_active ? 1 : 0},
        user.revision,
        std::string_view(user.created_at),
        std::string_view(user.updated_at),
    };
    return session_.query(ctx, kCreate, values, [&](const Row& row) {
        user.key = row.integer(0);
        return ok();
    });
}

Result<std::optional<User>> Users::find(const Ctx& ctx, std::int64_t org, std::string_view id) {
    const Value values[] = {org, id};
    return read_one(ctx, session_, kFind, values);
}

Result<std::optional<User>> Users::find_by_email(const Ctx& ctx, std::string_view email) {
    const Value values[] = {email};
    return read_one(ctx, session_, kFindByEmail, values);
}

Result<std::optional<TokenState>> Users::find_for_token(
    const Ctx& ctx, std::string_view user_id, std::string_view jti, std::string_view family
) {
    std::optional<TokenState> out;
    const Value values[] = {user_id, jti, family};
    LAB_CHECK(session_.query(ctx, kFindForToken, values, [&](const Row& row) -> Status {
        out.emplace();
        LAB_TRY(out->user, read_user(row, 0));
        out->is_revoked = row.integer(kUserColumns) != 0;
        out->session_alive = row.integer(kUserColumns + 1) != 0;
        return ok();
    }));
    return out;
}

Result<bool> Users::update(const Ctx& ctx, User& user) {
    const std::string roles = join_roles(user.roles);
    const Value values[] = {
        user.org,
        std::string_view(user.id),
        user.revision,
        std::string_view(user.email),
        std::string_view(user.name),
        std::string_view(roles),
        to_string(user.tier),
        std::string_view(user.password_hash),
        std::int64_t{user.is_active ? 1 : 0},
        std::string_view(user.updated_at),
    };
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kUpdate, values));
    user.revision += changed;
    return changed == 1;
}

Status Users::note_login(
    const Ctx& ctx,
    std::int64_t org,
    std::string_view id,
    std::string_view at,
    std::string_view password_hash
) {
    const Value values[] = {org, id, at, password_hash};
    LAB_CHECK(session_.exec(ctx, kNoteLogin, values));
    return ok();
}

Result<std::vector<User>> Users::list(
    const Ctx& ctx, std::int64_t org, const UserFilter& filter, const ResourcePage& page
) {
    const Conditions conditions(org, filter);
    std::vector<Value> values = conditions.values();
    values.resize(8, Value(nullptr));
    if (page.after) {
        values[4] = std::string_view(page.after->sort_value);
        values[5] = std::string_view(page.after->id);
    }
    values[6] = page.limit;
    values[7] = page.offset;
    std::vector<User> out;
    const Query& query = page.descending ? kListDescending : kList;
    LAB_CHECK(session_.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(out.emplace_back(), read_user(row, 0));
        return ok();
    }));
    return out;
}

Result<RowCount> Users::count(const Ctx& ctx, std::int64_t org, const UserFilter& filter) {
    const Conditions conditions(org, filter);
    return count_rows(ctx, session_, kCount, conditions.values());
}

Result<bool> Users::any(const Ctx& ctx) {
    bool out = false;
    LAB_CHECK(session_.query(ctx, kAny, {}, [&](const Row&) {
        out = true;
        return ok();
    }));
    return out;
}

Status Users::lock(const Ctx& ctx, std::int64_t org) {
    const Value values[] = {org};
    LAB_CHECK(session_.exec(ctx, kLock, values));
    return ok();
}

}  // namespace lab::storage
