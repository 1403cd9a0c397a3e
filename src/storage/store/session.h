#pragma once
#include "base/ctx.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The thin seam between repositories and databases. SQL is written once, with $1 parameters;
/// SQLite is the first driver, PostgreSQL the second. What differs between them: after a statement
/// of a transaction has failed, PostgreSQL takes no other than the rollback; and there a
/// transaction keeps others from the rows it changed, where SQLite keeps them from writing at all:
/// who reads before he writes says so with Session::hold().
namespace lab::storage {

/// A statement with a name for logs and metrics. Lives as a constant beside its only caller;
/// sessions cache the prepared form by address.
struct Query {
    std::string_view name;
    std::string_view sql;
    /// Of an INSERT of $1 to $n without conditions: `COPY table (columns) FROM STDIN (FORMAT
    /// binary)`, columns in that order, of the types BIGINT, DOUBLE PRECISION, TEXT and BYTEA. With
    /// it, Session::exec_many sends PostgreSQL rows as fast as it takes them.
    std::string_view copy{};
};

struct Blob {
    std::string_view bytes;
};

/// Bound values are not copied: they live until the call returns.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, Blob>;

/// The current row of a result; views are valid inside the callback only.
class Row {
  public:
    virtual ~Row() = default;
    virtual bool is_null(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual double real(int column) const = 0;
    virtual std::string_view text(int column) const = 0;
    virtual std::string_view blob(int column) const = 0;
};

using RowCallback = std::function<Status(const Row&)>;
/// The values of a row that is to be written; they live until the next call.
using RowValues = std::function<std::span<const Value>(std::size_t row)>;

/// A query that is asked together with others.
struct Asked {
    const Query& query;
    std::span<const Value> values;
    RowCallback on_row;
};

/// One connection; one thread at a time. Errors: conflict (unique or foreign key), unavailable
/// (busy beyond the deadline), io (disk full, read-only, not a database: the message says which and
/// what to do), timed_out, cancelled, internal.
class Session {
  public:
    virtual ~Session() = default;
    /// Runs a statement without result rows; gives the number of changed rows.
    virtual Result<std::int64_t> exec(
        const Ctx& ctx, const Query& query, std::span<const Value> values
    ) = 0;
    /// Runs a statement without result rows once for each of `count` rows of values, in that order,
    /// within a transaction. `changed` is how many rows each of them changed; after an error it
    /// ends before the one that was refused, as far as the database says which. The whole costs a
    /// server as many round trips as a statement or two. Errors: those of exec().
    virtual Status exec_many(
        const Ctx& ctx,
        const Query& query,
        std::size_t count,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    );
    /// Streams the rows; the callback's error stops and is returned.
    virtual Status query(
        const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
    ) = 0;
    /// Asks for a few rows each, by queries that change nothing and need nothing of each other: a
    /// server is asked once for all. Their callbacks are called in turn. Errors: those of query().
    virtual Status query_all(const Ctx& ctx, std::span<const Asked> asked);
    virtual Status begin(const Ctx& ctx) = 0;
    virtual Status commit(const Ctx& ctx) = 0;
    virtual void rollback() noexcept = 0;
    /// Until the transaction ends, nobody else holds the same thing: `what` is a constant, such as
    /// a table's name, `key` one of its rows. Always in the same order, or two may wait for each
    /// other. Errors: those of exec(); only within a transaction.
    virtual Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) = 0;
    /// Waits until everything that any session has committed is on the disk. Errors: io.
    virtual Status sync(const Ctx& ctx) = 0;
    /// Prepares without running: the test that stands in for compile-time checks.
    virtual Status prepare(const Query& query) = 0;
    /// Before a session that lay idle is used again: whether it can be. It cannot when its server
    /// has gone, or when a transaction was left open. Errors: unavailable.
    virtual Status check(const Ctx& ctx) = 0;
    /// From now on the server may be silent for so long, in all: then it counts as gone, and so
    /// does the session (unavailable). Until then only the deadlines of calls count.
    virtual void set_patience(Duration /*patience*/) {}
};

/// Rolls back unless committed.
class Transaction {
  public:
    static Result<Transaction> begin(const Ctx& ctx, Session& session);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Status commit(const Ctx& ctx);

  private:
    explicit Transaction(Session& session) : session_(&session) {}
    Session* session_;
};

/// When a commit is on the disk. Whatever is committed survives the death of the process at once;
/// `on_sync` leaves what a power cut may take to sync(), which any session may call.
enum class Durability : std::uint8_t { on_commit, on_sync };

/// Opens sessions on one database.
class Database {
  public:
    virtual ~Database() = default;
    virtual Result<std::unique_ptr<Session>> open_session(
        const Ctx& ctx, Durability durability = Durability::on_commit
    ) = 0;
    /// Brings the schema up to date; safe when two processes do it at once, safe when killed.
    /// Errors: unavailable when the schema is newer than this program.
    virtual Status migrate(const Ctx& ctx) = 0;
};

}  // namespace lab::storage
