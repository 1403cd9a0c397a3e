#include "storage/store/impl/postgres_migrate.h"

#include "platform/crypto/sha384.h"
#include "storage/store/impl/queries.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace lab::storage {
namespace {

using State = SchemaStep::State;

constexpr std::string_view kNoTransaction = "-- no-transaction";

constexpr Query kDatabaseName{"database_name", "SELECT current_database()"};
constexpr Query kLedgerExists{"ledger_exists", R"sql(
    SELECT to_regclass('_sqlx_migrations') IS NOT NULL
)sql"};
constexpr Query kCreateLedger{"create_ledger", R"sql(
    CREATE TABLE IF NOT EXISTS _sqlx_migrations (
        version BIGINT PRIMARY KEY,
        description TEXT NOT NULL,
        installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
        success BOOLEAN NOT NULL,
        checksum BYTEA NOT NULL,
        execution_time BIGINT NOT NULL
    )
)sql"};
constexpr Query kInstalled{"installed_steps", R"sql(
    SELECT version, description, checksum, success FROM _sqlx_migrations ORDER BY version
)sql"};
constexpr Query kNote{"note_step", R"sql(
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES ($1, $2, TRUE, $3, -1)
)sql"};
constexpr Query kNoteTime{"note_step_time", R"sql(
    UPDATE _sqlx_migrations SET execution_time = $2 WHERE version = $1
)sql"};
constexpr Query kForget{"forget_step", "DELETE FROM _sqlx_migrations WHERE version = $1"};
// A step that takes something away says which step a program must know that can do without it.
constexpr Query kSchemaNeeds{
    "schema_needs", "SELECT value FROM service_settings WHERE name = 'schema_needs'"
};
constexpr Query kUnlock{"unlock_schema", "SELECT pg_advisory_unlock($1)"};
// Asked again and again: to wait for the lock itself would end with the limit for a statement.
constexpr Query kLockOrWait{"wait_for_schema", R"sql(
    SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 * LENGTH(pg_sleep(0.1)::TEXT) END
)sql"};

constexpr const Query* kQueries[] = {
    &kDatabaseName,
    &kLedgerExists,
    &kCreateLedger,
    &kInstalled,
    &kNote,
    &kNoteTime,
    &kForget,
    &kSchemaNeeds,
    &kUnlock,
    &kLockOrWait,
};

std::string described(std::string_view name) {
    std::string out(name);
    std::ranges::replace(out, '_', ' ');
    return out;
}

Result<bool> asks(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    bool out = false;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) {
        out = row.integer(0) != 0;
        return ok();
    }));
    return out;
}

/// Held by whoever changes the schema, as sqlx holds it.
class SchemaLock {
  public:
    static Result<SchemaLock> acquire(const Ctx& ctx, PostgresSession& session) {
        if (session.is_pooled()) {
            return Error(
                Code::unavailable,
                "the schema is changed over a direct connection: this one goes through a pooler, "
                "which does not keep locks. Give the address of the server itself"
            );
        }
        std::string name;
        LAB_CHECK(session.query(ctx, kDatabaseName, {}, [&](const Row& row) {
            name = row.text(0);
            return ok();
        }));
        const std::int64_t number = migration_lock(name);
        const Value values[] = {number};
        for (;;) {
            LAB_TRY(const bool locked, asks(ctx, session, kLockOrWait, values));
            if (locked) {
                return SchemaLock(ctx, session, number);
            }
        }
    }
    SchemaLock(SchemaLock&& other) noexcept
        : ctx_(other.ctx_),
          session_(std::exchange(other.session_, nullptr)),
          number_(other.number_) {}
    SchemaLock& operator=(SchemaLock&&) = delete;
    ~SchemaLock() {
        if (session_ != nullptr) {
            // A connection that is gone has let go of it already.
            const Value values[] = {number_};
            std::ignore = asks(*ctx_, *session_, kUnlock, values);
        }
    }

  private:
    SchemaLock(const Ctx& ctx, PostgresSession& session, std::int64_t number)
        : ctx_(&ctx), session_(&session), number_(number) {}
    const Ctx* ctx_;
    PostgresSession* session_;
    std::int64_t number_;
};

Error refused(const SchemaStep& step) {
    const std::string words = "step " + std::to_string(step.version) + " (" + step.name + ")";
    switch (step.state) {
        case State::unknown:
            return {
                Code::unavailable,
                "the database was migrated by a newer version of this program: it knows no " +
                    words + ". Use that version"
            };
        case State::broken:
            return {
                Code::unavailable,
                words +
                    " of the schema was begun and not finished: bring the database into order by "
                    "hand, then take the step out of _sqlx_migrations"
            };
        default:
            return {
                Code::unavailable,
                words +
                    " of the schema was installed from another file than ours: use the build it "
                    "comes from"
            };
    }
}

Status check_usable(std::span<const SchemaStep> steps) {
    for (const SchemaStep& step : steps) {
        if (step.state != State::installed && step.state != State::pending) {
            return refused(step);
        }
    }
    return ok();
}

/// Rolling back undoes programs, not the schema: one that is newer will do, as long as its steps
/// have only added, or taken away what a program of step `last` does not need any more.
Status check_newer(
    const Ctx& ctx, PostgresSession& session, const SchemaStep& newest, std::int64_t last
) {
    std::int64_t needs = 0;
    LAB_CHECK(session.query(ctx, kSchemaNeeds, {}, [&](const Row& row) {
        const std::string_view text = row.text(0);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), needs);
        // What cannot be read was written by one who knows better.
        if (error != std::errc() || end != text.data() + text.size()) {
            needs = std::numeric_limits<std::int64_t>::max();
        }
        return ok();
    }));
    return needs <= last ? ok() : Status(refused(newest));
}

/// Runs a file, and `note` with it, in one transaction unless its first line says otherwise.
Status run_file(
    const Ctx& ctx,
    PostgresSession& session,
    std::string_view name,
    std::string_view sql,
    const Query& note,
    std::span<const Value> values
) {
    if (sql.starts_with(kNoTransaction)) {
        LAB_CHECK(session.run_script(ctx, name, sql));
        LAB_CHECK(session.exec(ctx, note, values));
        return ok();
    }
    LAB_TRY(auto transaction, Transaction::begin(ctx, session));
    LAB_CHECK(session.run_script(ctx, name, sql));
    LAB_CHECK(session.exec(ctx, note, values));
    return transaction.commit(ctx);
}

Status apply(const Ctx& ctx, PostgresSession& session, const Migration& migration) {
    const TimePoint start = ctx.clock().now();
    const std::string checksum = sha384(migration.sql);
    const std::string description = described(migration.name);
    const Value values[] = {migration.version, std::string_view(description), Blob{checksum}};
    LAB_CHECK(run_file(ctx, session, migration.name, migration.sql, kNote, values));
    const Duration took = ctx.clock().now() - start;
    const Value time[] = {migration.version, std::int64_t{took.count()}};
    LAB_CHECK(session.exec(ctx, kNoteTime, time));
    return ok();
}

}  // namespace

std::span<const Query* const> postgres_migration_queries() { return kQueries; }

std::string_view to_string(SchemaStep::State state) {
    switch (state) {
        case State::pending:
            return "pending";
        case State::installed:
            return "installed";
        case State::changed:
            return "installed (different checksum)";
        case State::unknown:
            return "installed (unknown here)";
        case State::broken:
            return "begun and not finished";
    }
    return "";
}

std::int64_t migration_lock(std::string_view database) {
    const auto checksum = crc32(
        crc32(0, nullptr, 0),
        reinterpret_cast<const unsigned char*>(database.data()),
        static_cast<unsigned int>(database.size())
    );
    return std::int64_t{0x3d32ad9e} * static_cast<std::int64_t>(checksum);
}

Result<std::vector<SchemaStep>> list_steps(
    const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations
) {
    std::vector<SchemaStep> out;
    for (const Migration& one : migrations) {
        out.push_back({.version = one.version, .name = described(one.name)});
    }
    LAB_TRY(const bool has_ledger, asks(ctx, session, kLedgerExists, {}));
    if (!has_ledger) {
        return out;
    }
    LAB_CHECK(session.query(ctx, kInstalled, {}, [&](const Row& row) {
        const std::int64_t version = row.integer(0);
        const auto ours = std::ranges::find(migrations, version, &Migration::version);
        const bool is_ours = ours != migrations.end();
        SchemaStep& step =
            is_ours ? out[static_cast<std::size_t>(ours - migrations.begin())]
                    : out.emplace_back(SchemaStep{version, std::string(row.text(1)), {}});
        if (row.integer(3) == 0) {
            step.state = State::broken;
        } else if (!is_ours) {
            step.state = State::unknown;
        } else {
            step.state = row.blob(2) == sha384(ours->sql) ? State::installed : State::changed;
        }
        return ok();
    }));
    std::ranges::sort(out, {}, &SchemaStep::version);
    return out;
}

Result<std::vector<SchemaStep>> apply_steps(
    const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations
) {
    std::vector<SchemaStep> done;
    LAB_TRY(const SchemaLock lock, SchemaLock::acquire(ctx, session));
    LAB_CHECK(session.exec(ctx, kCreateLedger, {}));
    LAB_TRY(auto steps, list_steps(ctx, session, migrations));
    LAB_CHECK(check_usable(steps));
    for (SchemaStep& step : steps) {
        if (step.state == State::pending) {
            const auto ours = std::ranges::find(migrations, step.version, &Migration::version);
            LAB_CHECK(apply(ctx, session, *ours));
            step.state = State::installed;
            done.push_back(step);
        }
    }
    return done;
}

Result<std::vector<SchemaStep>> revert_steps(
    const Ctx& ctx,
    PostgresSession& session,
    std::span<const Migration> migrations,
    std::optional<std::int64_t> target
) {
    const std::int64_t keep = target.value_or(0);
    if (target && keep != 0 &&
        std::ranges::find(migrations, keep, &Migration::version) == migrations.end()) {
        return Error(
            Code::validation,
            "there is no step " + std::to_string(keep) + " of the schema: 0 undoes all of them"
        );
    }
    std::vector<SchemaStep> done;
    LAB_TRY(const SchemaLock lock, SchemaLock::acquire(ctx, session));
    LAB_TRY(auto steps, list_steps(ctx, session, migrations));
    LAB_CHECK(check_usable(steps));
    std::ranges::reverse(steps);
    for (SchemaStep& step : steps) {
        if (step.state != State::installed || step.version <= keep) {
            continue;
        }
        const auto ours = std::ranges::find(migrations, step.version, &Migration::version);
        const Value values[] = {step.version};
        LAB_CHECK(run_file(ctx, session, ours->name, ours->undo, kForget, values));
        step.state = State::pending;
        done.push_back(step);
        if (!target) {
            break;
        }
    }
    return done;
}

Status check_steps(
    const Ctx& ctx, PostgresSession& session, std::span<const Migration> migrations
) {
    const std::int64_t last = migrations.empty() ? 0 : migrations.back().version;
    const SchemaStep* newest = nullptr;
    LAB_TRY(const auto steps, list_steps(ctx, session, migrations));
    for (const SchemaStep& step : steps) {
        if (step.state == State::pending) {
            return Error(
                Code::unavailable,
                "the database lacks step " + std::to_string(step.version) + " (" + step.name +
                    ") of the schema: run `llm-research migrate run`, or `sqlx migrate run`"
            );
        }
        if (step.state == State::unknown && step.version > last) {
            newest = &step;
        } else if (step.state != State::installed) {
            return refused(step);
        }
    }
    return newest == nullptr ? ok() : check_newer(ctx, session, *newest, last);
}

}  // namespace lab::storage
