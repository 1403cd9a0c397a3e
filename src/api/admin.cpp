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
        const std::string service = call.body()["service"].get<std::string>();
        LAB_TRY(Json state, deed(call.request(), service));
        Reply reply = reply_json(std::move(state));
        reply.audit_id = service;
        return reply;
    };
    return out;
}

const Json& maintenance_request_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {
             {"enabled", {{"type", "boolean"}}},
             {"reason", {{"type", "string"}, {"maxLength", 500}}},
         }},
        {"required", {"enabled"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& maintenance_schema() {
    static const Json kText{{"type", {"string", "null"}}};
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {
             {"in_maintenance", {{"type", "boolean"}}},
             {"by_setting", {{"type", "boolean"}}},
             {"enabled", {{"type", "boolean"}}},
             {"reason", kText},
             {"changed_by", kText},
             {"changed_at", kText},
         }},
        {"required", {"in_maintenance", "by_setting", "enabled"}},
    };
    return kSchema;
}

/// The operators' switch, and what comes of it and of the setting in this process.
Json shown_maintenance(Json of_operators, service::MaintenanceFlag& flag) {
    flag.set_by_operator(of_operators.value("enabled", false));
    Json out = {{"in_maintenance", flag.on()}, {"by_setting", flag.by_setting()}};
    out.update(of_operators);
    return out;
}

Route maintenance_route(std::string_view method, std::string_view summary) {
    Route out;
    out.method = method;
    out.path = "/admin/maintenance";
    out.summary = summary;
    out.tag = "Operations";
    out.guard = Guard::admin;
    out.response_schema = &maintenance_schema();
    return out;
}

Route show_maintenance_route(service::MaintenanceFlag& flag) {
    Route out = maintenance_route("GET", "Whether there is maintenance, and whose will it is");
    out.handler = [&flag](Call& call) -> Result<Reply> {
        const service::Request& request = call.request();
        LAB_TRY(Json state, service::maintenance_status(request.ctx, request.session));
        return reply_json(shown_maintenance(std::move(state), flag));
    };
    return out;
}

Route set_maintenance_route(service::MaintenanceFlag& flag) {
    Route out = maintenance_route("POST", "Begin or end maintenance, in every process");
    out.body = BodyKind::json;
    out.request_schema = &maintenance_request_schema();
    out.any_content_type = true;
    out.audit = {
        .event = "configuration",
        .action = "config_change",
        .resource = "system",
        .must_be_written = true,
    };
    out.handler = [&flag](Call& call) -> Result<Reply> {
        const Json& body = call.body();
        const bool on = body["enabled"].get<bool>();
        const service::Request& request = call.request();
        LAB_TRY(Json before, service::maintenance_status(request.ctx, request.session));
        Json was = shown_maintenance(std::move(before), flag);
        LAB_TRY(Json state, service::set_maintenance(request, on, body.value("reason", "")));
        Reply reply = reply_json(shown_maintenance(std::move(state), flag));
        reply.audit_before = std::move(was);
        reply.audit_id = "maintenance";
        return reply;
    };
    return out;
}

}  // namespace

std::vector<Route> admin_routes(service::MaintenanceFlag& flag) {
    std::vector<Route> out{show_maintenance_route(flag), set_maintenance_route(flag)};
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
