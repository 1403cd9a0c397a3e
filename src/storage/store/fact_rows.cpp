#include "storage/store/fact_rows.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

#define LAB_FACT_RUNS                                                                  \
    "SELECT r.key, r.id, e.id, o.id, r.run_number, r.spec, r.origin, r.created_at, "   \
    "r.started_at, r.completed_at, r.state FROM runs r JOIN experiments e ON e.key = " \
    "r.experiment JOIN orgs o ON "                                                     \
    "o.key = e.org "
constexpr Query kFindFactRun{"find_fact_run", LAB_FACT_RUNS "WHERE r.key = $1"};
constexpr Query kFactRunsBetween{
    "fact_runs_between",
    LAB_FACT_RUNS
    "WHERE e.id = $1 AND (r.origin = 'client' OR (r.created_at < $3 "
    "AND (r.completed_at IS NULL OR r.completed_at >= $2))) ORDER BY r.run_number"
};
#undef LAB_FACT_RUNS
// Columns before `output`, which may be long: SQLite reads a row from its beginning.
constexpr Query kScanCalls{"scan_calls", R"sql(
    SELECT sample, state, variant, cached, replayed, attempts, http_status, cost_pico,
           input_tokens + cache_read_tokens + cache_write_tokens,
           output_tokens + reasoning_tokens, latency_ns, first_token_ns, error_code, scores,
           stored_ms
    FROM samples WHERE run = $1 AND sample >= $2 AND sample < $3 ORDER BY sample LIMIT $4
)sql"};
constexpr Query kGetCarriedCalls{"get_carried_calls", R"sql(
    SELECT calls, cost_pico, input_tokens + cache_read_tokens + cache_write_tokens,
           output_tokens + reasoning_tokens
    FROM carried WHERE run = $1
)sql"};

constexpr const Query* kQueries[] = {
    &kFindFactRun, &kFactRunsBetween, &kScanCalls, &kGetCarriedCalls
};

FactRun read_run(const Row& row) {
    return {
        .key = row.integer(0),
        .id = std::string(row.text(1)),
        .experiment_id = std::string(row.text(2)),
        .org_id = std::string(row.text(3)),
        .number = row.integer(4),
        .spec = std::string(row.text(5)),
        .origin = std::string(row.text(6)),
        .created_at = std::string(row.text(7)),
        .started_at = std::string(row.text(8)),
        .completed_at = std::string(row.text(9)),
        .state = std::string(row.text(10)),
    };
}

std::optional<std::int64_t> maybe(const Row& row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(row.integer(column));
}

}  // namespace

std::span<const Query* const> fact_row_queries() { return kQueries; }

Result<std::optional<FactRun>> FactRows::find_run(const Ctx& ctx, std::int64_t key) {
    std::optional<FactRun> out;
    const Value values[] = {key};
    LAB_CHECK(session_.query(ctx, kFindFactRun, values, [&](const Row& row) {
        out = read_run(row);
        return ok();
    }));
    return out;
}

Result<std::vector<FactRun>> FactRows::runs_between(
    const Ctx& ctx, std::string_view experiment_id, std::string_view from, std::string_view to
) {
    std::vector<FactRun> out;
    const Value values[] = {experiment_id, from, to};
    LAB_CHECK(session_.query(ctx, kFactRunsBetween, values, [&](const Row& row) {
        out.push_back(read_run(row));
        return ok();
    }));
    return out;
}

Status FactRows::scan(
    const Ctx& ctx,
    std::int64_t run,
    std::int64_t begin,
    std::int64_t end,
    std::int64_t limit,
    const std::function<Status(const StoredCall&)>& each
) {
    const Value values[] = {run, begin, end, limit};
    return session_.query(ctx, kScanCalls, values, [&](const Row& row) {
        return each({
            .index = row.integer(0),
            .failed = row.integer(1) != 1,
            .variant = row.integer(2),
            .cached = row.integer(3) != 0,
            .replayed = row.integer(4) != 0,
            .attempts = row.integer(5),
            .http_status = row.integer(6),
            .cost_pico = maybe(row, 7),
            .input_tokens = row.integer(8),
            .output_tokens = row.integer(9),
            .latency_ns = row.integer(10),
            .first_token_ns = maybe(row, 11),
            .error_code = row.is_null(12) ? std::string_view() : row.text(12),
            .scores = row.is_null(13) ? std::string_view() : row.text(13),
            .stored_ms = maybe(row, 14),
        });
    });
}

Result<std::optional<CarriedCalls>> FactRows::carried(const Ctx& ctx, std::int64_t run) {
    std::optional<CarriedCalls> out;
    const Value values[] = {run};
    LAB_CHECK(session_.query(ctx, kGetCarriedCalls, values, [&](const Row& row) {
        out = CarriedCalls{
            .calls = row.integer(0),
            .cost_pico = row.integer(1),
            .input_tokens = row.integer(2),
            .output_tokens = row.integer(3),
        };
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
