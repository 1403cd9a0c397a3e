#pragma once
#include <span>
#include <string_view>

namespace lab::storage {

/// A step of the schema: a file <version>_<name>.sql beside its driver, embedded when building.
struct Migration {
    int version;  ///< 1.., ascending, without gaps
    std::string_view name;
    std::string_view sql;
};

/// src/storage/store/sqlite/*.sql
std::span<const Migration> sqlite_migrations();

}  // namespace lab::storage
