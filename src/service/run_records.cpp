// What clients report of their runs, and what the engine stored of its own.
#include "base/text.h"
#include "base/time_text.h"
#include "platform/json/document.h"
#include "service/experiments.h"
#include "service/impl/score_summary.h"
#include "storage/store/client_runs.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Deed;
using domain::Permission;
using domain::Run;
using domain::RunState;

std::string now_text(const Request& request) { return format_rfc3339(request.deps.clock->wall()); }

constexpr std::size_t kProblemsMax = 100;

Error ended_already(const Run& run) {
    return {
        Code::invalid_state,
        "the run has ended already",
        {{"current", std::string(to_string(run.state))}}
    };
}

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
        return ended_already(run);
    }
    if (run.state == RunState::pending) {
        storage::Runs runs(request.session);
        LAB_CHECK(runs.set_state(request.ctx, run.key, RunState::running, "", now_text(request)));
    }
    return run;
}

/// In a transaction: the run as it is, which stays running until the end of it.
Result<Run> hold_running(
    const Request& request, const std::string& experiment, const std::string& id
) {
    LAB_TRY(const Run run, need_run(request, experiment, id, Deed::run));
    storage::Runs runs(request.session);
    LAB_TRY(
        const bool running,
        runs.move_state(request.ctx, run.key, RunState::running, RunState::running)
    );
    if (!running) {
        return ended_already(run);
    }
    return need_run(request, experiment, id, Deed::run);
}

/// The schema knows the form of a time, not the calendar.
Status check_times(const Json& points) {
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < points.size() && problems.size() < kProblemsMax; ++i) {
        if (points[i].contains("timestamp") &&
            !parse_rfc3339(points[i]["timestamp"].get<std::string>())) {
            problems.push_back(
                {path_index("", i) + ".timestamp", "must be a time such as 2030-01-31T00:00:00Z"}
            );
        }
    }
    return problems.empty() ? ok()
                            : Status(Error(
                                  Code::validation,
                                  "nothing was stored: some points cannot be as given",
                                  std::move(problems)
                              ));
}

/// Scores are numbers, true, false or null.
Status check_samples(const Json& samples) {
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const Json scores = samples[i].value("scores", Json::object());
        for (const auto& [name, value] : scores.items()) {
            if (!value.is_number() && !value.is_boolean() && !value.is_null()) {
                problems.push_back(
                    {path_index("", i) + ".scores." + shorten(name, 80),
                     "must be a number, true, false or null"}
                );
            }
        }
        if (problems.size() >= kProblemsMax) {
            break;
        }
    }
    return problems.empty() ? ok()
                            : Status(Error(
                                  Code::validation,
                                  "nothing was stored: some samples cannot be as given",
                                  std::move(problems)
                              ));
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
    LAB_CHECK(check_times(points));
    LAB_TRY(const Run open, need_open_client_run(request, experiment, run));
    std::vector<storage::MetricPoint> values;
    const std::string now = now_text(request);
    for (const Json& point : points) {
        values.push_back({
            .name = point["name"].get<std::string>(),
            .step = point.value("step", std::int64_t{0}),
            .value = point["value"].get<double>(),
            .timestamp = point.value("timestamp", now),
            .timed = point.contains("timestamp"),
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
    LAB_CHECK(check_samples(samples));
    LAB_TRY(const Run open, need_open_client_run(request, experiment, run));
    std::vector<storage::ClientSample> rows;
    const std::string now = now_text(request);
    for (const Json& sample : samples) {
        Json body = sample;
        const std::string id = body["id"].get<std::string>();
        body.erase("id");
        body.emplace("status", "done");
        rows.push_back({.client_id = id, .body = dump_json(body), .created_at = now});
    }
    // Held from here on: nobody ends the run or adds to its totals meanwhile.
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(const Run run_now, hold_running(request, experiment, run));
    LAB_TRY(Json body, parse_json(run_now.body));
    ClientTotals totals = ClientTotals::from(body);
    storage::ClientRuns clients(request.session);
    LAB_TRY(const std::vector<bool> is_new, clients.add_samples_here(request.ctx, open.key, rows));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (is_new[i]) {
            totals.add(samples[i]);
        }
    }
    body[ClientTotals::kMember] = totals.stored();
    LAB_CHECK(storage::Runs(request.session).set_body(request.ctx, open.key, dump_json(body)));
    LAB_CHECK(transaction.commit(request.ctx));
    return Json{{"received", rows.size()}, {"added", std::ranges::count(is_new, true)}};
}

}  // namespace lab::service
