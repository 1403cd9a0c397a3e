#include "storage/events/clickhouse_facts.h"

#include <nlohmann/json.hpp>

#include <array>

namespace lab::storage {
namespace {

// Parts are a month; rows go after a year. ORDER BY is what makes two rows the same: it begins with
// what is asked for, and ends with the id of the fact. A call that failed may be replaced by one
// that did not, in another month: it is filed under the month of its run.
constexpr std::string_view kMetricsTable = R"sql(
CREATE TABLE IF NOT EXISTS experiment_metrics (
    event_id UUID,
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    org_id UUID,
    experiment_id UUID,
    run_id UUID,
    metric_name LowCardinality(String),
    metric_value Float64,
    model LowCardinality(String),
    variant LowCardinality(String),
    tags Map(LowCardinality(String), String)
        ALIAS map('model', toString(model), 'variant', toString(variant))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (experiment_id, metric_name, timestamp)
ORDER BY (experiment_id, metric_name, timestamp, event_id)
TTL toDateTime(timestamp) + INTERVAL 1 YEAR
)sql";
constexpr std::string_view kCallsTable = R"sql(
CREATE TABLE IF NOT EXISTS experiment_calls (
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    run_at DateTime64(3, 'UTC'),
    org_id UUID,
    experiment_id UUID,
    run_id UUID,
    sample Int64,
    model LowCardinality(String),
    variant LowCardinality(String),
    state LowCardinality(String),
    error_code LowCardinality(String),
    http_status UInt16,
    answered_here UInt8,
    attempts UInt32,
    cost_pico Nullable(Int64),
    input_tokens Int64,
    output_tokens Int64,
    latency_ns Int64,
    first_token_ns Nullable(Int64),
    version UInt64,
    gone UInt8
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY toYYYYMM(run_at)
ORDER BY (experiment_id, run_id, sample)
TTL toDateTime(timestamp) + INTERVAL 1 YEAR
)sql";
constexpr std::string_view kEventsTable = R"sql(
CREATE TABLE IF NOT EXISTS experiment_events (
    event_id UUID,
    timestamp DateTime64(6, 'UTC'),
    org_id UUID,
    experiment_id UUID,
    run_id Nullable(UUID),
    event_type LowCardinality(String),
    payload String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (experiment_id, timestamp, event_id)
TTL toDateTime(timestamp) + INTERVAL 1 YEAR
)sql";
constexpr std::string_view kCountTables = R"sql(
SELECT count() FROM system.tables WHERE database = currentDatabase()
    AND name IN ('experiment_metrics', 'experiment_calls', 'experiment_events')
FORMAT JSONCompactEachRow
)sql";

constexpr std::array<std::string_view, 3> kForget{
    "ALTER TABLE experiment_metrics DELETE WHERE experiment_id = {experiment:UUID}",
    "ALTER TABLE experiment_calls DELETE WHERE experiment_id = {experiment:UUID}",
    "ALTER TABLE experiment_events DELETE WHERE experiment_id = {experiment:UUID} "
    "AND event_type <> 'experiment_deleted'",
};

}  // namespace

ClickHouseFacts::ClickHouseFacts(
    const Clock& clock, ClickHouseOptions options, http::ClientOptions http
)
    : http_(clock, std::move(http)), server_(std::move(options), http_) {}

Result<bool> ClickHouseFacts::make_tables(const Ctx& ctx) {
    std::int64_t there = 0;
    const auto count = [&](const Json& row) {
        there = row.at(0).get<std::int64_t>();
        return ok();
    };
    const Status counted = server_.query(ctx, kCountTables, {}, count);
    if (!counted) {
        // As when the database is not there: the user may be one who may make it.
        if (counted.error().code != Code::upstream_error || !server_.make_database(ctx)) {
            return counted.error();
        }
        LAB_CHECK(server_.query(ctx, kCountTables, {}, count));
    }
    for (const std::string_view table : {kMetricsTable, kCallsTable, kEventsTable}) {
        LAB_CHECK(server_.run(ctx, table));
    }
    return there < 3;
}

Status ClickHouseFacts::check(const Ctx& ctx) {
    return server_.query(ctx, kCountTables, {}, [](const Json& row) -> Status {
        if (row.at(0) != 3) {
            return Error(Code::unavailable, "the tables of ClickHouse are not there yet");
        }
        return ok();
    });
}

Status ClickHouseFacts::add(const Ctx& ctx, const FactBatch& batch) {
    LAB_CHECK(server_.insert(ctx, kInsertMetrics, batch.metrics()));
    LAB_CHECK(server_.insert(ctx, kInsertCalls, batch.calls()));
    return server_.insert(ctx, kInsertEvents, batch.events());
}

Status ClickHouseFacts::forget(const Ctx& ctx, const std::string& experiment_id) {
    for (const std::string_view statement : kForget) {
        LAB_CHECK(server_.run(ctx, statement, {{"experiment", experiment_id}}));
    }
    return ok();
}

}  // namespace lab::storage
