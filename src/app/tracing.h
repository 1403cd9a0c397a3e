#pragma once
#include "platform/config/server_settings.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/metrics.h"
#include "platform/telemetry/tracer.h"

#include <memory>

namespace lab::otlp {
class MetricsPusher;
}

namespace lab::app {

/// Traces to the collector of the settings; null without one. What the last three give is counted
/// and told there. All outlive it.
std::unique_ptr<Tracer> make_tracer(
    const ServerSettings& settings,
    const Clock& clock,
    TraceIdSource& ids,
    Logger& log,
    Metrics& metrics
);

/// Metrics to the collector of the settings; null unless asked for. All outlive it.
std::unique_ptr<otlp::MetricsPusher> make_pusher(
    const ServerSettings& settings, const Clock& clock, Logger& log, Metrics& metrics
);

/// What the settings of traces say that only platform/otlp can judge; empty when all is well.
std::vector<Detail> check_tracing(const TelemetrySettings& settings);

}  // namespace lab::app
