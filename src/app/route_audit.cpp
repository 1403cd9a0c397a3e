#include "app/route_audit.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::app {

Status audit_route(
    service::AuditLog& log,
    const service::Request& request,
    const api::Route& route,
    const std::string& resource_id,
    const api::Reply* reply,
    const Error* error,
    Duration took
) {
    const bool denied =
        error != nullptr && (error->code == Code::forbidden || error->code == Code::unauthorized);
    if (route.audit.action.empty() && !denied) {
        return ok();
    }
    // What was wrong with a credential is in the cause; without one there was none.
    const bool is_bad_credential =
        denied && error->code == Code::unauthorized && !error->cause.empty();
    const auto type = service::audit_type_from(
        is_bad_credential ? "authentication"
        : denied          ? "authorization"
                          : route.audit.event
    );
    const auto action = service::audit_action_from(
        route.audit.action.empty() ? std::string_view("read") : route.audit.action
    );
    LAB_ASSERT(type && action, "a route names an audit type and action that exist");
    std::string resource(route.audit.resource.empty() ? "system" : route.audit.resource);
    resource = resource == "prompt" ? "prompt_template" : resource;
    service::AuditEvent event =
        service::audit_event(request.caller, *type, *action, resource, resource_id);
    event.outcome = error == nullptr               ? service::AuditOutcome::success
                    : denied && !is_bad_credential ? service::AuditOutcome::denied
                                                   : service::AuditOutcome::failure;
    Json details = {{"route", std::string(route.method) + " " + std::string(route.path)}};
    if (error != nullptr) {
        event.reason = info(error->code).wire_name;
    } else if (!reply->audit_made.empty()) {
        // Ids stand in the order of the batch; beyond so many its first ones say which it was.
        constexpr std::size_t kIdsMax = 100;
        const auto& made = reply->audit_made;
        const std::size_t shown = std::min(made.size(), kIdsMax);
        details["made_count"] = made.size();
        details["made"] = std::vector<std::string>(
            made.begin(), made.begin() + static_cast<std::ptrdiff_t>(shown)
        );
    } else if (reply->audit_before && reply->json) {
        details.update(service::audit_changes(*reply->audit_before, *reply->json));
    }
    event.details = service::AuditDetails(details);
    event.duration = took;
    const auto duty =
        route.audit.must_be_written ? service::AuditDuty::required : service::AuditDuty::optional;
    return log.record(request.ctx, std::move(event), duty);
}

}  // namespace lab::app
