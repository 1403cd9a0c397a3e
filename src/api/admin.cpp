#include "api/admin.h"

#include "service/breakers.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

const Json& breaker_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"service", {{"type", "string"}, {"minLength", 1}, {"maxLength", 64}}}}},
        {"required", {"service"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

using Deed = Result<Json> (*)(const service::Request&, const std::string&);

Route breaker_route(std::string_view path, std::string_view summary, Deed deed) {
    Route out;
    out.method = "POST";
    out.path = path;
    out.summary = summary;
    out.tag = "Operations";
    out.guard = Guard::admin;
    out.priority = Priority::critical;
    out.body = BodyKind::json;
    out.request_schema = &breaker_schema();
    out.any_content_type = true;  // operators call it with curl -d and no header
    out.audit = {
        .event = "configuration",
        .action = "config_change",
        .resource = "system",
        .must_be_written = true,
    };
    out.errors = {404};
    out.handler = [deed](Call& call) -> Result<Reply> {
        LAB_TRY(Json state, deed(call.request(), call.body()["service"].get<std::string>()));
        return reply_json(std::move(state));
    };
    return out;
}

}  // namespace

std::vector<Route> admin_routes() {
    std::vector<Route> out;
    out.push_back(breaker_route(
        "/admin/circuit-breaker/open",
        "Force a breaker open: runs that need the service wait",
        service::open_breaker
    ));
    out.push_back(breaker_route(
        "/admin/circuit-breaker/close", "Let the service be used again", service::close_breaker
    ));
    out.push_back(
        breaker_route("/admin/circuit-breaker/reset", "The same as close", service::close_breaker)
    );
    Route status;
    status.method = "GET";
    status.path = "/admin/circuit-breaker/status";
    status.summary = "Every breaker and whether it is forced";
    status.tag = "Operations";
    status.guard = Guard::loopback;
    status.priority = Priority::critical;
    status.handler = [](Call& call) -> Result<Reply> {
        const service::Request& request = call.request();
        LAB_TRY(Json state, service::breaker_status(request.ctx, request.session));
        return reply_json(std::move(state));
    };
    out.push_back(std::move(status));
    return out;
}

}  // namespace lab::api
