#include "storage/store/store_copy.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "storage/store/impl/catalogue.h"
#include "storage/store/impl/queries.h"
#include "storage/store/impl/table_pages.h"

#include <algorithm>
#include <deque>
#include <map>

namespace lab::storage {
namespace {

constexpr Query kSequences{"sqlite_sequences", "SELECT name, seq FROM sqlite_sequence"};
constexpr Query kAddSequence{"sqlite_add_sequence", R"sql(
    INSERT INTO sqlite_sequence (name, seq) SELECT $1, 0
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)
)sql"};
constexpr Query kSetSequence{
    "sqlite_set_sequence", "UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1"
};
constexpr Query kPostgresLast{"postgres_last_keys", R"sql(
    SELECT c.table_name::text, COALESCE(s.last_value, 0)
    FROM information_schema.columns c
    JOIN pg_sequences s ON s.schemaname = c.table_schema::name
     AND pg_get_serial_sequence(quote_ident(c.table_name::text), c.column_name::text)
         = quote_ident(s.schemaname::text) || '.' || quote_ident(s.sequencename::text)
    WHERE c.table_schema = current_schema() AND c.is_identity = 'YES'
)sql"};
constexpr Query kSetPostgresLast{
    "postgres_set_last_key", "SELECT setval(pg_get_serial_sequence($1, $2), $3)"
};
constexpr const Query* kSqlite[] = {&kSequences, &kAddSequence, &kSetSequence};
constexpr const Query* kPostgres[] = {&kPostgresLast, &kSetPostgresLast};

/// One side, open.
struct Open {
    Dialect dialect = Dialect::sqlite;
    std::vector<TableShape> tables;
    std::deque<TableStatements> statements = {};  ///< one for each
    std::unique_ptr<Session> session;             ///< ends before what it knows
    std::unique_ptr<Session> second;              ///< writes while the other reads

    const TableStatements& of(const std::string& table) const {
        const auto found = std::ranges::find_if(statements, [&](const TableStatements& one) {
            return one.table.name == table;
        });
        LAB_ASSERT(found != statements.end(), "both sides have the same tables");
        return *found;
    }
};

Result<std::unique_ptr<Open>> open_side(const Ctx& ctx, const CopySide& side) {
    auto out = std::make_unique<Open>();
    out->dialect = side.is_postgres ? Dialect::postgres : Dialect::sqlite;
    LAB_TRY(out->session, side.database->open_session(ctx));
    LAB_TRY(out->second, side.database->open_session(ctx));
    LAB_TRY(out->tables, read_catalogue(ctx, *out->session, out->dialect));
    for (const TableShape& table : out->tables) {
        if (table.key.empty()) {
            return Error(Code::internal, "the table " + table.name + " has no key");
        }
        out->statements.emplace_back(table);
    }
    return out;
}

std::vector<std::string> names_of(const std::vector<Column>& columns) {
    std::vector<std::string> out;
    std::ranges::transform(columns, std::back_inserter(out), &Column::name);
    return out;
}

Error other_schema(const std::string& table) {
    return {
        Code::conflict,
        "the two stores do not have one schema: see the table " + table +
            ", and bring both to this release first"
    };
}

const TableShape* find_table(const std::vector<TableShape>& tables, const std::string& name) {
    const auto found = std::ranges::find(tables, name, &TableShape::name);
    return found == tables.end() ? nullptr : &*found;
}

Status check_same_schema(const Open& from, const Open& to) {
    for (const TableShape& table : from.tables) {
        const TableShape* const other = find_table(to.tables, table.name);
        if (other == nullptr || names_of(table.columns) != names_of(other->columns) ||
            table.key != other->key) {
            return other_schema(table.name);
        }
    }
    for (const TableShape& table : to.tables) {
        if (find_table(from.tables, table.name) == nullptr) {
            return other_schema(table.name);
        }
    }
    return ok();
}

/// Walks over the rows of both sides in the order of their keys.
class Merge {
  public:
    Merge(Open& from, Open& to, const TableShape& table)
        : table_(table),
          to_(to),
          source_(*from.session, from.of(table.name)),
          target_(*to.session, to.of(table.name)) {}

    /// Errors: conflict when the target has a row that the source has not, or has otherwise.
    Status check(const Ctx& ctx) {
        LAB_TRY(const StoredRow* theirs, target_.next(ctx));
        while (theirs != nullptr) {
            LAB_TRY(const StoredRow* ours, source_.next(ctx));
            if (ours == nullptr || source_.is_behind(*ours, *theirs)) {
                return Error(
                    Code::conflict,
                    "the target is not empty: its table " + table_.name +
                        " holds a row that the source has not. Take an empty database"
                );
            }
            if (source_.is_behind(*theirs, *ours)) {
                continue;
            }
            if (*ours != *theirs) {
                return Error(
                    Code::conflict,
                    "the target is not empty: its table " + table_.name +
                        " holds a row that the source has otherwise. Take an empty database"
                );
            }
            LAB_TRY(theirs, target_.next(ctx));
        }
        return ok();
    }

    /// Everything that is missing. The target has been checked. Gives how many rows.
    Result<std::int64_t> copy(const Ctx& ctx) {
        TableWriter writer(*to_.second, to_.of(table_.name));
        LAB_TRY(const StoredRow* theirs, target_.next(ctx));
        LAB_TRY(const StoredRow* ours, source_.next(ctx));
        while (ours != nullptr) {
            while (theirs != nullptr && source_.is_behind(*ours, *theirs)) {
                LAB_TRY(theirs, target_.next(ctx));
            }
            if (theirs == nullptr || source_.is_behind(*theirs, *ours)) {
                LAB_CHECK(writer.add(ctx, *ours));
            }
            LAB_TRY(ours, source_.next(ctx));
        }
        LAB_CHECK(writer.flush(ctx));
        return writer.written();
    }

  private:
    const TableShape& table_;
    Open& to_;
    TableReader source_;
    TableReader target_;
};

struct Sum {
    std::int64_t rows = 0;
    std::string hash;
};

Result<Sum> sum_of(const Ctx& ctx, Open& side, const std::string& name) {
    TableReader reader(*side.session, side.of(name));
    Sha256 hash;
    Sum out;
    for (;;) {
        LAB_TRY(const StoredRow* row, reader.next(ctx));
        if (row == nullptr) {
            out.hash = to_hex(hash.finish());
            return out;
        }
        ++out.rows;
        hash.update(encode_row(*row));
    }
}

/// The last key that each table has given, also to rows that went since.
Result<std::map<std::string, std::int64_t>> last_keys(const Ctx& ctx, Open& side) {
    std::map<std::string, std::int64_t> out;
    const Query& query = side.dialect == Dialect::sqlite ? kSequences : kPostgresLast;
    LAB_CHECK(side.session->query(ctx, query, {}, [&](const Row& row) {
        out[std::string(row.text(0))] = row.integer(1);
        return ok();
    }));
    return out;
}

/// So that no key is given twice. Tables that count their keys have one column as key.
Status set_last_key(const Ctx& ctx, Open& side, const TableShape& table, std::int64_t last) {
    if (side.dialect == Dialect::sqlite) {
        const Value name[] = {std::string_view(table.name)};
        LAB_CHECK(side.session->exec(ctx, kAddSequence, name));
        const Value values[] = {std::string_view(table.name), last};
        LAB_CHECK(side.session->exec(ctx, kSetSequence, values));
        return ok();
    }
    const Value values[] = {
        std::string_view(table.name), std::string_view(table.key.front()), last
    };
    return side.session->query(ctx, kSetPostgresLast, values, [](const Row&) { return ok(); });
}

Status set_last_keys(const Ctx& ctx, Open& from, Open& to) {
    LAB_TRY(const auto given, last_keys(ctx, from));
    LAB_TRY(const auto there, last_keys(ctx, to));
    for (const TableShape& table : to.tables) {
        if (!table.counts_keys || table.key.size() != 1) {
            continue;
        }
        LAB_TRY(std::int64_t last, greatest_key(ctx, *to.session, to.of(table.name)));
        for (const auto& known : {given, there}) {
            const auto found = known.find(table.name);
            last = found == known.end() ? last : std::max(last, found->second);
        }
        if (last > 0) {
            LAB_CHECK(set_last_key(ctx, to, table, last));
        }
    }
    return ok();
}

}  // namespace

std::span<const Query* const> sqlite_copy_queries() { return kSqlite; }
std::span<const Query* const> postgres_copy_queries() { return kPostgres; }

Result<std::vector<TableCopied>> copy_store(
    const Ctx& ctx, const CopySide& from, const CopySide& to
) {
    LAB_TRY(const auto opened_source, open_side(ctx, from));
    LAB_TRY(const auto opened_target, open_side(ctx, to));
    Open& source = *opened_source;
    Open& target = *opened_target;
    LAB_CHECK(check_same_schema(source, target));
    for (const TableShape& table : source.tables) {
        LAB_CHECK(Merge(source, target, table).check(ctx));
    }
    std::vector<TableCopied> out;
    for (const TableShape& table : source.tables) {
        TableCopied& one = out.emplace_back();
        one.table = table.name;
        LAB_TRY(one.copied, Merge(source, target, table).copy(ctx));
    }
    LAB_CHECK(set_last_keys(ctx, source, target));
    for (TableCopied& one : out) {
        LAB_TRY(const Sum before, sum_of(ctx, source, one.table));
        LAB_TRY(const Sum after, sum_of(ctx, target, one.table));
        one.rows = after.rows;
        one.hash_from = before.hash;
        one.hash_to = after.hash;
    }
    return out;
}

}  // namespace lab::storage
