#pragma once
#include "api/route.h"
#include "service/audit.h"

namespace lab::app {

/// Records the use of a route as its row of the table says, of what has this id. Errors: those of
/// an audit that must not be lost.
Status audit_route(
    service::AuditLog& log,
    const service::Request& request,
    const api::Route& route,
    const std::string& resource_id,
    const api::Reply* reply,
    const Error* error,
    Duration took
);

}  // namespace lab::app
