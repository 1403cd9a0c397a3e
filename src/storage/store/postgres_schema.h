#pragma once
#include "storage/store/postgres.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The schema of PostgreSQL: plain SQL in migrations/, remembered in the ledger of the tool
/// `sqlx` (table _sqlx_migrations, SHA-384 of the file, advisory lock), so that both can be used,
/// in any order. Source: sqlx 0.8, sqlx-postgres/src/migrate.rs and sqlx-core/src/migrate.
namespace lab::storage {

struct SchemaStep {
    enum class State : std::uint8_t {
        pending,
        installed,
        changed,  ///< installed from a file that is not ours
        unknown,  ///< installed by a newer release
        broken,   ///< begun and not finished, outside a transaction
    };
    std::int64_t version = 0;
    std::string name;
    State state = State::pending;
    bool operator==(const SchemaStep&) const = default;
};
std::string_view to_string(SchemaStep::State state);

/// Every step, by version. Errors: those of connecting.
Result<std::vector<SchemaStep>> list_postgres_schema(
    const Ctx& ctx, const PostgresOptions& options
);

/// Applies what is missing; gives those steps. Safe when several do it at once and when killed.
/// Errors: unavailable (a step is unknown, changed or broken; behind a pooler, which does not keep
/// the lock of a session; the server's own).
Result<std::vector<SchemaStep>> migrate_postgres(const Ctx& ctx, const PostgresOptions& options);

/// Undoes the last step, or, with `target`, all steps above it (0: all); gives those steps. The
/// data in what they had added is lost. Errors: as migrate_postgres(); validation when `target` is
/// no version.
Result<std::vector<SchemaStep>> revert_postgres(
    const Ctx& ctx, const PostgresOptions& options, std::optional<std::int64_t> target
);

}  // namespace lab::storage
