#pragma once
#include "storage/store/users.h"

namespace lab::storage {

// The columns of read_user(), in its order, of the tables below.
#define LAB_USER_COLUMNS                                                      \
    "u.key, u.id, u.org, o.id, u.email, u.name, u.roles, u.rate_limit_tier, " \
    "u.password_hash, u.is_active, u.revision, u.last_login_at, u.created_at, u.updated_at "
#define LAB_USERS "users u JOIN orgs o ON o.key = u.org "
inline constexpr int kUserColumns = 14;

/// `first`: where its columns begin in the row. Errors: internal when what is stored is not ours.
Result<User> read_user(const Row& row, int first);

std::string join_roles(std::span<const domain::Role> roles);
Result<std::vector<domain::Role>> split_roles(std::string_view text);

}  // namespace lab::storage
