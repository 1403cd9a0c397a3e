#pragma once
#include "base/ctx.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// Which facts: those of these experiments with from_ms <= time < to_ms. Who asks may see them.
struct FactScope {
    std::vector<std::string> experiments;  ///< ids
    std::int64_t from_ms = 0;              ///< since 1970
    std::int64_t to_ms = 0;
};

/// Of the values of a group. Quantiles: Hyndman and Fan 1996, type 7, at 0.5, 0.9, 0.95, 0.99.
struct FactSummary {
    std::int64_t count = 0;
    double sum = 0;
    double least = 0;
    double most = 0;
    double p50 = 0;
    double p90 = 0;
    double p95 = 0;
    double p99 = 0;
};

struct SeriesPoint {
    std::int64_t at = 0;  ///< where its interval begins, in seconds since 1970
    std::string model;
    FactSummary values;
};

struct RunValues {
    std::string run_id;
    FactSummary values;
};

/// Calls that were sent and answered, by model and day; times in nanoseconds.
struct LatencyRow {
    std::int64_t at = 0;  ///< the day (UTC) begins, in seconds since 1970
    std::string model;
    std::int64_t failed = 0;
    FactSummary latency;
    FactSummary first_token;  ///< count 0 where nothing was streamed
};

struct CostRow {
    std::string experiment_id;
    std::string model;  ///< empty: of samples that are not stored
    std::int64_t samples = 0;
    std::int64_t failed = 0;
    std::int64_t calls = 0;  ///< requests sent
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t unpriced = 0;  ///< samples whose cost is not known
    std::int64_t cost_pico = 0;
};

/// Intervals of a series: `step` seconds, the first of which began `offset` seconds after 1970.
struct SeriesSteps {
    std::int64_t step = 86'400;
    std::int64_t offset = 0;
    std::int64_t begin_of(std::int64_t seconds) const {
        const std::int64_t behind = (seconds - offset) % step;
        return seconds - (behind < 0 ? behind + step : behind);
    }
};

/// Rows of one answer; more are refused (validation).
inline constexpr std::size_t kFigureRowsMax = 10'000;
inline Error too_many_figures() {
    return {
        Code::validation,
        "the answer has more than " + std::to_string(kFigureRowsMax) +
            " rows: ask for less time, or for longer steps"
    };
}

/// Answers in the order of their keys. Errors: validation beyond kFigureRowsMax; unavailable,
/// upstream_error; those of `ctx`.
class FactFigures {
  public:
    virtual ~FactFigures() = default;
    virtual Result<std::vector<SeriesPoint>> series(
        const Ctx& ctx, const FactScope& scope, const std::string& metric, const SeriesSteps& steps
    ) = 0;
    virtual Result<std::vector<RunValues>> by_run(
        const Ctx& ctx, const FactScope& scope, const std::string& metric
    ) = 0;
    virtual Result<std::vector<LatencyRow>> latency(const Ctx& ctx, const FactScope& scope) = 0;
    virtual Result<std::vector<CostRow>> costs(const Ctx& ctx, const FactScope& scope) = 0;
};

}  // namespace lab::storage
