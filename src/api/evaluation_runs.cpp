#include "api/evaluation_runs.h"

#include "api/lists.h"
#include "service/evaluation_compare.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <charconv>

namespace lab::api {
namespace {

using domain::Permission;

constexpr std::string_view kTag = "Evaluations";
constexpr std::size_t kScoresBytesMax = 16U << 20;
/// Requests that wait for a run at once: each holds a thread, and others want to be served too.
constexpr int kWaitersMax = 2;

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
    out.tag = kTag;
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

Route deed(
    std::string_view path, std::string_view summary, std::string_view action, Handler handler
) {
    Route out = route("POST", path, summary, Permission::run_experiment, std::move(handler));
    out.audit = {.event = "data_modification", .action = action, .resource = "run"};
    out.maintenance = InMaintenance::refused;
    out.errors = {400};
    return out;
}

/// One of the few who may wait; lets the next one in when it goes.
class Place {
  public:
    explicit Place(std::atomic<int>& taken)
        : taken_(taken), mine_(taken.fetch_add(1) < kWaitersMax) {}
    ~Place() { taken_.fetch_sub(1); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool mine() const { return mine_; }

  private:
    std::atomic<int>& taken_;
    bool mine_;
};

/// 202 with a run that goes on; 200 with one that is over, or waits for a client's scores.
Result<Reply> run(const Call& call, service::RunControl& control, std::atomic<int>& waiting) {
    const service::Request& request = call.request();
    LAB_TRY(Json run, service::run_evaluation(request, control, call.path(0), call.body()));
    const std::string id = run["id"].get<std::string>();
    const bool async = call.body().value("async_execution", false);
    bool goes_on = run["origin"] == "engine";
    if (const Place place(waiting); !async && goes_on && place.mine()) {
        LAB_TRY(run, service::await_evaluation_run(request, call.path(0), id));
        goes_on = !service::is_over(run);
    }
    Reply reply = reply_json(std::move(run), async || goes_on ? 202 : 200);
    reply.audit_id = id;
    reply.headers.emplace_back("Location", "/evaluations/" + call.path(0) + "/runs/" + id);
    return reply;
}

Result<ListPage> fetch_runs(const Call& call, const ListQuery& query) {
    LAB_TRY(const auto below, number_after(query));
    LAB_TRY(
        auto found,
        service::list_evaluation_runs(
            call.request(), call.path(0), below, query.limit, query.offset
        )
    );
    return ListPage{
        .data = std::move(found.rows),
        .total = found.total,
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

Result<Reply> results(const Call& call) {
    service::SampleQuery query;
    const auto read = [&](std::string_view name, std::int64_t least, std::int64_t& value
                      ) -> Status {
        const auto text = call.query(name);
        if (!text) {
            return ok();
        }
        const char* const end = text->data() + text->size();
        const auto parsed = std::from_chars(text->data(), end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end || value < least) {
            return Error(
                Code::bad_request,
                "the query parameter \"" + std::string(name) + "\" is no number that serves"
            );
        }
        return ok();
    };
    LAB_CHECK(read("limit", 0, query.limit));
    if (query.limit < 1 || query.limit > 100) {
        return Error(Code::validation, "limit must be 1 to 100", {{"limit", "must be 1 to 100"}});
    }
    LAB_CHECK(read("cursor", -1, query.after));
    query.variant = call.query("variant");
    query.status = call.query("status");
    LAB_TRY(
        Json out, service::evaluation_results(call.request(), call.path(0), call.path(1), query)
    );
    return reply_json(std::move(out));
}

void add_run_routes(
    std::vector<Route>& out, service::RunControl* control, const SigningKeys& signing
) {
    Route begin = deed(
        "/evaluations/{id}/run",
        "Run a definition; waits for the end unless async_execution says otherwise",
        "create",
        [control, waiting = std::make_shared<std::atomic<int>>(0)](Call& call) {
            return run(call, *control, *waiting);
        }
    );
    begin.body = BodyKind::json;
    begin.body_optional = true;
    begin.request_schema = &service::evaluation_run_schema();
    begin.also_success = 202;  // it goes on
    begin.errors.push_back(422);
    out.push_back(std::move(begin));

    Route list = route(
        "GET",
        "/evaluations/{id}/runs",
        "List the runs of a definition, newest first",
        Permission::read_metrics,
        [&signing](Call& call) {
            return reply_list(
                call,
                signing,
                {.resource = "run", .source = fetch_runs, .exported_from = "evaluation"}
            );
        }
    );
    list.query = ordered_list_parameters();
    out.push_back(std::move(list));

    Route get = route(
        "GET",
        "/evaluations/{id}/runs/{run}",
        "Show one run of a definition",
        Permission::read_metrics,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json found, service::get_evaluation_run(call.request(), call.path(0), call.path(1))
            );
            return reply_json(std::move(found));
        }
    );
    out.push_back(std::move(get));

    Route cancel = deed(
        "/evaluations/{id}/runs/{run}/cancel",
        "End the run",
        "update",
        [control](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json found,
                service::cancel_evaluation_run(call.request(), *control, call.path(0), call.path(1))
            );
            return reply_json(std::move(found));
        }
    );
    out.push_back(std::move(cancel));
}

void add_figures(std::vector<Route>& out) {
    Route figures = route(
        "GET",
        "/evaluations/{id}/runs/{run}/results",
        "Figures of a run: over all models, of each, compared, and a page of samples",
        Permission::read_metrics,
        [](Call& call) { return results(call); }
    );
    figures.query = {
        {.name = "limit",
         .type = "integer",
         .help = "Samples of a page, 1 to 100; 20 when not given",
         .least = 1,
         .most = 100},
        {.name = "cursor",
         .type = "integer",
         .help = "Goes on behind the page that gave it out",
         .least = -1,
         .most = 1'000'000'000'000},
        {"variant", "string", "Only samples of this variant"},
        {.name = "status", .type = "string", .help = "How they ended", .values = {"done", "failed"}
        },
    };
    figures.priority = Priority::background;
    out.push_back(std::move(figures));

    Route scores = deed(
        "/evaluations/{id}/runs/{run}/metrics",
        "Report scores of people or of a program of one's own, up to 1,000",
        "update",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json said,
                service::add_scores(call.request(), call.path(0), call.path(1), call.body())
            );
            return reply_json(std::move(said), 201);
        }
    );
    scores.or_scope = "metrics:write";
    scores.success = 201;
    scores.body = BodyKind::json;
    scores.body_bytes_max = kScoresBytesMax;
    scores.request_schema = &service::scores_schema();
    out.push_back(std::move(scores));
}

void add_comparisons(std::vector<Route>& out) {
    Route compare = route(
        "POST",
        "/evaluations/compare",
        "Hold 2 to 20 runs of experiments and evaluations against each other",
        Permission::read_metrics,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json found, service::compare_runs(call.request(), call.body()));
            return reply_json(std::move(found));
        }
    );
    compare.body = BodyKind::json;
    compare.request_schema = &service::compare_schema();
    compare.priority = Priority::background;
    out.push_back(std::move(compare));

    Route types = route(
        "GET",
        "/evaluations/metric-types",
        "Every metric that can be asked for",
        Permission::read_metrics,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json found, service::list_metric_types(call.request()));
            return reply_json(std::move(found));
        }
    );
    out.push_back(std::move(types));
}

}  // namespace

std::vector<Route> evaluation_run_routes(service::RunControl* control, const SigningKeys& signing) {
    std::vector<Route> out;
    add_run_routes(out, control, signing);
    add_figures(out);
    add_comparisons(out);
    return out;
}

}  // namespace lab::api
