#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace lab::storage {

/// A step of the schema: a file <version>_<name>.sql beside its driver, or a pair in migrations/,
/// embedded when building.
struct Migration {
    std::int64_t version;  ///< 1.., ascending
    std::string_view name;
    std::string_view sql;
    std::string_view undo = {};  ///< of PostgreSQL alone
};

/// src/storage/store/sqlite/*.sql
std::span<const Migration> sqlite_migrations();
/// migrations/*.up.sql with their *.down.sql
std::span<const Migration> postgres_migrations();

}  // namespace lab::storage
