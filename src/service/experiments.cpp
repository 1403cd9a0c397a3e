#include "service/experiments.h"

#include "base/text.h"
#include "base/time_text.h"
#include "domain/experiment.h"
#include "service/experiment.h"
#include "service/experiment_config.h"
#include "service/impl/queue_run.h"
#include "service/impl/run_trace.h"
#include "service/impl/run_view.h"
#include "service/runs.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace lab::service {
namespace {

using domain::Deed;
using domain::ExperimentState;
using domain::Permission;
using domain::Run;
using domain::RunState;
using storage::Resource;
using storage::Runs;

const Json& schema() {
    static const Json kSchema = [] {
        Json own = Json::object();
        own["hypothesis"] = {{"type", "string"}, {"maxLength", 10'000}};
        own["config"] = experiment_config_schema();
        return noun_schema(std::move(own), {});
    }();
    return kSchema;
}

ExperimentState state_of(const Resource& one) {
    return domain::experiment_state_from(one.status).value_or(ExperimentState::draft);
}

/// A config that has been run is what its results stand for.
Status check_experiment(const Request& request, Json& whole, const Resource* before) {
    whole.emplace("config", Json::object());
    if (before == nullptr) {
        return ok();
    }
    LAB_TRY(const Json body, parse_json(before->body));
    if (canonical_json(body.value("config", Json::object())) == canonical_json(whole["config"])) {
        return ok();
    }
    LAB_TRY(const storage::RowCount runs, Runs(request.session).count_in(request.ctx, before->key));
    if (runs.rows > 0) {
        return Error(
            Code::invalid_state,
            "the config is frozen from the first run on: clone the experiment to change it",
            {{"current", before->status}}
        );
    }
    return ok();
}

/// The newest run of an experiment that is like that.
Result<std::optional<Run>> newest_run(
    const Request& request, std::int64_t experiment_key, bool (*wanted)(const Run&)
) {
    constexpr std::int64_t kAtOnce = 100;
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    while (true) {
        LAB_CHECK(request.ctx.check());
        LAB_TRY(
            auto found,
            Runs(request.session).list_in(request.ctx, experiment_key, kAtOnce, 0, below)
        );
        for (Run& run : found) {
            if (wanted(run)) {
                return std::optional(std::move(run));
            }
            below = run.number;
        }
        if (std::ssize(found) < kAtOnce) {
            return std::nullopt;
        }
    }
}

Status may_remove(const Request& request, const Resource& one) {
    const ExperimentState state = state_of(one);
    if (state == ExperimentState::running || state == ExperimentState::paused) {
        return Error(
            Code::invalid_state,
            "an experiment that is " + one.status + " cannot be removed: cancel it first",
            {{"current", one.status}}
        );
    }
    LAB_TRY(const auto reported, newest_run(request, one.key, [](const Run& run) {
                return run.origin == "client" && run.state == RunState::running;
            }));
    if (reported) {
        return Error(
            Code::invalid_state,
            "a client carries out run " + std::to_string(reported->number) +
                " of this experiment: complete, fail or cancel it first",
            {{"current", "running"}}
        );
    }
    return ok();
}

Status decorate(const Request&, const Resource&, Json& shown) {
    for (const char* member : {"hypothesis", "started_at", "completed_at", "archived_at"}) {
        shown.emplace(member, nullptr);
    }
    return ok();
}

std::string now_text(const Request& request) { return format_rfc3339(request.deps.clock->wall()); }

Error wrong_state(std::string_view what, const Resource& one, ExperimentState wanted) {
    std::string allowed;
    for (const ExperimentState state : domain::states_after(state_of(one))) {
        allowed += (allowed.empty() ? "" : ",") + std::string(to_string(state));
    }
    return Error(
        Code::invalid_state,
        "an experiment that is " + one.status + " cannot be " + std::string(what) + " (" +
            std::string(to_string(wanted)) + ")",
        {{"current", one.status}, {"allowed", allowed}}
    );
}

/// Moves the experiment to a state that may follow; `members` are written with it.
Status move_to(
    const Request& request,
    Resource& one,
    ExperimentState wanted,
    std::string_view what,
    const Json& members
) {
    if (!domain::may_follow(state_of(one), wanted)) {
        return wrong_state(what, one, wanted);
    }
    return set_noun_status(request, experiment_noun(), one, to_string(wanted), members);
}

Result<Shown> shown(const Request& request, const Resource& one) {
    LAB_TRY(Json json, show_noun(request, experiment_noun(), one));
    return Shown{.json = std::move(json), .revision = one.revision};
}

Result<Resource> need_experiment(const Request& request, const std::string& id, Deed deed) {
    return need_noun(request, experiment_noun(), id, deed);
}

/// Whether the run belongs to the last start of an experiment that runs: who starts it anew writes
/// that first, and the run of that start comes after.
bool is_of_last_start(const Resource& one, const Run& run) {
    const auto body = parse_json(one.body);
    const auto started = parse_rfc3339(body ? body->value("started_at", "") : "");
    const auto created = parse_rfc3339(run.created_at);
    return started && created && *created >= *started;
}

bool is_of_engine(const Run& run) { return run.origin == "engine"; }

/// The run of the engine that is under way, if there is one; clients may have begun others since.
Result<std::optional<Run>> open_run(const Request& request, const Resource& one) {
    return newest_run(request, one.key, [](const Run& run) {
        return run.origin == "engine" &&
               (run.state == RunState::queued || run.state == RunState::running ||
                run.state == RunState::interrupted);
    });
}

/// Starts the experiment: running, and a run of the whole config queued.
Status queue_run(const Request& request, Resource& one) {
    LAB_TRY(const Json body, parse_json(one.body));
    const Json config = body.value("config", Json::object());
    LAB_TRY(const CompiledConfig compiled, compile_config(request, one.name, config));
    // The experiment runs before its run can be picked up: a short run would be over before the
    // experiment had begun, which then never ends. And of two who start it at once one is late.
    const std::string status = one.status;
    const Json members = {{"started_at", now_text(request)}, {"completed_at", nullptr}};
    LAB_CHECK(move_to(request, one, ExperimentState::running, "started", members));
    const auto queued = queue_compiled(request, one, compiled, Json{{"config", config}});
    if (queued) {
        return ok();
    }
    const Json as_before = {
        {"started_at", body.value("started_at", Json())},
        {"completed_at", body.value("completed_at", Json())},
    };
    LAB_CHECK(set_noun_status(request, experiment_noun(), one, status, as_before));
    return queued.error();
}

Result<Run> end_client_run(
    const Request& request,
    const std::string& experiment,
    const std::string& id,
    RunState wanted,
    const std::string& error
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Run run, need_run(request, experiment, id, Deed::run));
    Runs runs(request.session);
    if (!is_terminal(run.state) && run.origin == "client") {
        // Held: of two who end it at once one is late, and nobody adds samples meanwhile.
        LAB_TRY(const bool held, runs.move_state(request.ctx, run.key, run.state, run.state));
        if (!held) {
            LAB_TRY(run, need_run(request, experiment, id, Deed::run));  // as the other left it
        }
    }
    if (run.state == wanted) {
        return run;
    }
    if (is_terminal(run.state) || run.origin != "client") {
        return Error(
            Code::invalid_state,
            run.origin == "client" ? "the run has ended already"
                                   : "the engine carries this run out and says how it ends",
            {{"current", std::string(shown_state(run))}}
        );
    }
    if (!error.empty()) {
        LAB_TRY(Json body, parse_json(run.body));
        body["error"] = error;
        LAB_CHECK(runs.set_body(request.ctx, run.key, dump_json(body)));
    }
    LAB_CHECK(runs.set_state(request.ctx, run.key, wanted, error, now_text(request)));
    LAB_CHECK(transaction.commit(request.ctx));
    request.deps.observer->run_ended(to_string(wanted));
    return need_run(request, experiment, id, Deed::run);
}

/// Deep: objects are merged, everything else is replaced.
void merge(Json& into, const Json& from) {
    for (const auto& [name, value] : from.items()) {
        if (value.is_object() && into.contains(name) && into[name].is_object()) {
            merge(into[name], value);
        } else {
            into[name] = value;
        }
    }
}

}  // namespace

Result<Run> queue_compiled(
    const Request& request, const Resource& one, const CompiledConfig& compiled, const Json& body
) {
    auto experiment = load_stored_experiment(
        request.ctx, request.deps, compiled.source, "/", compiled.dataset_hash, Purpose::run
    );
    if (!experiment) {
        Error error = experiment.error();
        if (error.code == Code::validation) {
            error.message = "this experiment cannot be run as it is";  // nothing is stored yet
        }
        return error;
    }
    Run run;
    run.id = request.deps.uuids->next();
    run.experiment_id = one.id;
    run.experiment_name = one.name;
    run.state = RunState::queued;
    run.spec = dump_json(compiled.source);
    Json manifest = make_manifest(request.deps, **experiment);
    run.manifest = dump_json(manifest);
    run.dataset_hash = compiled.dataset_hash;
    run.created_at = now_text(request);
    run.planned = (*experiment)->plan->samples();
    run.created_by = request.caller.user_id;
    Json kept = body;
    keep_trace(kept);
    run.body = dump_json(kept);
    return Runs(request.session).create_in(request.ctx, one.key, std::move(run));
}

const Noun& experiment_noun() {
    using enum domain::Permission;
    static const Noun kNoun{
        .name = "experiment",
        .kind = storage::ResourceKind::experiment,
        .create = create_experiment,
        .read = read_experiment,
        .update = update_experiment,
        .remove = delete_experiment,
        .schema = &schema(),
        .first_status = "draft",
        .shows_status = true,
        .system_members = {"started_at", "completed_at", "archived_at"},
        .check = check_experiment,
        .may_remove = may_remove,
        .decorate = decorate,
    };
    return kNoun;
}

Result<Shown> start_experiment(const Request& request, RunControl& control, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::run));
    const ExperimentState state = state_of(one);
    if (state == ExperimentState::running) {
        LAB_TRY(const auto last, newest_run(request, one.key, is_of_engine));
        if (!last || !is_terminal(last->state) || !is_of_last_start(one, *last)) {
            return shown(request, one);  // starting what runs changes nothing
        }
        // Its run is over, and whoever carried it out has yet to say so of the experiment.
        LAB_CHECK(settle_experiment(request, *last));
        return start_experiment(request, control, id);
    }
    if (state == ExperimentState::paused) {
        return resume_experiment(request, control, id);
    }
    if (!domain::may_follow(state, ExperimentState::running)) {
        return wrong_state("started", one, ExperimentState::running);
    }
    LAB_CHECK(queue_run(request, one));
    control.wake();
    return shown(request, one);
}

Result<Shown> pause_experiment(const Request& request, RunControl& control, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::run));
    LAB_CHECK(move_to(request, one, ExperimentState::paused, "paused", Json::object()));
    LAB_TRY(const auto run, open_run(request, one));
    if (run) {
        LAB_CHECK(Runs(request.session)
                      .move_state(request.ctx, run->key, RunState::queued, RunState::interrupted));
        control.interrupt(run->id);
    }
    return shown(request, one);
}

Result<Shown> resume_experiment(
    const Request& request, RunControl& control, const std::string& id
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::run));
    if (state_of(one) != ExperimentState::paused && state_of(one) != ExperimentState::running) {
        return wrong_state("resumed", one, ExperimentState::running);
    }
    LAB_CHECK(move_to(request, one, ExperimentState::running, "resumed", Json::object()));
    LAB_TRY(const auto run, open_run(request, one));
    if (run) {
        LAB_CHECK(Runs(request.session)
                      .move_state(request.ctx, run->key, RunState::interrupted, RunState::queued));
        control.wake();
        return shown(request, one);
    }
    // What was in flight when it was paused was the rest of it: there is nothing to go on with.
    LAB_TRY(const auto last, newest_run(request, one.key, is_of_engine));
    if (last) {
        LAB_CHECK(settle_experiment(request, *last));
        LAB_TRY(one, need_experiment(request, id, Deed::run));
    }
    return shown(request, one);
}

Result<Shown> cancel_experiment(
    const Request& request, RunControl& control, const std::string& id
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::run));
    const Json members = {{"completed_at", now_text(request)}};
    LAB_CHECK(move_to(request, one, ExperimentState::cancelled, "cancelled", members));
    LAB_TRY(const auto run, open_run(request, one));
    if (run) {
        LAB_CHECK(Runs(request.session)
                      .set_state(
                          request.ctx,
                          run->key,
                          RunState::cancelled,
                          "cancelled by hand",
                          now_text(request)
                      ));
        control.interrupt(run->id);
    }
    return shown(request, one);
}

Result<Shown> archive_experiment(const Request& request, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::update_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::update));
    const Json members = {{"archived_at", now_text(request)}};
    LAB_CHECK(move_to(request, one, ExperimentState::archived, "archived", members));
    return shown(request, one);
}

Result<Shown> unarchive_experiment(const Request& request, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::update_experiment));
    LAB_TRY(Resource one, need_experiment(request, id, Deed::update));
    if (state_of(one) != ExperimentState::archived) {
        return wrong_state("taken out of the archive", one, ExperimentState::ready);
    }
    const Json members = {{"archived_at", nullptr}};
    LAB_CHECK(move_to(request, one, ExperimentState::ready, "taken out of the archive", members));
    return shown(request, one);
}

Result<Shown> clone_experiment(
    const Request& request, const std::string& id, const std::string& name
) {
    LAB_CHECK(require(request.caller, Permission::create_experiment));
    LAB_TRY(const Resource one, need_experiment(request, id, Deed::read));
    LAB_TRY(const Json body, parse_json(one.body));
    Json fresh = Json::object();
    fresh["name"] = name.empty() ? shorten(one.name, 240) + " (copy)" : name;
    for (const char* member : {"description", "hypothesis", "config", "metadata"}) {
        if (body.contains(member)) {
            fresh[member] = body[member];
        }
    }
    fresh["tags"] = one.tags;
    fresh["visibility"] = to_string(one.access.visibility);
    return create_noun(request, experiment_noun(), fresh);
}

Result<Run> need_run(
    const Request& request, const std::string& experiment, const std::string& run, Deed deed
) {
    LAB_TRY(const Resource one, need_experiment(request, experiment, deed));
    LAB_TRY(auto found, Runs(request.session).find_in(request.ctx, one.key, run));
    if (!found) {
        return no_such("run");
    }
    return *std::move(found);
}

Result<Json> create_run(const Request& request, const std::string& experiment, const Json& body) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(const Resource one, need_experiment(request, experiment, Deed::run));
    if (state_of(one) == ExperimentState::archived) {
        return wrong_state("run", one, ExperimentState::running);
    }
    LAB_TRY(const Json whole, parse_json(one.body));
    Json config = whole.value("config", Json::object());
    merge(config, body.value("config_overrides", Json::object()));
    Json own = Json::object();
    own["config"] = std::move(config);
    own["environment"] = body.value("environment", Json::object());
    if (body.contains("parent_run_id")) {
        const std::string parent = to_lower(body["parent_run_id"].get<std::string>());
        LAB_TRY(const auto found, Runs(request.session).find_in(request.ctx, one.key, parent));
        if (!found) {
            return Error(
                Code::validation,
                "the run cannot be as given",
                {{"parent_run_id", "the experiment has no run with this id"}}
            );
        }
        own["parent_run_id"] = parent;
    }
    Run run;
    run.id = request.deps.uuids->next();
    run.experiment_id = one.id;
    run.experiment_name = one.name;
    run.state = RunState::pending;
    run.spec = run.manifest = "{}";
    run.created_at = now_text(request);
    run.name = body.value("name", "");
    run.origin = "client";
    run.created_by = request.caller.user_id;
    run.body = dump_json(own);
    LAB_TRY(run, Runs(request.session).create_in(request.ctx, one.key, std::move(run)));
    return show_run(request, run);
}

Result<RunList> list_runs_of(
    const Request& request,
    const std::string& experiment,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
) {
    LAB_CHECK(require(request.caller, Permission::read_experiment));
    LAB_TRY(const Resource one, need_experiment(request, experiment, Deed::read));
    Runs runs(request.session);
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    LAB_TRY(
        auto found, runs.list_in(request.ctx, one.key, limit + 1, offset, below.value_or(kNone))
    );
    RunList out;
    out.more = std::ssize(found) > limit;
    if (out.more) {
        found.pop_back();
    }
    LAB_TRY(out.total, runs.count_in(request.ctx, one.key));
    for (const Run& run : found) {
        LAB_TRY(out.rows.emplace_back(), show_run(request, run));
        out.last = run.number;
    }
    return out;
}

Result<Json> get_run_of(
    const Request& request, const std::string& experiment, const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::read_experiment));
    LAB_TRY(const Run found, need_run(request, experiment, run, Deed::read));
    return show_run(request, found);
}

Result<Json> cancel_run_of(
    const Request& request,
    RunControl& control,
    const std::string& experiment,
    const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Run found, need_run(request, experiment, run, Deed::run));
    if (found.state != RunState::cancelled) {
        if (is_terminal(found.state)) {
            return Error(
                Code::invalid_state,
                "the run has ended already",
                {{"current", std::string(shown_state(found))}}
            );
        }
        LAB_CHECK(Runs(request.session)
                      .set_state(
                          request.ctx,
                          found.key,
                          RunState::cancelled,
                          "cancelled by hand",
                          now_text(request)
                      ));
        control.interrupt(found.id);
        LAB_TRY(found, need_run(request, experiment, run, Deed::run));
        if (found.origin == "engine") {
            LAB_CHECK(settle_experiment(request, found));
        }
    }
    return show_run(request, found);
}

Result<Json> complete_run(
    const Request& request, const std::string& experiment, const std::string& run
) {
    LAB_TRY(const Run ended, end_client_run(request, experiment, run, RunState::completed, ""));
    return show_run(request, ended);
}

Result<Json> fail_run(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& error
) {
    LAB_TRY(const Run ended, end_client_run(request, experiment, run, RunState::failed, error));
    return show_run(request, ended);
}

Status settle_experiments_left(const Request& request) {
    constexpr std::int64_t kAtOnce = 100;
    storage::Resources experiments(request.session, storage::ResourceKind::experiment);
    LAB_TRY(const auto left, Runs(request.session).list_unsettled(request.ctx, kAtOnce));
    for (const Run& run : left) {
        LAB_TRY(const auto one, experiments.find_anywhere(request.ctx, run.experiment_id));
        if (one && is_of_last_start(*one, run)) {
            LAB_CHECK(settle_experiment(request, run));
        }
    }
    return ok();
}

Status settle_experiment(const Request& request, const Run& run) {
    storage::Resources experiments(request.session, storage::ResourceKind::experiment);
    LAB_TRY(auto found, experiments.find_anywhere(request.ctx, run.experiment_id));
    if (!found || state_of(*found) != ExperimentState::running) {
        return ok();  // paused, cancelled or gone meanwhile: that was somebody's will
    }
    ExperimentState state = ExperimentState::failed;
    if (run.state == RunState::completed) {
        state = ExperimentState::completed;
    } else if (run.state == RunState::cancelled) {
        state = ExperimentState::cancelled;
    } else if (run.state == RunState::interrupted || run.state == RunState::queued) {
        return ok();
    }
    const WallTime now = request.deps.clock->wall();
    LAB_CHECK(set_noun_status(
        request,
        experiment_noun(),
        *found,
        to_string(state),
        {{"completed_at", format_rfc3339(now)}}
    ));
    LAB_TRY(const Json body, parse_json(found->body));
    const auto started = parse_rfc3339(body.value("started_at", ""));
    request.deps.observer->experiment_ended(
        to_string(state),
        started ? std::max<Duration>(now - *started, Duration::zero()) : Duration::zero()
    );
    return ok();
}

}  // namespace lab::service
