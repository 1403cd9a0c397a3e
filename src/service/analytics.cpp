#include "service/analytics.h"

#include "base/money.h"
#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"
#include "service/experiments.h"
#include "service/run_facts.h"
#include "service/store_figures.h"
#include "storage/store/resources.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace lab::service {
namespace {

using storage::FactFigures;
using storage::FactScope;
using storage::FactSummary;

using Days = std::chrono::days;
/// So long the copy keeps its rows (TTL of its tables); before that only the store knows.
constexpr Days kCopyKeeps{364};
constexpr Days kYear{364};
constexpr Days kMonth{30};
constexpr std::int64_t kExperimentsMax = 1000;
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kMondayAfter1970 = 4 * kDay;

/// Twelve digits: sums of the same numbers in another order differ behind them.
Json number(double value) {
    if (!std::isfinite(value)) {
        return nullptr;
    }
    if (value == 0) {
        return 0.0;
    }
    const double scale = std::pow(10.0, 11 - std::floor(std::log10(std::abs(value))));
    return std::isfinite(scale) && scale > 0 ? std::round(value * scale) / scale : value;
}

std::string time_text(std::int64_t seconds) {
    return format_rfc3339(WallTime(std::chrono::seconds(seconds)));
}

/// `unit`: what a value is divided by before it is shown.
Json shown(const FactSummary& values, double unit = 1) {
    Json out{{"count", values.count}};
    if (values.count > 0) {
        out["mean"] = number(values.sum / static_cast<double>(values.count) / unit);
        out["min"] = number(values.least / unit);
        out["max"] = number(values.most / unit);
        out["p50"] = number(values.p50 / unit);
        out["p90"] = number(values.p90 / unit);
        out["p95"] = number(values.p95 / unit);
        out["p99"] = number(values.p99 / unit);
    }
    return out;
}

struct Times {
    WallTime from;
    WallTime to;
};

Result<Times> times_of(const Request& request, const FactWindow& window, Days usual) {
    Times out;
    out.to = window.to.value_or(request.deps.clock->wall() + std::chrono::seconds(1));
    out.from = window.from.value_or(out.to - usual);
    if (out.from >= out.to) {
        return Error(
            Code::validation, "The times are no interval", {{"from", "must be before `to`"}}
        );
    }
    return out;
}

FactScope scope_of(const Times& times, std::vector<std::string> experiments) {
    return {
        .experiments = std::move(experiments),
        .from_ms = milliseconds_of(times.from),
        .to_ms = milliseconds_of(times.to),
    };
}

/// Asks the copy, and the store when that cannot answer. `ask` gives what `figures` says.
template <class Ask>
Result<Json> answer(
    const Request& request, FactCopy* copy, const Times& times, Json out, const Ask& ask
) {
    out["from"] = format_rfc3339(times.from);
    out["to"] = format_rfc3339(times.to);
    const bool is_kept = times.from >= request.deps.clock->wall() - kCopyKeeps;
    FactFigures* const figures = copy != nullptr && is_kept ? copy->usable() : nullptr;
    if (figures != nullptr) {
        out["source"] = "clickhouse";
        out["behind_seconds"] =
            std::chrono::duration_cast<std::chrono::seconds>(copy->behind()).count();
        const Status asked = ask(*figures, out);
        if (asked) {
            return out;
        }
        const Code code = asked.error().code;
        if (code != Code::unavailable && code != Code::upstream_error) {
            return asked.error();
        }
        copy->failed(asked.error());
    }
    StoreFigures store(request);
    out["source"] = "store";
    out["behind_seconds"] = 0;
    LAB_CHECK(ask(store, out));
    return out;
}

Status need_experiment(const Request& request, const std::string& id) {
    LAB_CHECK(need_noun(request, experiment_noun(), id, domain::Deed::read));
    return ok();
}

/// Those with runs in that time that the caller may see, and whose they are.
Result<std::map<std::string, std::string>> seen_experiments(
    const Request& request, const FactWindow& window, const Times& times
) {
    if (const auto& only = window.experiment) {
        LAB_TRY(const auto one, need_noun(request, experiment_noun(), *only, domain::Deed::read));
        return std::map<std::string, std::string>{{one.id, one.access.owner}};
    }
    storage::Resources experiments(request.session, storage::ResourceKind::experiment);
    LAB_TRY(
        const auto found,
        experiments.list_active(
            request.ctx,
            request.caller.viewer(),
            format_rfc3339(times.from),
            format_rfc3339(times.to),
            kExperimentsMax + 1
        )
    );
    if (std::ssize(found) > kExperimentsMax) {
        return Error(
            Code::validation,
            "more than " + std::to_string(kExperimentsMax) +
                " experiments have runs in this time: ask for less time, or for one experiment"
        );
    }
    std::map<std::string, std::string> out;
    for (const storage::ActiveExperiment& one : found) {
        out.emplace(one.id, one.owner);
    }
    return out;
}

std::vector<std::string> ids_of(const std::map<std::string, std::string>& experiments) {
    std::vector<std::string> out;
    for (const auto& [id, owner] : experiments) {
        out.push_back(id);
    }
    return out;
}

Result<storage::SeriesSteps> steps_of(const std::string& step) {
    if (step == "hour") {
        return storage::SeriesSteps{.step = kHour};
    }
    if (step == "week") {
        return storage::SeriesSteps{.step = 7 * kDay, .offset = kMondayAfter1970};
    }
    if (step == "day") {
        return storage::SeriesSteps{.step = kDay};
    }
    return Error(
        Code::validation, "There is no such step", {{"step", "must be hour, day or week"}}
    );
}

/// Ordinary least squares; n/a below three points or where all x are equal.
Json line_through(const std::vector<double>& x, const std::vector<double>& y) {
    const std::size_t n = x.size();
    const double mean_x = n > 0 ? science::mean(x) : 0;
    const double mean_y = n > 0 ? science::mean(y) : 0;
    science::Sum sxx;
    science::Sum sxy;
    science::Sum syy;
    for (std::size_t i = 0; i < n; ++i) {
        sxx.add((x[i] - mean_x) * (x[i] - mean_x));
        sxy.add((x[i] - mean_x) * (y[i] - mean_y));
        syy.add((y[i] - mean_y) * (y[i] - mean_y));
    }
    if (n < 3 || sxx.value() <= 0) {
        return nullptr;
    }
    const double slope = sxy.value() / sxx.value();
    const double rest = std::max(0.0, syy.value() - slope * sxy.value());
    const double df = static_cast<double>(n) - 2;
    const double error = std::sqrt(rest / df / sxx.value());
    const double p = error > 0 ? science::t_two_sided(slope / error, df) : slope == 0 ? 1.0 : 0.0;
    return {
        {"slope", number(slope)},
        {"intercept", number(mean_y - slope * mean_x)},
        {"standard_error", number(error)},
        {"r_squared", syy.value() > 0 ? number(1 - rest / syy.value()) : Json()},
        {"p_value", number(p)},
    };
}

/// Run by run, in the order of their numbers.
Json runs_shown(
    const std::vector<storage::FactRun>& runs, const std::vector<storage::RunValues>& values
) {
    Json out = Json::array();
    for (const storage::FactRun& run : runs) {
        const auto found = std::ranges::find(values, run.id, &storage::RunValues::run_id);
        if (found != values.end()) {
            Json row{
                {"run_id", run.id}, {"run_number", run.number}, {"created_at", run.created_at}
            };
            row.update(shown(found->values));
            out.push_back(std::move(row));
        }
    }
    return out;
}

struct Spent {
    std::int64_t samples = 0;
    std::int64_t failed = 0;
    std::int64_t calls = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t unpriced = 0;
    Money cost;

    void add(const storage::CostRow& row) {
        samples += row.samples;
        failed += row.failed;
        calls += row.calls;
        input_tokens += row.input_tokens;
        output_tokens += row.output_tokens;
        unpriced += row.unpriced;
        cost = cost + Money::from_pico(row.cost_pico);
    }
    Json shown() const {
        return {
            {"samples", samples},
            {"failed", failed},
            {"calls", calls},
            {"input_tokens", input_tokens},
            {"output_tokens", output_tokens},
            {"unpriced", unpriced},
            {"cost", cost.exact()},
        };
    }
};

}  // namespace

Result<Json> metric_series(
    const Request& request,
    FactCopy* copy,
    const std::string& experiment,
    const std::string& metric,
    const std::string& step,
    const FactWindow& window
) {
    LAB_CHECK(need_experiment(request, experiment));
    LAB_TRY(const auto steps, steps_of(step));
    LAB_TRY(const Times times, times_of(request, window, kYear));
    const FactScope scope = scope_of(times, {experiment});
    Json head{{"experiment_id", experiment}, {"metric", metric}, {"step", step}};
    return answer(
        request,
        copy,
        times,
        std::move(head),
        [&](FactFigures& from, Json& out) -> Status {
            LAB_TRY(const auto points, from.series(request.ctx, scope, metric, steps));
            Json rows = Json::array();
            for (const storage::SeriesPoint& point : points) {
                Json row{{"at", time_text(point.at)}, {"model", point.model}};
                row.update(shown(point.values));
                rows.push_back(std::move(row));
            }
            out["points"] = std::move(rows);
            return ok();
        }
    );
}

Result<Json> metric_trend(
    const Request& request,
    FactCopy* copy,
    const std::string& experiment,
    const std::string& metric,
    const FactWindow& window
) {
    LAB_CHECK(need_experiment(request, experiment));
    LAB_TRY(const Times times, times_of(request, window, kYear));
    const FactScope scope = scope_of(times, {experiment});
    LAB_TRY(
        const auto runs,
        storage::FactRows(request.session)
            .runs_between(
                request.ctx, experiment, format_rfc3339(times.from), format_rfc3339(times.to)
            )
    );
    Json head{{"experiment_id", experiment}, {"metric", metric}};
    return answer(
        request,
        copy,
        times,
        std::move(head),
        [&](FactFigures& from, Json& out) -> Status {
            LAB_TRY(const auto values, from.by_run(request.ctx, scope, metric));
            Json rows = runs_shown(runs, values);
            std::vector<double> x;
            std::vector<double> y;
            for (const Json& row : rows) {
                if (row["mean"].is_number()) {
                    x.push_back(row["run_number"].get<double>());
                    y.push_back(row["mean"].get<double>());
                }
            }
            out["runs"] = std::move(rows);
            out["trend"] = line_through(x, y);
            return ok();
        }
    );
}

Result<Json> call_latency(const Request& request, FactCopy* copy, const FactWindow& window) {
    LAB_TRY(const Times times, times_of(request, window, kMonth));
    LAB_TRY(const auto experiments, seen_experiments(request, window, times));
    const FactScope scope = scope_of(times, ids_of(experiments));
    constexpr double kMillisecond = 1e6;
    return answer(
        request,
        copy,
        times,
        Json::object(),
        [&](FactFigures& from, Json& out) -> Status {
            LAB_TRY(const auto found, from.latency(request.ctx, scope));
            Json rows = Json::array();
            for (const storage::LatencyRow& row : found) {
                rows.push_back({
                    {"day", time_text(row.at).substr(0, 10)},
                    {"model", row.model},
                    {"failed", row.failed},
                    {"latency_ms", shown(row.latency, kMillisecond)},
                    {"time_to_first_token_ms", shown(row.first_token, kMillisecond)},
                });
            }
            out["rows"] = std::move(rows);
            return ok();
        }
    );
}

Result<Json> spent_costs(
    const Request& request, FactCopy* copy, const std::string& by, const FactWindow& window
) {
    LAB_TRY(const Times times, times_of(request, window, kMonth));
    LAB_TRY(const auto experiments, seen_experiments(request, window, times));
    const FactScope scope = scope_of(times, ids_of(experiments));
    return answer(
        request,
        copy,
        times,
        Json{{"by", by}},
        [&](FactFigures& from, Json& out) -> Status {
            LAB_TRY(const auto found, from.costs(request.ctx, scope));
            std::map<std::string, Spent> groups;
            Spent total;
            for (const storage::CostRow& row : found) {
                const auto owner = experiments.find(row.experiment_id);
                const std::string key = by == "model"                ? row.model
                                        : by == "experiment"         ? row.experiment_id
                                        : owner == experiments.end() ? std::string()
                                                                     : owner->second;
                groups[key].add(row);
                total.add(row);
            }
            Json rows = Json::array();
            for (const auto& [key, spent] : groups) {
                Json row{{"key", key.empty() ? Json() : Json(key)}};
                row.update(spent.shown());
                rows.push_back(std::move(row));
            }
            out["rows"] = std::move(rows);
            out["total"] = total.shown();
            return ok();
        }
    );
}

}  // namespace lab::service
