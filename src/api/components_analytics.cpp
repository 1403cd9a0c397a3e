#include "api/impl/schema_words.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

/// What both sources of the figures say of an answer.
Json figures_of(const Members& own) {
    Members all{
        {"from", time()},
        {"to", time()},
        {"source", word({"clickhouse", "store"})},
        {"behind_seconds", count()},
    };
    all.insert(all.begin(), own.begin(), own.end());
    return object(all);
}

}  // namespace

void add_analytics_schemas(Json& out) {
    const Members sometimes{
        {"mean", number()},
        {"min", number()},
        {"max", number()},
        {"p50", number()},
        {"p90", number()},
        {"p95", number()},
        {"p99", number()},
    };
    out["FactSummary"] = object({{"count", count()}}, sometimes);
    out["SeriesPoint"] = object({{"at", time()}, {"model", text()}, {"count", count()}}, sometimes);
    out["MetricSeries"] = figures_of({
        {"experiment_id", uuid()},
        {"metric", text()},
        {"step", word({"hour", "day", "week"})},
        {"points", list_of(schema_ref("SeriesPoint"))},
    });
    out["TrendRun"] = object(
        {{"run_id", uuid()}, {"run_number", count()}, {"created_at", time()}, {"count", count()}},
        sometimes
    );
    out["Trend"] = object({
        {"slope", number()},
        {"intercept", number()},
        {"standard_error", number()},
        {"r_squared", or_null(number())},
        {"p_value", number()},
    });
    out["MetricTrend"] = figures_of({
        {"experiment_id", uuid()},
        {"metric", text()},
        {"runs", list_of(schema_ref("TrendRun"))},
        {"trend", or_null(schema_ref("Trend"))},
    });
    out["LatencyRow"] = object({
        {"day", text()},
        {"model", text()},
        {"failed", count()},
        {"latency_ms", schema_ref("FactSummary")},
        {"time_to_first_token_ms", schema_ref("FactSummary")},
    });
    out["LatencyFigures"] = figures_of({{"rows", list_of(schema_ref("LatencyRow"))}});
    const Members spent{
        {"samples", count()},
        {"failed", count()},
        {"calls", count()},
        {"input_tokens", count()},
        {"output_tokens", count()},
        {"unpriced", count()},
        {"cost", money()},
    };
    out["Spent"] = object(spent);
    Members row{{"key", or_null(text())}};
    row.insert(row.end(), spent.begin(), spent.end());
    out["CostRow"] = object(row);
    out["CostFigures"] = figures_of({
        {"by", word({"owner", "experiment", "model"})},
        {"rows", list_of(schema_ref("CostRow"))},
        {"total", schema_ref("Spent")},
    });
}

}  // namespace lab::api
