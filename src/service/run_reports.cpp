#include "service/run_reports.h"

#include "service/runs.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace lab::service {
namespace {

constexpr std::int64_t kRunsLookedAt = 100;
constexpr std::size_t kReportBytesMax = 256U << 20;

/// Another run somebody names: found by its id alone, and only if its experiment may be seen.
Status check_visible(const Request& request, const std::string& id) {
    storage::Runs runs(request.session);
    const auto found = runs.get(request.ctx, id);
    if (!found) {
        return found.error().code == Code::not_found ? Status(no_such("run"))
                                                     : Status(found.error());
    }
    const auto whose =
        need_noun(request, experiment_noun(), found->experiment_id, domain::Deed::read);
    if (!whose && whose.error().code == Code::not_found) {
        return no_such("run");  // the same words: that there is one is nobody else's business
    }
    LAB_CHECK(whose);
    return ok();
}

/// Metrics of one report over its variants: {name: {mean, min, max, std, count}}. Means are
/// weighted by the number of scored items.
Json aggregate(const report::Report& report) {
    Json out = Json::object();
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        double sum = 0;
        double squares = 0;
        double least = std::numeric_limits<double>::infinity();
        double most = -least;
        std::int64_t count = 0;
        for (const report::VariantSummary& variant : report.variants) {
            const science::Estimate& estimate = variant.metrics[m];
            if (estimate.n > 0 && std::isfinite(estimate.value)) {
                const auto n = static_cast<double>(estimate.n);
                sum += n * estimate.value;
                squares += n * estimate.value * estimate.value;
                least = std::min(least, estimate.value);
                most = std::max(most, estimate.value);
                count += estimate.n;
            }
        }
        Json entry = {{"count", count}};
        if (count > 0) {
            const double mean = sum / static_cast<double>(count);
            const double variance = squares / static_cast<double>(count) - mean * mean;
            entry["mean"] = mean;
            entry["std"] = std::sqrt(std::max(0.0, variance));
            entry["min"] = least;
            entry["max"] = most;
        }
        out[report.metrics[m].info.name] = std::move(entry);
    }
    return out;
}

Json metrics_by_variant(const report::Report& report) {
    Json out = Json::object();
    for (const report::VariantSummary& variant : report.variants) {
        for (std::size_t m = 0; m < report.metrics.size(); ++m) {
            out[variant.id][report.metrics[m].info.name] = {
                {"value", variant.metrics[m].value},
                {"low", variant.metrics[m].interval.lo},
                {"high", variant.metrics[m].interval.hi},
                {"n", variant.metrics[m].n},
            };
        }
    }
    return out;
}

Json mean_latency_ms(const report::Report& report) {
    double sum = 0;
    std::int64_t count = 0;
    for (const report::VariantSummary& variant : report.variants) {
        if (variant.latency.n > 0) {
            sum += variant.latency.mean * static_cast<double>(variant.latency.n);
            count += variant.latency.n;
        }
    }
    return count == 0 ? Json() : Json(1000 * sum / static_cast<double>(count));
}

}  // namespace

Result<Json> experiment_metrics(const Request& request, const std::string& experiment) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(
        const storage::Resource one,
        need_noun(request, experiment_noun(), experiment, domain::Deed::read)
    );
    storage::Runs runs(request.session);
    storage::Journal journal(request.session);
    LAB_TRY(const auto found, runs.list_in(request.ctx, one.key, kRunsLookedAt, 0));
    std::int64_t samples = 0;
    std::int64_t tokens = 0;
    Money cost;
    std::string latest;
    Json of_runs = Json::array();
    for (const domain::Run& run : found) {
        LAB_TRY(const storage::Ledger books, journal.ledger(request.ctx, run.key));
        LAB_TRY(const std::int64_t client, count_client_samples(request, run.key));
        samples += books.done + client;
        tokens += books.usage.total();
        cost += books.settled;
        if (latest.empty() && run.origin == "engine" && books.done > 0) {
            latest = run.id;
        }
        LAB_TRY(Json metrics, client_metrics(request, run.key));
        of_runs.push_back({{"run_id", run.id}, {"metrics", std::move(metrics)}});
    }
    Json out = Json::object();
    out["experiment_id"] = one.id;
    out["total_samples"] = samples;
    out["avg_latency_ms"] = nullptr;
    out["total_tokens"] = tokens;
    out["total_cost"] = cost.exact();
    out["accuracy"] = nullptr;
    out["custom_metrics"] = Json::object();
    out["aggregated_metrics"] = Json::object();
    if (!latest.empty()) {
        LAB_TRY(const auto built, report_runs(request.ctx, request.deps, {latest}));
        out["avg_latency_ms"] = mean_latency_ms(built->report);
        Json& metrics = out["aggregated_metrics"] = aggregate(built->report);
        if (metrics.contains("accuracy")) {
            out["accuracy"] = metrics["accuracy"].value("mean", Json());
        }
        out["custom_metrics"] = metrics_by_variant(built->report);
        for (Json& run : of_runs) {
            if (run["run_id"] == latest) {
                for (const auto& [name, values] : metrics.items()) {
                    run["metrics"][name] = values.value("mean", Json());
                }
            }
        }
    }
    out["runs"] = std::move(of_runs);
    return out;
}

Result<std::string> latest_engine_run(const Request& request, const std::string& experiment) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(
        const storage::Resource one,
        need_noun(request, experiment_noun(), experiment, domain::Deed::read)
    );
    storage::Runs runs(request.session);
    LAB_TRY(const auto found, runs.list_in(request.ctx, one.key, kRunsLookedAt, 0));
    for (const domain::Run& run : found) {
        if (run.origin == "engine" && run.state != domain::RunState::queued) {
            return run.id;
        }
    }
    return Error(Code::not_found, "this experiment has no run with results yet");
}

Result<std::string> render_run_report(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::vector<std::string>& others,
    report::Format format
) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(const domain::Run first, need_run(request, experiment, run, domain::Deed::read));
    if (first.origin != "engine") {
        return Error(
            Code::invalid_state,
            "a client carries this run out: its samples and metrics are all there is",
            {{"current", std::string(to_string(first.state))}}
        );
    }
    std::vector<std::string> ids{run};
    for (const std::string& other : others) {
        LAB_CHECK(check_visible(request, other));
        ids.push_back(other);
    }
    LAB_TRY(const auto built, report_runs(request.ctx, request.deps, ids));
    std::string text;
    LAB_CHECK(report::write(
        built->report,
        built->items.get(),
        format,
        [&](std::string_view piece) -> Status {
            if (text.size() + piece.size() > kReportBytesMax) {
                return Error(
                    Code::payload_too_large, "the report is larger than can be sent whole"
                );
            }
            text += piece;
            return request.ctx.check();
        }
    ));
    return text;
}

}  // namespace lab::service
