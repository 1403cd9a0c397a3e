// What clients report of their runs, and what the engine stored of its own.
#include "base/text.h"
#include "service/experiments.h"
#include "storage/store/client_runs.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

using domain::Deed;
using domain::Permission;
using domain::Run;
using domain::RunState;

std::string now_text(const Request& request) { return format_rfc3339(request.deps.clock->wall()); }

/// A run of a client that has not ended.
Result<Run> need_open_client_run(
    const Request& request, const std::string& experiment, const std::string& id
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Run run, need_run(request, experiment, id, Deed::run));
    if (run.origin != "client") {
        return Error(
            Code::invalid_state,
            "the engine carries this run out and stores what comes of it",
            {{"current", std::string(to_string(run.state))}}
        );
    }
    if (run.state != RunState::pending && run.state != RunState::running) {
        return Error(
            Code::invalid_state,
            "the run has ended already",
            {{"current", std::string(to_string(run.state))}}
        );
    }
    if (run.state == RunState::pending) {
        storage::Runs runs(request.session);
        LAB_CHECK(runs.set_state(request.ctx, run.key, RunState::running, "", now_text(request)));
    }
    return run;
}

}  // namespace

Result<std::int64_t> count_client_samples(const Request& request, std::int64_t run) {
    return storage::ClientRuns(request.session).count_samples(request.ctx, run);
}

Result<Json> client_metrics(const Request& request, std::int64_t run) {
    constexpr std::int64_t kPointsMax = 100'000;
    storage::ClientRuns clients(request.session);
    LAB_TRY(const auto points, clients.list_points(request.ctx, run, kPointsMax));
    Json out = Json::object();
    for (const storage::MetricPoint& point : points) {
        out[point.name] = point.value;  // by step: the last one stays
    }
    return out;
}

Result<Json> log_metrics(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const Json& points
) {
    LAB_TRY(const Run open, need_open_client_run(request, experiment, run));
    std::vector<storage::MetricPoint> values;
    const std::string now = now_text(request);
    for (const Json& point : points) {
        values.push_back({
            .name = point["name"].get<std::string>(),
            .step = point.value("step", std::int64_t{0}),
            .value = point["value"].get<double>(),
            .timestamp = point.value("timestamp", now),
        });
    }
    storage::ClientRuns clients(request.session);
    LAB_TRY(const std::int64_t added, clients.add_points(request.ctx, open.key, values));
    return Json{{"received", values.size()}, {"added", added}};
}

Result<Json> log_samples(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const Json& samples
) {
    LAB_TRY(const Run open, need_open_client_run(request, experiment, run));
    std::vector<storage::ClientSample> rows;
    const std::string now = now_text(request);
    for (const Json& sample : samples) {
        Json body = sample;
        const std::string id = body["id"].get<std::string>();
        body.erase("id");
        rows.push_back({.client_id = id, .body = dump_json(body), .created_at = now});
    }
    storage::ClientRuns clients(request.session);
    LAB_TRY(const std::int64_t added, clients.add_samples(request.ctx, open.key, rows));
    return Json{{"received", rows.size()}, {"added", added}};
}

}  // namespace lab::service
