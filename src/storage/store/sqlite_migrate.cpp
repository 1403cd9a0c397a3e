#include "storage/store/impl/sqlite_migrate.h"

#include "base/clock.h"
#include "platform/crypto/sha256.h"
#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

/// "LLMR": marks the file as ours (PRAGMA application_id).
constexpr std::int64_t kApplicationId = 0x4c4c4d52;

constexpr Query kApplication{"application_id", "SELECT application_id FROM pragma_application_id"};
constexpr Query kCountTables{"count_tables", "SELECT COUNT(*) FROM sqlite_schema"};
constexpr Query kBrokenReferences{
    "broken_references", "SELECT COUNT(*) FROM pragma_foreign_key_check"
};
constexpr Query kApplied{"applied_migrations", R"sql(
    SELECT version, description, checksum FROM _migrations ORDER BY version
)sql"};
constexpr Query kNote{"note_migration", R"sql(
    INSERT INTO _migrations (version, description, installed_on, success, checksum, execution_time)
    VALUES ($1, $2, $3, 1, $4, $5)
)sql"};

constexpr std::string_view kCreateLedger = R"sql(
PRAGMA application_id = 0x4c4c4d52;
CREATE TABLE _migrations (
    version INTEGER PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TEXT NOT NULL,
    success INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    execution_time INTEGER NOT NULL
) STRICT;
)sql";

constexpr const Query* kQueries[] = {
    &kApplication, &kCountTables, &kBrokenReferences, &kApplied, &kNote
};

Result<std::int64_t> number(const Ctx& ctx, Session& session, const Query& query) {
    std::int64_t out = 0;
    LAB_CHECK(session.query(ctx, query, {}, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    }));
    return out;
}

/// Whether the ledger is there. A database of somebody else is refused: we would not want others to
/// add tables to ours.
Result<bool> is_ours(const Ctx& ctx, SqliteSession& session) {
    LAB_TRY(const std::int64_t application, number(ctx, session, kApplication));
    if (application == kApplicationId) {
        return true;
    }
    LAB_TRY(const std::int64_t tables, number(ctx, session, kCountTables));
    if (application == 0 && tables == 0) {
        return false;
    }
    return Error(
        Code::io,
        session.path() +
            " is a database of another program: move it away, or set LLM_RESEARCH_HOME to another "
            "folder"
    );
}

/// The number of migrations that are applied, after comparing them with ours.
Result<std::size_t> count_applied(
    const Ctx& ctx, SqliteSession& session, std::span<const Migration> migrations
) {
    std::size_t count = 0;
    LAB_CHECK(session.query(ctx, kApplied, {}, [&](const Row& row) -> Status {
        const std::int64_t version = row.integer(0);
        if (count >= migrations.size()) {
            return Error(
                Code::unavailable,
                session.path() + " was written by a newer version of this program (schema " +
                    std::to_string(version) + ", this one knows " +
                    std::to_string(migrations.size()) +
                    "): update llm-research, or set LLM_RESEARCH_HOME to another folder"
            );
        }
        const Migration& ours = migrations[count];
        if (version != ours.version || row.blob(2) != sha256(ours.sql)) {
            return Error(
                Code::unavailable,
                session.path() + " was written by another build of this program: step " +
                    std::to_string(version) + " (" + std::string(row.text(1)) +
                    ") of its schema is not ours. Use that build, or set LLM_RESEARCH_HOME to "
                    "another folder"
            );
        }
        ++count;
        return ok();
    }));
    return count;
}

Status check_references(const Ctx& ctx, SqliteSession& session) {
    LAB_TRY(const std::int64_t broken, number(ctx, session, kBrokenReferences));
    return broken == 0
               ? ok()
               : Status(Error(Code::internal, "a migration leaves rows without their parents"));
}

Status apply(const Ctx& ctx, SqliteSession& session, const Migration& migration) {
    const TimePoint start = ctx.clock().now();
    LAB_CHECK(session.run_script(ctx, migration.name, migration.sql));
    const Duration took = ctx.clock().now() - start;
    const std::string at = format_rfc3339(ctx.clock().wall());
    const std::string checksum = sha256(migration.sql);
    const Value values[] = {
        std::int64_t{migration.version},
        migration.name,
        std::string_view(at),
        Blob{checksum},
        std::int64_t{took.count()},
    };
    LAB_CHECK(session.exec(ctx, kNote, values));
    return ok();
}

}  // namespace

std::span<const Query* const> migration_queries() { return kQueries; }

Status migrate_sqlite(
    const Ctx& ctx, SqliteSession& session, std::span<const Migration> migrations
) {
    // Most of the time there is nothing to do, and nobody to wait for.
    LAB_TRY(const bool ours, is_ours(ctx, session));
    if (ours) {
        LAB_TRY(const std::size_t count, count_applied(ctx, session, migrations));
        if (count == migrations.size()) {
            return ok();
        }
    }
    // A table that is made anew is dropped on the way, which must not take what refers to it along;
    // no effect inside a transaction (https://www.sqlite.org/lang_altertable.html, section 7).
    LAB_CHECK(session.run_script(ctx, "pragma", "PRAGMA foreign_keys = OFF"));
    // From here on alone: another process that has done it meanwhile is seen now.
    LAB_CHECK(session.begin_exclusive(ctx));
    struct Undo {
        SqliteSession* session;
        ~Undo() {
            if (session != nullptr) {
                session->rollback();
            }
        }
    } undo{&session};
    LAB_TRY(const bool made, is_ours(ctx, session));
    if (!made) {
        LAB_CHECK(session.run_script(ctx, "create_ledger", kCreateLedger));
    }
    LAB_TRY(const std::size_t applied, count_applied(ctx, session, migrations));
    for (const Migration& migration : migrations.subspan(applied)) {
        LAB_CHECK(apply(ctx, session, migration));
    }
    LAB_CHECK(check_references(ctx, session));
    LAB_CHECK(session.commit(ctx));
    undo.session = nullptr;
    return session.run_script(ctx, "pragma", "PRAGMA foreign_keys = ON");
}

}  // namespace lab::storage
