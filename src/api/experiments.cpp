#include "api/experiments.h"

#include "api/lists.h"
#include "api/nouns.h"
#include "base/text.h"
#include "domain/experiment.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace lab::api {
namespace {

using domain::Permission;

constexpr std::string_view kTag = "Experiments";
constexpr std::string_view kRunTag = "Runs";
constexpr std::size_t kSamplesBytesMax = 16U << 20;

Status read_filters(const Call& call, storage::ResourceFilter& filter) {
    filter.status = call.query("status");
    if (filter.status && !domain::experiment_state_from(*filter.status)) {
        return Error(
            Code::bad_request,
            "no experiment is ever \"" + shorten(*filter.status, 40) +
                "\": status is draft, ready, running, paused, completed, failed, cancelled or "
                "archived"
        );
    }
    if (const auto owner = call.query("owner_id")) {
        filter.owner = to_lower(*owner);
    }
    if (const auto tags = call.query("tags")) {
        filter.tags = split_words(*tags);
    }
    if (const auto text = call.query("q")) {
        filter.text = to_lower(*text);
    }
    return ok();
}

Route route(
    std::string_view method,
    std::string_view path,
    std::string_view summary,
    Permission permission,
    Handler handler
) {
    Route out;
    out.method = method;
    out.path = path;
    out.summary = summary;
    out.tag = path.find("/runs") == std::string_view::npos ? kTag : kRunTag;
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

/// A route that changes something: audited, and refused during maintenance.
Route deed(
    std::string_view path,
    std::string_view summary,
    Permission permission,
    std::string_view resource,
    Handler handler
) {
    Route out = route("POST", path, summary, permission, std::move(handler));
    out.audit = {.event = "data_modification", .action = "update", .resource = resource};
    out.maintenance = InMaintenance::refused;
    out.errors = {400};
    return out;
}

using Step =
    Result<service::Shown> (*)(const service::Request&, service::RunControl&, const std::string&);
using PlainStep = Result<service::Shown> (*)(const service::Request&, const std::string&);

Handler step(Step how, service::RunControl* control) {
    return [how, control](Call& call) -> Result<Reply> {
        LAB_TRY(auto shown, how(call.request(), *control, call.path(0)));
        return reply_shown(std::move(shown));
    };
}

Handler step(PlainStep how) {
    return [how](Call& call) -> Result<Reply> {
        LAB_TRY(auto shown, how(call.request(), call.path(0)));
        return reply_shown(std::move(shown));
    };
}

const Json& clone_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"name", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}}}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& run_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"name", {{"type", "string"}, {"maxLength", 255}}},
          {"config_overrides", {{"type", "object"}}},
          {"environment", {{"type", "object"}}},
          {"parent_run_id",
           {{"type", "string"}, {"pattern", "^[0-9A-Fa-f-]{36}$"}, {"x-hint", "a UUID"}}}}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& fail_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"error", {{"type", "string"}, {"minLength", 1}, {"maxLength", 10'000}}}}},
        {"required", {"error"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& points_schema() {
    static const Json kSchema{
        {"type", "array"},
        {"minItems", 1},
        {"maxItems", 1000},
        {"items",
         {{"type", "object"},
          {"properties",
           {{"name", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}},
            {"value", {{"type", "number"}}},
            {"step", {{"type", "integer"}, {"minimum", 0}}},
            {"timestamp",
             {{"type", "string"},
              {"pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$"},
              {"x-hint", "an RFC 3339 time"}}}}},
          {"required", {"name", "value"}},
          {"additionalProperties", false}}},
    };
    return kSchema;
}

const Json& samples_schema() {
    static const Json tokens{{"type", "integer"}, {"minimum", 0}, {"maximum", 1'000'000'000'000}};
    static const Json kSchema{
        {"type", "array"},
        {"minItems", 1},
        {"maxItems", 1000},
        {"items",
         {{"type", "object"},
          {"properties",
           {{"id", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}},
            {"item_id", {{"type", "string"}, {"maxLength", 255}}},
            {"variant", {{"type", "string"}, {"maxLength", 255}}},
            {"status", {{"enum", {"done", "failed"}}}},
            {"input", {{"type", "string"}}},
            {"output", {{"type", "string"}}},
            {"expected_output", {{"type", "string"}}},
            {"scores", {{"type", "object"}}},
            {"usage",
             {{"type", "object"},
              {"properties",
               {{"input_tokens", tokens},
                {"cache_read_tokens", tokens},
                {"cache_write_tokens", tokens},
                {"output_tokens", tokens},
                {"reasoning_tokens", tokens},
                {"total_tokens", tokens}}}}},
            {"latency_ms", {{"type", "number"}, {"minimum", 0}}},
            {"cost",
             {{"type", "string"}, {"pattern", "^[0-9]+(\\.[0-9]{1,12})?$"}, {"x-hint", "a decimal"}}
            },
            {"error", {{"type", "object"}}},
            {"metadata", {{"type", "object"}}}}},
          {"required", {"id"}},
          {"additionalProperties", false}}},
    };
    return kSchema;
}

void add_states(std::vector<Route>& out, service::RunControl* control) {
    const auto add =
        [&](std::string_view path, std::string_view summary, Permission may, Handler how) {
            out.push_back(deed(path, summary, may, "experiment", std::move(how)));
        };
    const Permission run = Permission::run_experiment;
    const Permission change = Permission::update_experiment;
    add("/experiments/{id}/start",
        "Check the config and queue a run of it",
        run,
        step(service::start_experiment, control));
    out.back().errors.push_back(422);  // a config that cannot be run
    add("/experiments/{id}/pause",
        "Send nothing more; what is in flight is finished and kept",
        run,
        step(service::pause_experiment, control));
    add("/experiments/{id}/resume",
        "Go on where it was paused",
        run,
        step(service::resume_experiment, control));
    add("/experiments/{id}/cancel",
        "End it; what has been stored stays",
        run,
        step(service::cancel_experiment, control));
    add("/experiments/{id}/archive", "Put it away", change, step(service::archive_experiment));
    add("/experiments/{id}/unarchive",
        "Take it out again",
        change,
        step(service::unarchive_experiment));
    Route clone = deed(
        "/experiments/{id}/clone",
        "Make a draft with the same config",
        Permission::create_experiment,
        "experiment",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                auto made,
                service::clone_experiment(
                    call.request(), call.path(0), call.body().value("name", "")
                )
            );
            Reply reply = reply_shown(std::move(made), 201);
            reply.audit_id = (*reply.json)["id"].get<std::string>();
            return reply;
        }
    );
    clone.success = 201;
    clone.body = BodyKind::json;
    clone.body_optional = true;
    clone.request_schema = &clone_schema();
    clone.audit.action = "create";
    out.push_back(std::move(clone));
}

Result<ListPage> fetch_runs(const Call& call, const ListQuery& query) {
    LAB_TRY(const auto below, number_after(query));
    LAB_TRY(
        auto found,
        service::list_runs_of(call.request(), call.path(0), below, query.limit, query.offset)
    );
    return ListPage{
        .data = std::move(found.rows),
        .total = found.total,
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

void add_runs(std::vector<Route>& out, const ExperimentRoutesDeps& deps) {
    Route create = deed(
        "/experiments/{id}/runs",
        "Begin a run that the client carries out and reports",
        Permission::run_experiment,
        "run",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json run, service::create_run(call.request(), call.path(0), call.body()));
            Reply reply = reply_json(std::move(run), 201);
            reply.audit_id = (*reply.json)["id"].get<std::string>();
            reply.headers.emplace_back("Location", call.head().path + "/" + reply.audit_id);
            return reply;
        }
    );
    create.success = 201;
    create.body = BodyKind::json;
    create.body_optional = true;
    create.request_schema = &run_schema();
    create.audit.action = "create";
    out.push_back(std::move(create));

    Route list = route(
        "GET",
        "/experiments/{id}/runs",
        "List the runs, newest first",
        Permission::read_experiment,
        [&signing = deps.signing](Call& call) {
            return reply_list(
                call,
                signing,
                {.resource = "run", .source = fetch_runs, .exported_from = "experiment"}
            );
        }
    );
    list.query = ordered_list_parameters();
    out.push_back(std::move(list));

    out.push_back(route(
        "GET",
        "/experiments/{id}/runs/{run}",
        "Show one run",
        Permission::read_experiment,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json run, service::get_run_of(call.request(), call.path(0), call.path(1)));
            return reply_json(std::move(run));
        }
    ));
    out.push_back(deed(
        "/experiments/{id}/runs/{run}/cancel",
        "End the run",
        Permission::run_experiment,
        "run",
        [control = deps.control](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json run,
                service::cancel_run_of(call.request(), *control, call.path(0), call.path(1))
            );
            return reply_json(std::move(run));
        }
    ));
    out.push_back(deed(
        "/experiments/{id}/runs/{run}/complete",
        "The client's run has come to its end",
        Permission::run_experiment,
        "run",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json run, service::complete_run(call.request(), call.path(0), call.path(1)));
            return reply_json(std::move(run));
        }
    ));
    Route fail = deed(
        "/experiments/{id}/runs/{run}/fail",
        "The client's run has failed",
        Permission::run_experiment,
        "run",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json run,
                service::fail_run(
                    call.request(),
                    call.path(0),
                    call.path(1),
                    call.body()["error"].get<std::string>()
                )
            );
            return reply_json(std::move(run));
        }
    );
    fail.body = BodyKind::json;
    fail.request_schema = &fail_schema();
    out.push_back(std::move(fail));
}

void add_reports_of_clients(std::vector<Route>& out) {
    Route points = deed(
        "/experiments/{id}/runs/{run}/metrics",
        "Report points of metrics, up to 1,000",
        Permission::run_experiment,
        "run",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json said,
                service::log_metrics(call.request(), call.path(0), call.path(1), call.body())
            );
            return reply_json(std::move(said), 201);
        }
    );
    points.success = 201;
    points.body = BodyKind::json;
    points.request_schema = &points_schema();
    out.push_back(std::move(points));
    Route samples = deed(
        "/experiments/{id}/runs/{run}/samples",
        "Report samples, up to 1,000; one that was reported already changes nothing",
        Permission::run_experiment,
        "run",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json said,
                service::log_samples(call.request(), call.path(0), call.path(1), call.body())
            );
            return reply_json(std::move(said), 201);
        }
    );
    samples.success = 201;
    samples.body = BodyKind::json;
    samples.body_bytes_max = kSamplesBytesMax;
    samples.request_schema = &samples_schema();
    out.push_back(std::move(samples));
}

/// Server-sent events of one run. Begins with the run as it is, so that who comes late knows.
Result<Reply> stream_events(Call& call, service::RunEvents* events) {
    LAB_CHECK(require(call.request().caller, Permission::read_experiment));
    LAB_TRY(Json run, service::get_run_of(call.request(), call.path(0), call.path(1)));
    LAB_TRY(const std::int64_t after, [&]() -> Result<std::int64_t> {
        const std::optional<std::string_view> given = call.given_header("last-event-id");
        if (!given) {
            return 0;
        }
        std::int64_t value = 0;
        const char* const end = given->data() + given->size();
        const auto parsed = std::from_chars(given->data(), end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end || value < 0) {
            return Error(Code::bad_request, "Last-Event-ID must be the id of an event");
        }
        return value;
    }());
    const std::string status = run["status"].get<std::string>();
    const bool over = status != "pending" && status != "queued" && status != "running";
    Reply reply;
    reply.stream = [events, after, over, run = std::move(run), id = call.path(1)](
                       const std::shared_ptr<http::Exchange>& exchange, http::Headers headers
                   ) {
        headers.emplace_back("Content-Type", "text/event-stream");
        headers.emplace_back("Cache-Control", "no-store");
        headers.emplace_back("X-Accel-Buffering", "no");
        exchange->begin_stream(200, std::move(headers));
        exchange->write("event: state\ndata: " + dump_json(run) + "\n\n");
        if (over) {
            exchange->write("event: done\ndata: " + dump_json(run) + "\n\n");
            exchange->end_stream();
            return;
        }
        const auto subscription = std::make_shared<std::uint64_t>(0);
        *subscription =
            events->subscribe(id, after, [exchange, after](const service::RunEvent& event) {
                if (event.type == service::RunEvents::kGoing) {
                    // An id without data is no event, but where clients go on (WHATWG HTML 9.2.6).
                    exchange->write(
                        "retry: 500\nid: " + std::to_string(std::max(event.number, after)) + "\n\n"
                    );
                    exchange->end_stream();
                    return;
                }
                std::string text = "id: " + std::to_string(event.number) +
                                   "\nevent: " + event.type + "\ndata: " + event.data + "\n\n";
                exchange->write(std::move(text));
                if (event.type == "done") {
                    exchange->end_stream();
                }
            });
        exchange->on_cancel([events, id, subscription] { events->unsubscribe(id, *subscription); });
    };
    return reply;
}

}  // namespace

std::vector<Route> experiment_routes(const ExperimentRoutesDeps& deps) {
    NounFace face{
        .collection = "/experiments",
        .one = "/experiments/{id}",
        .tag = kTag,
        .noun = &service::experiment_noun(),
        .filters =
            {{.name = "status",
              .type = "string",
              .help = "Only those in this state",
              .values =
                  {"draft",
                   "ready",
                   "running",
                   "paused",
                   "completed",
                   "failed",
                   "cancelled",
                   "archived"}},
             {"owner_id", "uuid", "Only those of this user"},
             {"tags", "tags", "Only those with all of these tags, separated by commas"},
             {"q", "string", "Only those whose name or description holds this text"}},
        .read_filters = read_filters,
    };
    std::vector<Route> out = noun_routes(face, deps.signing);
    add_states(out, deps.control);
    add_runs(out, deps);
    add_reports_of_clients(out);
    out.push_back(route(
        "GET",
        "/experiments/{id}/runs/{run}/events",
        "Follow a run: server-sent events until it is done",
        Permission::read_experiment,
        [events = deps.events](Call& call) { return stream_events(call, events); }
    ));
    return out;
}

}  // namespace lab::api
