#pragma once
#include "storage/store/sqlite.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace lab::storage {

/// How a connection is opened: the file, or the name of a database in memory.
struct SqliteTarget {
    SqliteOptions options;
    std::string uri;  ///< empty: options.path is a file
};

/// One connection to SQLite with its prepared statements. One thread at a time.
class SqliteSession final : public Session {
  public:
    static Result<std::unique_ptr<SqliteSession>> open(
        const Ctx& ctx, const SqliteTarget& target, Durability durability = Durability::on_commit
    );
    ~SqliteSession() override;
    SqliteSession(const SqliteSession&) = delete;
    SqliteSession& operator=(const SqliteSession&) = delete;

    Result<std::int64_t> exec(const Ctx& ctx, const Query& query, std::span<const Value> values)
        override;
    Status query(
        const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
    ) override;
    Status begin(const Ctx& ctx) override;
    Status commit(const Ctx& ctx) override;
    void rollback() noexcept override;
    Status sync(const Ctx& ctx) override;
    Status prepare(const Query& query) override;
    Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) override;
    Status check(const Ctx& ctx) override;

    /// Runs several statements without parameters or rows.
    Status run_script(const Ctx& ctx, std::string_view name, std::string_view sql);
    /// As begin(), and keeps readers of other sessions out where there is no WAL.
    Status begin_exclusive(const Ctx& ctx);
    const std::string& path() const { return target_.options.path; }

  private:
    struct Statement {
        sqlite3_stmt* handle = nullptr;
        const char* sql = nullptr;   ///< to notice another query at the same address
        std::vector<int> positions;  ///< SQLite's number of $1, $2, ...
        bool running = false;
        Statement() = default;
        Statement(Statement&& other) noexcept;
        Statement& operator=(Statement&& other) noexcept;
        ~Statement();
    };
    class Run;
    class Waiting;
    struct Hooks;

    explicit SqliteSession(SqliteTarget target) : target_(std::move(target)) {}
    Status connect();
    Status configure(const Ctx& ctx, Durability durability);
    Status set_pragma(const Ctx& ctx, const char* sql);
    Status use_wal(const Ctx& ctx);
    Result<Statement> compile(const Query& query);
    Result<Statement*> statement_for(const Query& query);
    Status bind(const Statement& statement, const Query& query, std::span<const Value> values);
    Error error(int code, std::string_view doing) const;
    bool wait_a_little();

    SqliteTarget target_;
    sqlite3* connection_ = nullptr;
    std::unordered_map<const Query*, Statement> statements_;
    // While a call is under way: who waits, how long it may wait for others, and has waited.
    const Ctx* ctx_ = nullptr;
    Duration wait_max_{0};
    Duration waited_{0};
    int wal_restart_at_frames_ = 0;
};

}  // namespace lab::storage
