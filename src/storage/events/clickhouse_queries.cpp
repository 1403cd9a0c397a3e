#include "storage/events/clickhouse_facts.h"

#include <nlohmann/json.hpp>

#include <charconv>

// What is asked of ClickHouse. FINAL: a row that came twice counts once, merged or not.
namespace lab::storage {
namespace {

#define LAB_LEVELS "(0.5, 0.9, 0.95, 0.99)"
#define LAB_SUMMARY                     \
    "count(), sumKahan(metric_value), " \
    "min(metric_value), max(metric_value), quantilesExactInclusive" LAB_LEVELS "(metric_value) "
#define LAB_METRICS                                                                   \
    "FROM experiment_metrics FINAL WHERE experiment_id IN {experiments:Array(UUID)} " \
    "AND metric_name = {metric:String} "                                              \
    "AND timestamp >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') "                 \
    "AND timestamp < fromUnixTimestamp64Milli({to:Int64}, 'UTC') "
#define LAB_CALLS                                                                   \
    "FROM experiment_calls FINAL WHERE experiment_id IN {experiments:Array(UUID)} " \
    "AND timestamp >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') "               \
    "AND timestamp < fromUnixTimestamp64Milli({to:Int64}, 'UTC') "
#define LAB_END "LIMIT {limit:UInt64} FORMAT JSONCompactEachRow"

constexpr std::string_view kSeries =
    "SELECT intDiv(toUnixTimestamp(timestamp) - {offset:Int64}, {step:Int64}) * {step:Int64} "
    "+ {offset:Int64} AS at, model, " LAB_SUMMARY LAB_METRICS
    "GROUP BY at, model ORDER BY at, model " LAB_END;
constexpr std::string_view kByRun =
    "SELECT run_id, " LAB_SUMMARY LAB_METRICS "GROUP BY run_id ORDER BY toString(run_id) " LAB_END;
// Of calls that were sent; how long one took is known of those that were answered.
constexpr std::string_view kLatency =
    "SELECT intDiv(toUnixTimestamp(timestamp), 86400) * 86400 AS at, model, "
    "countIf(state = 'failed'), countIf(state = 'done'), sumIf(latency_ns, state = 'done'), "
    "minIf(latency_ns, state = 'done'), maxIf(latency_ns, state = 'done'), "
    "quantilesExactInclusiveIf" LAB_LEVELS
    "(latency_ns, state = 'done'), "
    "countIf(state = 'done' AND first_token_ns IS NOT NULL), "
    "ifNull(sumIf(first_token_ns, state = 'done'), 0), "
    "ifNull(minIf(first_token_ns, state = 'done'), 0), "
    "ifNull(maxIf(first_token_ns, state = 'done'), 0), "
    "quantilesExactInclusiveIf" LAB_LEVELS
    "(ifNull(first_token_ns, 0), state = 'done' "
    "AND first_token_ns IS NOT NULL) " LAB_CALLS
    "AND answered_here = 0 AND state <> 'carried' GROUP BY at, model ORDER BY at, model " LAB_END;
constexpr std::string_view kCosts =
    "SELECT experiment_id, model, countIf(state <> 'carried'), countIf(state = 'failed'), "
    "sum(if(answered_here = 1, 0, attempts)), sum(if(answered_here = 1, 0, input_tokens)), "
    "sum(if(answered_here = 1, 0, output_tokens)), countIf(cost_pico IS NULL), "
    "toString(sum(toInt128(ifNull(cost_pico, 0)))) " LAB_CALLS
    "GROUP BY experiment_id, model ORDER BY toString(experiment_id), model " LAB_END;

#undef LAB_END
#undef LAB_CALLS
#undef LAB_METRICS
#undef LAB_SUMMARY
#undef LAB_LEVELS

ClickHouseParameters parameters_of(const FactScope& scope) {
    return {
        {"experiments", clickhouse_array(scope.experiments)},
        {"from", std::to_string(scope.from_ms)},
        {"to", std::to_string(scope.to_ms)},
        {"limit", std::to_string(kFigureRowsMax + 1)},
    };
}

ClickHouseParameters parameters_of(const FactScope& scope, const std::string& metric) {
    ClickHouseParameters out = parameters_of(scope);
    out.emplace_back("metric", metric);
    return out;
}

Error not_as_asked() { return {Code::upstream_error, "ClickHouse answers with other columns"}; }

double number_of(const Json& value) { return value.is_number() ? value.get<double>() : 0; }
std::int64_t integer_of(const Json& value) {
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}
std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

void read_quantiles(const Json& row, FactSummary& out) {
    if (row.is_array() && row.size() == 4 && out.count > 0) {
        out.p50 = number_of(row[0]);
        out.p90 = number_of(row[1]);
        out.p95 = number_of(row[2]);
        out.p99 = number_of(row[3]);
    }
}

/// count, sum, least, most, quantiles; from column `at`.
FactSummary read_summary(const Json& row, std::size_t at) {
    FactSummary out;
    out.count = integer_of(row[at]);
    out.sum = number_of(row[at + 1]);
    out.least = number_of(row[at + 2]);
    out.most = number_of(row[at + 3]);
    read_quantiles(row[at + 4], out);
    return out;
}

/// Saturates, as Money does.
std::int64_t read_pico(const std::string& text) {
    std::int64_t out = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc::result_out_of_range ? std::numeric_limits<std::int64_t>::max()
                                                     : out;
}

template <class Row, class Read>
Result<std::vector<Row>> read_rows(
    const Ctx& ctx,
    ClickHouse& server,
    std::string_view sql,
    const ClickHouseParameters& parameters,
    std::size_t columns,
    const Read& read
) {
    std::vector<Row> out;
    LAB_CHECK(server.query(ctx, sql, parameters, [&](const Json& row) -> Status {
        if (row.size() != columns) {
            return not_as_asked();
        }
        out.push_back(read(row));
        return ok();
    }));
    if (out.size() > kFigureRowsMax) {
        return too_many_figures();
    }
    return out;
}

}  // namespace

Result<std::vector<SeriesPoint>> ClickHouseFacts::series(
    const Ctx& ctx, const FactScope& scope, const std::string& metric, const SeriesSteps& steps
) {
    ClickHouseParameters parameters = parameters_of(scope, metric);
    parameters.emplace_back("step", std::to_string(steps.step));
    parameters.emplace_back("offset", std::to_string(steps.offset));
    return read_rows<SeriesPoint>(ctx, server_, kSeries, parameters, 7, [](const Json& row) {
        return SeriesPoint{
            .at = integer_of(row[0]), .model = text_of(row[1]), .values = read_summary(row, 2)
        };
    });
}

Result<std::vector<RunValues>> ClickHouseFacts::by_run(
    const Ctx& ctx, const FactScope& scope, const std::string& metric
) {
    return read_rows<RunValues>(
        ctx,
        server_,
        kByRun,
        parameters_of(scope, metric),
        6,
        [](const Json& row) {
            return RunValues{.run_id = text_of(row[0]), .values = read_summary(row, 1)};
        }
    );
}

Result<std::vector<LatencyRow>> ClickHouseFacts::latency(const Ctx& ctx, const FactScope& scope) {
    return read_rows<LatencyRow>(
        ctx,
        server_,
        kLatency,
        parameters_of(scope),
        13,
        [](const Json& row) {
            return LatencyRow{
                .at = integer_of(row[0]),
                .model = text_of(row[1]),
                .failed = integer_of(row[2]),
                .latency = read_summary(row, 3),
                .first_token = read_summary(row, 8),
            };
        }
    );
}

Result<std::vector<CostRow>> ClickHouseFacts::costs(const Ctx& ctx, const FactScope& scope) {
    return read_rows<CostRow>(ctx, server_, kCosts, parameters_of(scope), 9, [](const Json& row) {
        return CostRow{
            .experiment_id = text_of(row[0]),
            .model = text_of(row[1]),
            .samples = integer_of(row[2]),
            .failed = integer_of(row[3]),
            .calls = integer_of(row[4]),
            .input_tokens = integer_of(row[5]),
            .output_tokens = integer_of(row[6]),
            .unpriced = integer_of(row[7]),
            .cost_pico = read_pico(text_of(row[8])),
        };
    });
}

}  // namespace lab::storage
