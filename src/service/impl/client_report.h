#pragma once
#include "domain/run.h"
#include "service/request.h"
#include "service/runs.h"

#include <memory>

namespace lab::service {

/// The report of a run that a client has carried out: samples by their `variant`, scores as metrics
/// (those that are all 0 or 1 as shares), logged metrics by their last value. Variants stand beside
/// each other and are not compared. Borrows the request until it is written. Errors:
/// payload_too_large beyond a million samples or a hundred variants.
Result<std::unique_ptr<RunReport>> report_client_run(const Request& request, domain::Run run);

}  // namespace lab::service
