#pragma once
#include "platform/telemetry/log.h"
#include "platform/telemetry/metrics.h"

namespace lab {

/// What travels instead of singletons. Both outlive everything that is given them.
struct Telemetry {
    Logger& log;
    Metrics& metrics;
};

}  // namespace lab
