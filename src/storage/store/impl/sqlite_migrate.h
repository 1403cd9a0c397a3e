#pragma once
#include "storage/store/impl/migrations.h"
#include "storage/store/impl/sqlite_session.h"

namespace lab::storage {

/// Applies what is missing of `migrations`, all in one transaction, and notes it with its SHA-256
/// in the ledger. Errors: unavailable (a newer schema, or one that was changed), io (the file is
/// another program's database).
Status migrate_sqlite(
    const Ctx& ctx, SqliteSession& session, std::span<const Migration> migrations
);

}  // namespace lab::storage
