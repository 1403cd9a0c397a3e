#pragma once
#include "storage/store/impl/migrations.h"
#include "storage/store/impl/postgres_session.h"
#include "storage/store/postgres_schema.h"

namespace lab::storage {

/// The steps of `migrations` and what the ledger says of them, with those of the ledger that are
/// not among them. Errors: those of the session.
Result<std::vector<SchemaStep>> list_steps(
    const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations
);

/// Applies what is missing, step by step; gives what it did. Errors: as migrate_postgres().
Result<std::vector<SchemaStep>> apply_steps(
    const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations
);

/// Undoes the last step, or all above `target`. Errors: as revert_postgres().
Result<std::vector<SchemaStep>> revert_steps(
    const Ctx& ctx,
    PostgresSession& session,
    std::span<const Migration> migrations,
    std::optional<std::int64_t> target
);

/// Whether this program runs on the schema: it is the one that it knows, or a newer one that has
/// what it needs (docs/decisions/0012). Errors: unavailable, saying what to do.
Status check_steps(const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations);

/// sqlx's number of the lock that migrators of one database hold.
std::int64_t migration_lock(std::string_view database);

}  // namespace lab::storage
