// What clients report of their runs, and what the engine stored of its own.
#include "base/text.h"
#include "domain/spec_parse.h"
#include "service/experiments.h"
#include "storage/store/client_runs.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <charconv>

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

Json sample_json(const domain::SampleResult& sample, const domain::ExperimentSpec& spec) {
    Json out = Json::object();
    out["id"] = std::to_string(sample.index);
    out["index"] = sample.index;
    out["item_id"] = sample.item_id;
    const auto variant = static_cast<std::size_t>(sample.variant);
    out["variant"] = variant < spec.variants.size() ? Json(spec.variants[variant].id) : Json();
    out["repetition"] = sample.repetition;
    out["status"] = sample.state == domain::SampleState::done ? "done" : "failed";
    out["output"] = sample.output;
    const auto scores = parse_json(sample.scores.empty() ? "{}" : sample.scores);
    out["scores"] = scores ? *scores : Json::object();
    out["usage"] = {
        {"input_tokens", sample.usage.input},
        {"cache_read_tokens", sample.usage.cache_read},
        {"cache_write_tokens", sample.usage.cache_write},
        {"output_tokens", sample.usage.output},
        {"reasoning_tokens", sample.usage.reasoning},
        {"estimated", sample.usage.estimated},
    };
    using Milliseconds = std::chrono::duration<double, std::milli>;
    out["latency_ms"] = Milliseconds(sample.latency).count();
    out["time_to_first_token_ms"] = sample.time_to_first_token
                                        ? Json(Milliseconds(*sample.time_to_first_token).count())
                                        : Json();
    out["cost"] = sample.cost ? Json(sample.cost->exact()) : Json();
    out["attempts"] = sample.attempts;
    out["cached"] = sample.cached;
    out["replayed"] = sample.replayed;
    out["finish_reason"] = sample.finish_reason.empty() ? Json() : Json(sample.finish_reason);
    out["error"] = sample.error_code.empty()
                       ? Json()
                       : Json{{"code", sample.error_code}, {"message", sample.error_message}};
    return out;
}

Result<SampleList> list_client_samples(
    const Request& request, const Run& run, const SampleQuery& query
) {
    storage::ClientRuns clients(request.session);
    LAB_TRY(auto found, clients.list_samples(request.ctx, run.key, query.after, query.limit + 1));
    SampleList out;
    out.more = std::ssize(found) > query.limit;
    if (out.more) {
        found.pop_back();
    }
    for (const storage::ClientSample& one : found) {
        LAB_TRY(Json row, parse_json(one.body));
        row["id"] = one.client_id;
        row["created_at"] = one.created_at;
        out.rows.push_back(std::move(row));
        out.last = one.number;
    }
    return out;
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

Result<SampleList> list_samples(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const SampleQuery& query
) {
    LAB_CHECK(require(request.caller, Permission::read_metrics));
    LAB_TRY(const Run found, need_run(request, experiment, run, Deed::read));
    if (found.origin == "client") {
        return list_client_samples(request, found, query);
    }
    LAB_TRY(const Json source, parse_json(found.spec));
    LAB_TRY(
        const domain::ExperimentSpec spec, domain::parse_spec(source, *request.deps.vocabulary)
    );
    SampleList out;
    storage::Journal journal(request.session);
    // One more than asked for tells whether there are more; what a filter leaves out counts as
    // read.
    constexpr std::int64_t kReadMax = 20'000;
    std::int64_t at = query.after + 1;
    const std::int64_t end = std::min(found.planned, at + kReadMax);
    LAB_CHECK(journal.scan_range(
        request.ctx,
        found.key,
        at,
        end,
        [&](const domain::SampleResult& sample) -> Status {
            if (std::ssize(out.rows) == query.limit) {
                out.more = true;
                return ok();
            }
            out.last = sample.index;
            Json row = sample_json(sample, spec);
            if ((!query.variant || row["variant"] == *query.variant) &&
                (!query.status || row["status"] == *query.status)) {
                out.rows.push_back(std::move(row));
            }
            return ok();
        }
    ));
    out.more = out.more || end < found.planned;
    return out;
}

}  // namespace lab::service
