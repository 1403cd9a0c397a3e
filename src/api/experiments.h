#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/run_queue.h"

namespace lab::api {

/// What the routes of experiments and runs stand on; outlives them.
struct ExperimentRoutesDeps {
    service::RunControl* control = nullptr;
    service::RunEvents* events = nullptr;
    const SigningKeys& signing;
};
/// Experiments, their runs, samples, events and reports.
std::vector<Route> experiment_routes(const ExperimentRoutesDeps& deps);

}  // namespace lab::api
