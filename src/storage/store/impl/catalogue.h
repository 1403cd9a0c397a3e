#pragma once
#include "storage/store/session.h"

#include <string>
#include <vector>

namespace lab::storage {

enum class Dialect : std::uint8_t { sqlite, postgres };

enum class ColumnKind : std::uint8_t { integer, real, text, bytes };

struct Column {
    std::string name;
    ColumnKind kind = ColumnKind::text;
};

/// A table as the database itself describes it.
struct TableShape {
    std::string name;
    std::vector<Column> columns;       ///< by name
    std::vector<std::string> key;      ///< columns of the primary key, in its order
    std::vector<std::string> parents;  ///< tables that its rows refer to, but for itself
    bool counts_keys = false;          ///< a key is given by the database and never given twice
};

/// All tables of the schema but the ledgers of schema steps, each behind those it refers to, else
/// by name. Errors: internal when there is a column of a kind that we do not use, or a circle.
Result<std::vector<TableShape>> read_catalogue(const Ctx& ctx, Session& session, Dialect dialect);

}  // namespace lab::storage
