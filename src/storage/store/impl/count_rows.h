#pragma once
#include "storage/store/row_count.h"
#include "storage/store/session.h"

namespace lab::storage {

// Counts no further than one above kCountMax; `from` is the rest of a SELECT, from its FROM on.
#define LAB_COUNT_ROWS(from) "SELECT COUNT(*) FROM (SELECT 1 " from " LIMIT 10001) counted"
static_assert(kCountMax + 1 == 10'001);

/// Of the row that such a statement answers with.
inline RowCount read_count(const Row& row) {
    const std::int64_t rows = row.integer(0);
    return rows > kCountMax ? RowCount{.rows = kCountMax, .is_exact = false} : RowCount{rows};
}

inline Result<RowCount> count_rows(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    RowCount out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) {
        out = read_count(row);
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
