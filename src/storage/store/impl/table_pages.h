#pragma once
#include "storage/store/impl/catalogue.h"

#include <deque>
#include <optional>

namespace lab::storage {

/// A value as it is stored; nullopt is NULL. Texts and bytes are one, and so are truth and numbers:
/// what one kind of database keeps as a text another may keep as bytes.
using StoredValue = std::optional<std::variant<std::int64_t, double, std::string>>;
/// In the order of TableShape::columns.
using StoredRow = std::vector<StoredValue>;

/// Unambiguous bytes for hashes.
std::string encode_row(const StoredRow& row);

// The one place where SQL is made while the program runs: a copy has to take every table of the
// schema as it is, also those of the next release, and a list of columns by hand that misses one
// loses data without a word. What goes into a statement are names of tables and columns of our own
// migrations, quoted, as the database's catalogue tells them; never a value.

/// The statements for one table. Sessions know a statement by its address, so these live as long as
/// every session that they are used on.
struct TableStatements {
    explicit TableStatements(const TableShape& table);
    TableStatements(const TableStatements&) = delete;
    TableStatements& operator=(const TableStatements&) = delete;

    const TableShape& table;
    std::vector<std::size_t> key;  ///< places of its columns
    std::size_t rows_at_once;      ///< of `insert_many`
    std::string texts[5];
    Query first_page, next_page, insert_many, insert_one, greatest_key;
};

/// The rows of a table in the order of their keys, some megabytes at a time.
class TableReader {
  public:
    /// Both outlive it.
    TableReader(Session& session, const TableStatements& statements)
        : session_(session), statements_(statements) {}
    /// The next row, good until the next call; nullptr: there are no more.
    Result<const StoredRow*> next(const Ctx& ctx);
    /// Whether `a` comes after `b`. Texts compare byte by byte, on every database.
    bool is_behind(const StoredRow& a, const StoredRow& b) const;

  private:
    Status fill(const Ctx& ctx);
    StoredRow read(const Row& row) const;

    Session& session_;
    const TableStatements& statements_;
    std::deque<StoredRow> page_;
    StoredRow current_;
    bool has_begun_ = false;
    bool is_at_end_ = false;
};

/// Adds rows, a transaction for some megabytes. A row that is there already stays.
class TableWriter {
  public:
    TableWriter(Session& session, const TableStatements& statements)
        : session_(session), statements_(statements) {}
    Status add(const Ctx& ctx, const StoredRow& row);
    /// What is left. Call at the end.
    Status flush(const Ctx& ctx);
    /// Rows that have been committed.
    std::int64_t written() const { return written_; }

  private:
    Status insert(const Ctx& ctx, std::span<const StoredRow> rows, const Query& query);

    Session& session_;
    const TableStatements& statements_;
    std::vector<StoredRow> waiting_;
    std::size_t bytes_ = 0;
    std::int64_t written_ = 0;
};

/// The greatest key of a table whose key is one number; 0 when it has no rows.
Result<std::int64_t> greatest_key(
    const Ctx& ctx, Session& session, const TableStatements& statements
);

}  // namespace lab::storage
