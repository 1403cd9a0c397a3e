#pragma once
#include "storage/store/session.h"

#include <string>
#include <vector>

namespace lab::storage {

/// A database on its own: a file of SQLite, or PostgreSQL.
struct CopySide {
    Database* database = nullptr;
    bool is_postgres = false;
};

/// What became of one table. Hashes: SHA-256 over all rows in the order of their keys, with columns
/// by name; they do not depend on the kind of database.
struct TableCopied {
    std::string table;
    std::int64_t rows = 0;    ///< in the target
    std::int64_t copied = 0;  ///< of them by this call
    std::string hash_from;
    std::string hash_to;
    bool is_equal() const { return hash_from == hash_to; }
};

/// Copies every table of the store, parents first, in batches of some megabytes, and compares both
/// afterwards. The ledgers of schema steps are not copied: both sides must have the schema of this
/// program (Database::migrate).
///
/// The target has to be empty, or to hold nothing but rows that the source has too, so that a copy
/// that was killed goes on: that is looked at before anything is written. Nobody else should write
/// to either side meanwhile; who does makes the comparison fail, not the copy wrong unnoticed.
/// Errors: conflict when the target holds other rows, or the schemas are
/// not one; those of the sessions.
Result<std::vector<TableCopied>> copy_store(
    const Ctx& ctx, const CopySide& from, const CopySide& to
);

}  // namespace lab::storage
