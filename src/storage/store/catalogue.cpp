#include "storage/store/impl/catalogue.h"

#include "storage/store/impl/queries.h"

#include <algorithm>
#include <array>
#include <map>

namespace lab::storage {
namespace {

// Table, column, type, place in the primary key from 1 (0: none), whether keys are counted.
constexpr Query kSqliteColumns{"sqlite_catalogue_columns", R"sql(
    SELECT m.name, c.name, lower(c.type), c.pk, m.sql LIKE '%AUTOINCREMENT%'
    FROM sqlite_schema m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name <> '_migrations'
    ORDER BY m.name, c.name
)sql"};
constexpr Query kPostgresColumns{"postgres_catalogue_columns", R"sql(
    SELECT c.table_name::text, c.column_name::text, c.data_type::text,
           COALESCE(k.ordinal_position::bigint, 0), c.is_identity = 'YES'
    FROM information_schema.columns c
    JOIN information_schema.tables t
      ON t.table_schema = c.table_schema AND t.table_name = c.table_name
    LEFT JOIN information_schema.table_constraints p
      ON p.table_schema = c.table_schema AND p.table_name = c.table_name
     AND p.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage k
      ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
     AND k.table_name = c.table_name AND k.column_name = c.column_name
    WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
      AND c.table_name <> '_sqlx_migrations'
    ORDER BY c.table_name::text COLLATE "C", c.column_name::text COLLATE "C"
)sql"};
constexpr Query kSqliteReferences{"sqlite_catalogue_references", R"sql(
    SELECT m.name, f."table" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f
    WHERE m.type = 'table'
)sql"};
constexpr Query kPostgresReferences{"postgres_catalogue_references", R"sql(
    SELECT c.relname::text, p.relname::text FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    JOIN pg_namespace n ON n.oid = k.connamespace
    WHERE k.contype = 'f' AND n.nspname = current_schema()
)sql"};
constexpr const Query* kSqlite[] = {&kSqliteColumns, &kSqliteReferences};
constexpr const Query* kPostgres[] = {&kPostgresColumns, &kPostgresReferences};

std::optional<ColumnKind> kind_of(std::string_view type) {
    struct Known {
        std::string_view type;
        ColumnKind kind;
    };
    // Truth is a number where there is no other type for it.
    static constexpr std::array<Known, 8> kKnown{
        {{"integer", ColumnKind::integer},
         {"bigint", ColumnKind::integer},
         {"boolean", ColumnKind::integer},
         {"real", ColumnKind::real},
         {"double precision", ColumnKind::real},
         {"text", ColumnKind::text},
         {"blob", ColumnKind::bytes},
         {"bytea", ColumnKind::bytes}}
    };
    const auto found = std::ranges::find(kKnown, type, &Known::type);
    return found == kKnown.end() ? std::nullopt : std::optional(found->kind);
}

/// Parents first. The number of tables is small.
Result<std::vector<TableShape>> in_order(std::vector<TableShape> tables) {
    std::vector<TableShape> out;
    const auto is_there = [&](const std::string& name) {
        return std::ranges::find(out, name, &TableShape::name) != out.end();
    };
    while (!tables.empty()) {
        const auto next = std::ranges::find_if(tables, [&](const TableShape& table) {
            return std::ranges::all_of(table.parents, is_there);
        });
        if (next == tables.end()) {
            return Error(Code::internal, "tables refer to each other in a circle");
        }
        out.push_back(std::move(*next));
        tables.erase(next);
    }
    return out;
}

}  // namespace

std::span<const Query* const> sqlite_catalogue_queries() { return kSqlite; }
std::span<const Query* const> postgres_catalogue_queries() { return kPostgres; }

Result<std::vector<TableShape>> read_catalogue(const Ctx& ctx, Session& session, Dialect dialect) {
    const bool is_sqlite = dialect == Dialect::sqlite;
    std::vector<TableShape> tables;
    std::map<std::int64_t, std::string> key;
    const auto end_table = [&] {
        if (tables.empty()) {
            return;
        }
        for (auto& [place, name] : key) {
            tables.back().key.push_back(std::move(name));
        }
        key.clear();
    };
    const Query& columns = is_sqlite ? kSqliteColumns : kPostgresColumns;
    LAB_CHECK(session.query(ctx, columns, {}, [&](const Row& row) -> Status {
        if (tables.empty() || tables.back().name != row.text(0)) {
            end_table();
            tables.emplace_back().name = row.text(0);
        }
        const auto kind = kind_of(row.text(2));
        if (!kind) {
            return Error(Code::internal, "a column is of a type that cannot be copied");
        }
        tables.back().columns.push_back({std::string(row.text(1)), *kind});
        if (row.integer(3) > 0) {
            key[row.integer(3)] = row.text(1);
        }
        tables.back().counts_keys = tables.back().counts_keys || row.integer(4) != 0;
        return ok();
    }));
    end_table();
    const Query& references = is_sqlite ? kSqliteReferences : kPostgresReferences;
    LAB_CHECK(session.query(ctx, references, {}, [&](const Row& row) {
        const auto table = std::ranges::find(tables, row.text(0), &TableShape::name);
        if (table != tables.end() && row.text(0) != row.text(1)) {
            table->parents.emplace_back(row.text(1));
        }
        return ok();
    }));
    return in_order(std::move(tables));
}

}  // namespace lab::storage
