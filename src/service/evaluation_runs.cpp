#include "service/evaluation_runs.h"

#include "base/text.h"
#include "platform/json/schema.h"
#include "service/impl/evaluation_config.h"
#include "service/impl/evaluation_law.h"
#include "service/impl/judging.h"
#include "service/impl/queue_run.h"
#include "service/impl/run_view.h"
#include "storage/store/client_runs.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

namespace lab::service {
namespace {

using domain::Deed;
using domain::Permission;
using domain::Run;
using domain::RunState;
using storage::Resource;
using storage::ResourceKind;
using storage::Resources;
using storage::Runs;

constexpr std::int64_t kScoresReadMax = 100'000;

std::string now_text(const Request& request) { return format_rfc3339(request.deps.clock->wall()); }

/// A definition and what its body says.
struct Definition {
    Resource one;
    Json body;
    std::string type() const { return body.value("evaluation_type", ""); }
};

Result<Definition> need_definition(const Request& request, const std::string& id, Deed deed) {
    Definition out;
    LAB_TRY(out.one, need_noun(request, evaluation_noun(), id, deed));
    LAB_TRY(out.body, parse_json(out.one.body));
    const std::string kind = out.body.value("kind", "definition");
    if (kind != "definition") {
        return Error(
            Code::invalid_state,
            "only definitions can be run: this one is a " + kind,
            {{"current", kind}, {"allowed", "definition"}}
        );
    }
    return out;
}

/// The experiment that carries the runs; nullopt before the first one.
Result<std::optional<Resource>> find_carrier(const Request& request, const Json& body) {
    const std::string id = body.value(kRunsMember, "");
    if (id.empty()) {
        return std::nullopt;
    }
    return Resources(request.session, ResourceKind::experiment).find_anywhere(request.ctx, id);
}

struct Carrier {
    Resource experiment;
    bool is_new = false;
};

/// The experiment that carries the runs, made when there is none.
Result<Carrier> need_carrier(const Request& request, const Definition& definition) {
    LAB_TRY(auto known, find_carrier(request, definition.body));
    if (known) {
        return Carrier{.experiment = *std::move(known)};
    }
    Carrier out{.experiment = {}, .is_new = true};
    Resource& one = out.experiment;
    one.id = request.deps.uuids->next();
    one.org = definition.one.org;
    one.name = definition.one.name;
    one.status = "ready";
    one.access.owner = definition.one.id;  // a name of its own for each definition
    one.access.visibility = domain::Visibility::private_;
    one.evaluation_id = definition.one.id;
    one.created_at = one.updated_at = now_text(request);
    Resources experiments(request.session, ResourceKind::experiment);
    const Status made = experiments.create(request.ctx, one);
    if (made) {
        return out;
    }
    if (made.error().code != Code::conflict) {
        return made.error();
    }
    // Somebody else began the first run at the same moment.
    LAB_TRY(auto other, experiments.find_named(request.ctx, one.org, definition.one.id, one.name));
    if (!other) {
        return made.error();
    }
    return Carrier{.experiment = *std::move(other)};
}

/// Changes a definition over whatever revision it has by now.
Status change_definition(
    const Request& request, const std::string& id, std::string_view status, const Json& members
) {
    constexpr int kTries = 5;
    Status out = ok();
    for (int i = 0; i < kTries; ++i) {
        Resources evaluations(request.session, ResourceKind::evaluation);
        LAB_TRY(auto found, evaluations.find_anywhere(request.ctx, id));
        if (!found) {
            return ok();  // gone meanwhile
        }
        Resource& one = *found;
        out = set_noun_status(request, evaluation_noun(), one, status, members);
        if (out || out.error().code != Code::conflict) {
            break;
        }
    }
    return out;
}

Result<Json> show(const Request& request, const std::string& evaluation, const Run& run) {
    LAB_TRY(Json out, show_run(request, run));
    out.erase("experiment_id");
    out["evaluation_id"] = evaluation;
    LAB_TRY(const Json body, parse_json(run.body));
    for (const char* member : {"stage", "judge"}) {
        if (body.contains(member)) {
            out[member] = body[member];
        }
    }
    return out;
}

/// Opens a run whose scores a client reports.
Result<Run> open_client_run(
    const Request& request, const Definition& definition, const Resource& carrier, const Json& body
) {
    const Json& config = body["config"];
    Run run;
    run.id = request.deps.uuids->next();
    run.experiment_id = carrier.id;
    run.experiment_name = definition.one.name;
    run.state = RunState::pending;
    run.spec = run.manifest = "{}";
    run.created_at = now_text(request);
    run.origin = "client";
    run.created_by = request.caller.user_id;
    const auto models =
        std::max<std::int64_t>(1, std::ssize(config.value("model_ids", Json::array())));
    run.planned = config.value("sample_size", std::int64_t{0}) * models;
    run.body = dump_json(body);
    return Runs(request.session).create_in(request.ctx, carrier.key, std::move(run));
}

Result<Run> begin_run(const Request& request, const Definition& definition, const Json& config) {
    const std::string type = definition.type();
    const bool by_client = type == "human" || type == "custom";
    const bool by_judge = type == "llm_judge";
    CompiledConfig compiled;
    JudgePlan judge;
    if (by_judge) {
        const std::string visibility(to_string(definition.one.access.visibility));
        LAB_TRY(judge, plan_judge(request, definition.one.name, visibility, config));
    } else if (!by_client) {
        LAB_TRY(compiled, compile_evaluation(request, definition.one.name, type, config));
    }
    LAB_TRY(const Carrier carrier, need_carrier(request, definition));
    const Resource& in = carrier.experiment;
    const Json body = {{"config", config}, {"evaluation_id", definition.one.id}};
    auto made = by_client  ? open_client_run(request, definition, in, body)
                : by_judge ? queue_judge(request, in, judge, body)
                           : queue_compiled(request, in, compiled, body);
    if (!made) {
        if (carrier.is_new) {
            LAB_CHECK(Resources(request.session, ResourceKind::experiment).remove(request.ctx, in));
        }
        return by_judge ? made.error() : at_definition(made.error(), config);
    }
    const Json members = {
        {"run_count", made->number}, {"last_run_at", made->created_at}, {kRunsMember, in.id}
    };
    LAB_CHECK(change_definition(request, definition.one.id, "running", members));
    // Whoever carries it out may have been quicker than this.
    LAB_TRY(const Run now, Runs(request.session).get(request.ctx, made->id));
    LAB_CHECK(settle_evaluation(request, now));
    return now;
}

std::string_view status_after(RunState state) {
    switch (state) {
        case RunState::completed:
            return "completed";
        case RunState::cancelled:
            return "cancelled";
        case RunState::failed:
        case RunState::timed_out:
        case RunState::budget_exhausted:
            return "failed";
        default:
            return "running";
    }
}

}  // namespace

Result<Run> need_evaluation_run(
    const Request& request, const std::string& id, const std::string& run, Deed deed
) {
    LAB_TRY(const Definition definition, need_definition(request, id, deed));
    LAB_TRY(const auto carrier, find_carrier(request, definition.body));
    if (!carrier) {
        return no_such("run");
    }
    LAB_TRY(auto found, Runs(request.session).find_in(request.ctx, carrier->key, run));
    if (!found) {
        return no_such("run");
    }
    return *std::move(found);
}

const Json& evaluation_run_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"config_overrides", evaluation_schema(EvaluationKind::definition)["properties"]["config"]
          },
          {"async_execution", {{"type", "boolean"}}}}},
        {"additionalProperties", false},
    };
    return kSchema;
}

Result<Json> run_evaluation(
    const Request& request, RunControl& control, const std::string& id, const Json& body
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(const Definition definition, need_definition(request, id, Deed::run));
    Json config = definition.body.value("config", Json::object());
    config.merge_patch(body.value("config_overrides", Json::object()));
    LAB_TRY(const Run run, begin_run(request, definition, config));
    control.wake();
    return show(request, definition.one.id, run);
}

bool is_over(const Json& run) {
    const std::string status = run.value("status", "");
    return status == "completed" || status == "failed" || status == "cancelled" ||
           status == "timed_out";
}

Result<Json> await_evaluation_run(
    const Request& request, const std::string& id, const std::string& run
) {
    constexpr auto kLook = std::chrono::milliseconds(50);
    constexpr auto kLookSlowly = std::chrono::milliseconds(500);
    constexpr auto kForTheAnswer = std::chrono::milliseconds(500);
    // Another process may carry the run out: what is stored is what all of them know.
    std::mutex mutex;
    std::condition_variable nobody_wakes_it;
    for (int looks = 0;; ++looks) {
        LAB_TRY(const Run found, need_evaluation_run(request, id, run, Deed::read));
        const Duration pause = looks < 20 ? Duration(kLook) : Duration(kLookSlowly);
        const bool late = request.ctx.remaining() < pause + kForTheAnswer;
        // Who carried it out may be about to say so.
        LAB_CHECK(settle_evaluation(request, found));
        if (is_terminal(found.state) || found.origin == "client" || late || !request.ctx.check()) {
            return show(request, id, found);
        }
        std::unique_lock lock(mutex);
        nobody_wakes_it.wait_for(lock, pause);
    }
}

Result<RunList> list_evaluation_runs(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
) {
    LAB_CHECK(require(request.caller, Permission::read_metrics));
    LAB_TRY(const Definition definition, need_definition(request, id, Deed::read));
    LAB_TRY(const auto carrier, find_carrier(request, definition.body));
    RunList out;
    if (!carrier) {
        return out;
    }
    Runs runs(request.session);
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    LAB_TRY(
        auto found,
        runs.list_in(request.ctx, carrier->key, limit + 1, offset, below.value_or(kNone))
    );
    LAB_TRY(out.total, runs.count_in(request.ctx, carrier->key));
    out.more = std::ssize(found) > limit;
    if (out.more) {
        found.pop_back();
    }
    for (const Run& run : found) {
        LAB_TRY(out.rows.emplace_back(), show(request, id, run));
        out.last = run.number;
    }
    return out;
}

Result<Json> get_evaluation_run(
    const Request& request, const std::string& id, const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::read_metrics));
    LAB_TRY(const Run found, need_evaluation_run(request, id, run, Deed::read));
    return show(request, id, found);
}

Result<Json> cancel_evaluation_run(
    const Request& request, RunControl& control, const std::string& id, const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    LAB_TRY(Run found, need_evaluation_run(request, id, run, Deed::run));
    if (found.state == RunState::cancelled) {
        return show(request, id, found);
    }
    if (is_terminal(found.state)) {
        return Error(
            Code::invalid_state,
            "the run has ended already",
            {{"current", std::string(to_string(found.state))}}
        );
    }
    Runs runs(request.session);
    // Whoever carries it out hears of it from the body, whatever the engine writes meanwhile.
    LAB_TRY(Json body, parse_json(found.body));
    body["cancelled"] = true;
    LAB_CHECK(runs.set_body(request.ctx, found.key, dump_json(body)));
    LAB_CHECK(runs.set_state(
        request.ctx, found.key, RunState::cancelled, "cancelled by hand", now_text(request)
    ));
    control.interrupt(found.id);
    if (const std::string models = awaited_outputs(found); !models.empty()) {
        // Nobody else wants the outputs that it waited for.
        const auto ended = cancel_evaluation_run(request, control, id, models);
        if (!ended && ended.error().code != Code::invalid_state &&
            ended.error().code != Code::not_found) {
            return ended.error();
        }
    }
    LAB_TRY(found, need_evaluation_run(request, id, run, Deed::run));
    LAB_CHECK(settle_evaluation(request, found));
    return show(request, id, found);
}

namespace {

/// A run of a client that takes scores; it is under way from the first one on.
Result<Run> need_open_run(const Request& request, const std::string& id, const std::string& run) {
    LAB_TRY(Run found, need_evaluation_run(request, id, run, Deed::run));
    if (found.origin != "client" || is_terminal(found.state)) {
        return Error(
            Code::invalid_state,
            found.origin == "client" ? "the run has ended already"
                                     : "the engine carries this run out and computes its scores",
            {{"current", std::string(to_string(found.state))}}
        );
    }
    if (found.state == RunState::pending) {
        LAB_CHECK(Runs(request.session)
                      .set_state(request.ctx, found.key, RunState::running, "", now_text(request)));
        found.state = RunState::running;
    }
    return found;
}

/// Scores of items and points, as the body has them.
struct Reported {
    std::vector<storage::ClientSample> scores;
    std::vector<storage::MetricPoint> points;
};

Reported read_scores(const Json& list, const std::string& now) {
    Reported out;
    for (const Json& one : list) {
        const bool named = one.contains("name");
        if (named && !one.contains("item_id")) {
            out.points.push_back(
                {.name = one["name"].get<std::string>(),
                 .step = one.value("step", std::int64_t{0}),
                 .value = one["value"].get<double>(),
                 .timestamp = one.value("timestamp", now)}
            );
            continue;
        }
        Json body = Json::object();
        body["item_id"] = one["item_id"];
        body["scores"] = one.value("metrics", Json::object());
        if (named) {
            body["scores"][one["name"].get<std::string>()] = one["value"];
        }
        for (const char* member :
             {"variant", "rater", "input", "output", "expected_output", "comment"}) {
            if (one.contains(member)) {
                body[member] = one[member];
            }
        }
        // Without a name of the client's: one judgement of one rater on one output.
        const std::string fallback = dump_json(Json::array(
            {one["item_id"], one.value("variant", ""), one.value("rater", ""), one.value("name", "")
            }
        ));
        out.scores.push_back(
            {.client_id = one.value("id", fallback), .body = dump_json(body), .created_at = now}
        );
    }
    return out;
}

/// What a schema cannot say: a score is of something, and is a number.
Status check_scores(const Json& list) {
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string place = "scores[" + std::to_string(i) + "]";
        const bool named = list[i].contains("name");
        if (named != list[i].contains("value")) {
            problems.push_back({place + (named ? ".value" : ".name"), "name and value go together"}
            );
        }
        const bool metrics = list[i].contains("metrics") && !list[i]["metrics"].empty();
        if (!named && !metrics) {
            problems.push_back({place + ".metrics", "give {name: number}, or name and value"});
        }
        if (!named && !list[i].contains("item_id")) {
            problems.push_back({place + ".item_id", "which item do the scores belong to?"});
        }
    }
    return problems.empty()
               ? ok()
               : Status(Error(
                     Code::validation, "the scores cannot be taken as they are", std::move(problems)
                 ));
}

/// Whether every sample that was expected has a score.
Result<bool> all_scored(const Request& request, const Run& run) {
    if (run.planned <= 0) {
        return false;
    }
    storage::ClientRuns clients(request.session);
    LAB_TRY(const auto found, clients.list_samples(request.ctx, run.key, 0, kScoresReadMax));
    std::set<std::pair<std::string, std::string>> seen;
    for (const storage::ClientSample& one : found) {
        LAB_TRY(const Json body, parse_json(one.body));
        seen.emplace(body.value("item_id", one.client_id), body.value("variant", ""));
    }
    return std::ssize(seen) >= run.planned;
}

}  // namespace

const Json& scores_schema() {
    static const Json kSchema = [] {
        const auto text = [](std::int64_t most) {
            return Json{{"type", "string"}, {"maxLength", most}};
        };
        Json p = Json::object();
        p["id"] = {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}};
        p["item_id"] = p["id"];
        p["name"] = p["id"];
        p["value"] = {{"type", "number"}};
        p["step"] = {{"type", "integer"}, {"minimum", 0}};
        p["timestamp"] = {
            {"type", "string"},
            {"pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$"},
            {"x-hint", "an RFC 3339 time"}
        };
        p["metrics"] = {{"type", "object"}, {"additionalProperties", {{"type", "number"}}}};
        for (const char* member : {"variant", "rater"}) {
            p[member] = text(255);
        }
        for (const char* member : {"input", "output", "expected_output", "comment"}) {
            p[member] = text(1'000'000);
        }
        const Json one = {
            {"type", "object"}, {"properties", std::move(p)}, {"additionalProperties", false}
        };
        const Json list = {{"type", "array"}, {"maxItems", 1000}, {"items", one}};
        Json whole = Json::object();
        whole["scores"] = list;
        whole["complete"] = {{"type", "boolean"}};
        return Json{
            {"oneOf",
             {list,
              {{"type", "object"}, {"properties", std::move(whole)}, {"additionalProperties", false}
              }}}
        };
    }();
    return kSchema;
}

Result<Json> add_scores(
    const Request& request, const std::string& id, const std::string& run, const Json& body
) {
    LAB_CHECK(require_or_scope(request.caller, Permission::run_experiment, "metrics:write"));
    const Json list = body.is_array() ? body : body.value("scores", Json::array());
    LAB_CHECK(check_scores(list));
    LAB_TRY(Run open, need_open_run(request, id, run));
    const Reported reported = read_scores(list, now_text(request));
    storage::ClientRuns clients(request.session);
    std::int64_t added = 0;
    if (!reported.scores.empty()) {
        LAB_TRY(added, clients.add_samples(request.ctx, open.key, reported.scores));
    }
    if (!reported.points.empty()) {
        LAB_TRY(
            const std::int64_t more, clients.add_points(request.ctx, open.key, reported.points)
        );
        added += more;
    }
    LAB_TRY(const bool all, all_scored(request, open));
    if (all || (body.is_object() && body.value("complete", false))) {
        LAB_CHECK(Runs(request.session)
                      .set_state(request.ctx, open.key, RunState::completed, "", now_text(request))
        );
        LAB_TRY(open, need_evaluation_run(request, id, run, Deed::run));
        LAB_CHECK(settle_evaluation(request, open));
    }
    LAB_TRY(Json shown, show(request, id, open));
    return Json{{"received", list.size()}, {"added", added}, {"run", std::move(shown)}};
}

Status settle_evaluation(const Request& request, const Run& run) {
    LAB_TRY(const Json body, parse_json(run.body));
    const std::string id = body.value("evaluation_id", "");
    if (id.empty() || !is_terminal(run.state)) {
        return ok();
    }
    LAB_TRY(
        const auto found,
        Resources(request.session, ResourceKind::evaluation).find_anywhere(request.ctx, id)
    );
    if (!found) {
        return ok();
    }
    // The last run is what the definition's status speaks of.
    LAB_TRY(const Json definition, parse_json(found->body));
    if (definition.value("run_count", run.number) > run.number) {
        return ok();
    }
    const std::string_view status = status_after(run.state);
    return found->status == status ? ok() : change_definition(request, id, status, Json::object());
}

Status may_remove_evaluation(const Request& request, const Resource& one) {
    LAB_TRY(const Json body, parse_json(one.body));
    LAB_TRY(const auto carrier, find_carrier(request, body));
    if (!carrier) {
        return ok();
    }
    constexpr std::int64_t kLookedAt = 1000;
    LAB_TRY(
        const auto runs, Runs(request.session).list_in(request.ctx, carrier->key, kLookedAt, 0)
    );
    for (const Run& run : runs) {
        if (run.origin == "engine" && !is_terminal(run.state)) {
            return Error(
                Code::invalid_state,
                "a run of it is under way: cancel it first",
                {{"current", std::string(to_string(run.state))}}
            );
        }
    }
    LAB_CHECK(Resources(request.session, ResourceKind::experiment).remove(request.ctx, *carrier));
    return ok();
}

}  // namespace lab::service
