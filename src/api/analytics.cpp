#include "api/analytics.h"

#include "base/text.h"
#include "base/time_text.h"

namespace lab::api {
namespace {

constexpr std::size_t kMetricBytesMax = 255;

Result<service::FactWindow> read_window(const Call& call) {
    service::FactWindow out;
    if (const auto from = call.query("from")) {
        out.from = parse_rfc3339(*from);
    }
    if (const auto to = call.query("to")) {
        out.to = parse_rfc3339(*to);
    }
    if (const auto experiment = call.query("experiment_id")) {
        out.experiment = to_lower(*experiment);
    }
    return out;
}

Result<std::string> read_metric(const Call& call) {
    std::string name = call.query("metric").value_or("");
    if (name.empty() || name.size() > kMetricBytesMax) {
        return Error(Code::bad_request, "metric must be the name of a metric, 1 to 255 bytes");
    }
    return name;
}

Route figures(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Analytics";
    out.guard = Guard::permission;
    out.permission = domain::Permission::read_metrics;
    out.priority = Priority::background;
    out.handler = std::move(handler);
    out.query = {
        {"from", "time", "Not before; a year ago for one experiment, else 30 days, when not given"},
        {"to", "time", "Before; now when not given"},
    };
    return out;
}

}  // namespace

std::vector<Route> analytics_routes(service::FactCopy* copy) {
    std::vector<Route> out;
    out.push_back(figures(
        "/experiments/{id}/metrics/series",
        "A metric over time, by model",
        [copy](Call& call) -> Result<Reply> {
            LAB_TRY(const auto window, read_window(call));
            LAB_TRY(const std::string metric, read_metric(call));
            const std::string step = call.query("step").value_or("day");
            LAB_TRY(
                Json found,
                service::metric_series(call.request(), copy, call.path(0), metric, step, window)
            );
            return reply_json(std::move(found));
        }
    ));
    out.back().query.push_back({"metric", "string", "Its name", true});
    out.back().query.push_back(
        {.name = "step",
         .type = "string",
         .help = "day when not given; UTC, weeks begin on Monday",
         .values = {"hour", "day", "week"}}
    );
    out.push_back(figures(
        "/experiments/{id}/metrics/trend",
        "A metric run by run, and whether it changes",
        [copy](Call& call) -> Result<Reply> {
            LAB_TRY(const auto window, read_window(call));
            LAB_TRY(const std::string metric, read_metric(call));
            LAB_TRY(
                Json found,
                service::metric_trend(call.request(), copy, call.path(0), metric, window)
            );
            return reply_json(std::move(found));
        }
    ));
    out.back().query.push_back({"metric", "string", "Its name", true});
    out.push_back(figures(
        "/analytics/latency",
        "How long calls took, by model and day",
        [copy](Call& call) -> Result<Reply> {
            LAB_TRY(const auto window, read_window(call));
            LAB_TRY(Json found, service::call_latency(call.request(), copy, window));
            return reply_json(std::move(found));
        }
    ));
    out.back().query.push_back({"experiment_id", "uuid", "Of this experiment alone"});
    out.back().errors = {404};
    out.push_back(figures(
        "/analytics/costs",
        "What was spent, by owner, experiment or model",
        [copy](Call& call) -> Result<Reply> {
            LAB_TRY(const auto window, read_window(call));
            const std::string by = call.query("by").value_or("owner");
            LAB_TRY(Json found, service::spent_costs(call.request(), copy, by, window));
            return reply_json(std::move(found));
        }
    ));
    out.back().query.push_back({"experiment_id", "uuid", "Of this experiment alone"});
    out.back().errors = {404};
    out.back().query.push_back(
        {.name = "by",
         .type = "string",
         .help = "owner when not given",
         .values = {"owner", "experiment", "model"}}
    );
    return out;
}

}  // namespace lab::api
