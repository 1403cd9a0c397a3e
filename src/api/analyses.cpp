#include "api/analyses.h"

#include "service/analyses.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

using Analysis = Result<Json> (*)(const Json& body, std::string_view request_id);

Route route(
    std::string_view method, std::string_view path, std::string_view summary, Handler handler
) {
    Route out;
    out.method = method;
    out.path = path;
    out.summary = summary;
    out.tag = "Analyses";
    out.guard = Guard::permission;
    out.permission = domain::Permission::read_metrics;
    out.handler = std::move(handler);
    return out;
}

/// POST computes, GET describes. What is long goes after what is short.
void add_analysis(
    std::vector<Route>& out,
    std::string_view path,
    std::string_view name,
    std::string_view summary,
    Analysis analyse,
    const Json& request,
    const Json& response
) {
    Route compute = route("POST", path, summary, [analyse](Call& call) -> Result<Reply> {
        LAB_TRY(Json answer, analyse(call.body(), call.request().caller.request_id));
        return reply_json(std::move(answer));
    });
    compute.body = BodyKind::json;
    compute.body_bytes_max = service::kAnalysisBytesMax;
    compute.request_schema = &request;
    compute.response_schema = &response;
    compute.priority = Priority::background;
    compute.errors = {413};
    out.push_back(std::move(compute));
    out.push_back(route("GET", path, "What this analysis accepts and answers", [name](Call&) {
        return Result<Reply>(reply_json(service::describe_agent(name)));
    }));
}

void add_both(std::vector<Route>& out, std::string_view hypothesis, std::string_view metric) {
    add_analysis(
        out,
        hypothesis,
        "hypothesis",
        "Test a hypothesis on observations",
        service::analyse_hypothesis,
        service::hypothesis_schema(),
        service::hypothesis_answer_schema()
    );
    add_analysis(
        out,
        metric,
        "metric",
        "Compute metrics of observations",
        service::analyse_metrics,
        service::metric_schema(),
        service::metric_answer_schema()
    );
}

}  // namespace

std::vector<Route> analysis_routes() {
    std::vector<Route> out;
    add_both(out, "/api/v1/agents/hypothesis", "/api/v1/agents/metric");
    out.push_back(route("GET", "/api/v1/agents", "List the analyses", [](Call&) {
        return Result<Reply>(reply_json(service::list_agents()));
    }));
    // "/v1" before them is that of all routes.
    add_both(out, "/research-lab/hypothesis", "/research-lab/metrics");
    out.push_back(route("GET", "/research-lab/health", "Whether analyses are served", [](Call&) {
        Json health = service::list_agents();
        health["status"] = "healthy";
        return Result<Reply>(reply_json(std::move(health)));
    }));
    return out;
}

}  // namespace lab::api
