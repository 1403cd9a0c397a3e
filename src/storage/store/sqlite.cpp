#include "storage/store/sqlite.h"

#include "storage/objects/file_error.h"
#include "storage/store/impl/queries.h"
#include "storage/store/impl/sqlite_migrate.h"
#include "storage/store/impl/sqlite_session.h"

#include <atomic>

namespace lab::storage {
namespace {

constexpr int kFindingsMax = 5;

constexpr Query kIntegrity{"integrity_check", "SELECT integrity_check FROM pragma_integrity_check"};
constexpr Query kForeignKeys{
    "foreign_key_check", "SELECT \"table\", \"parent\" FROM pragma_foreign_key_check"
};
constexpr Query kCopy{"sqlite_copy", "VACUUM INTO $1"};
constexpr const Query* kQueries[] = {&kIntegrity, &kForeignKeys, &kCopy};

class SqliteDatabase final : public Database {
  public:
    SqliteDatabase(SqliteTarget target, std::unique_ptr<SqliteSession> anchor)
        : target_(std::move(target)), anchor_(std::move(anchor)) {}
    Result<std::unique_ptr<Session>> open_session(const Ctx& ctx, Durability durability) override {
        LAB_TRY(auto session, SqliteSession::open(ctx, target_, durability));
        return std::unique_ptr<Session>(std::move(session));
    }
    Status migrate(const Ctx& ctx) override {
        LAB_TRY(const auto session, SqliteSession::open(ctx, target_));
        return migrate_sqlite(ctx, *session, sqlite_migrations());
    }

  private:
    SqliteTarget target_;
    std::unique_ptr<SqliteSession> anchor_;  ///< keeps a database in memory alive; never used
};

}  // namespace

std::span<const Query* const> verify_queries() { return kQueries; }

Result<std::unique_ptr<Database>> open_sqlite(const Ctx& ctx, SqliteOptions options) {
    SqliteTarget target{.options = std::move(options), .uri = {}};
    const std::string& path = target.options.path;
    if (path == ":memory:") {
        static std::atomic<int> last{0};
        target.uri = "file:/lab-" + std::to_string(++last) + "?vfs=memdb";
        LAB_TRY(auto anchor, SqliteSession::open(ctx, target));
        return std::make_unique<SqliteDatabase>(std::move(target), std::move(anchor));
    }
    if (const std::size_t slash = path.find_last_of('/'); slash != std::string::npos && slash > 0) {
        LAB_CHECK(make_folders(path.substr(0, slash)));
    }
    // What is wrong with the file is said now, not at the first session.
    LAB_CHECK(SqliteSession::open(ctx, target));
    return std::make_unique<SqliteDatabase>(std::move(target), nullptr);
}

Status copy_sqlite(const Ctx& ctx, Session& session, const std::string& path) {
    const Value values[] = {std::string_view(path)};
    LAB_CHECK(session.exec(ctx, kCopy, values));
    return ok();
}

/// Leaving the mode that keeps a log takes the whole database, whoever reads it.
Status close_sqlite_log(const Ctx& ctx, const std::string& path) {
    SqliteTarget target{.options = {.path = path}, .uri = {}};
    target.options.busy_timeout = std::chrono::milliseconds(500);
    LAB_TRY(const auto session, SqliteSession::open(ctx, target));
    const Status closed = session->run_script(ctx, "close_log", "PRAGMA journal_mode = DELETE");
    if (!closed && closed.error().code == Code::unavailable) {
        return Error(Code::conflict, "another process has " + path + " open: stop it first");
    }
    return closed;
}

Status verify_sqlite(const Ctx& ctx, Session& session) {
    std::vector<std::string> findings;
    LAB_CHECK(session.query(ctx, kIntegrity, {}, [&](const Row& row) {
        if (row.text(0) != "ok" && findings.size() < kFindingsMax) {
            findings.emplace_back(row.text(0));
        }
        return ok();
    }));
    LAB_CHECK(session.query(ctx, kForeignKeys, {}, [&](const Row& row) {
        if (findings.size() < kFindingsMax) {
            findings.push_back(
                "a row of " + std::string(row.text(0)) + " refers to a missing row of " +
                std::string(row.text(1))
            );
        }
        return ok();
    }));
    if (findings.empty()) {
        return ok();
    }
    std::string text = "the database is damaged, restore it from a backup:";
    for (const std::string& finding : findings) {
        text += "\n  " + finding;
    }
    return Error(Code::io, std::move(text));
}

}  // namespace lab::storage
