#pragma once
#include "app/service_metrics.h"
#include "platform/config/server_settings.h"
#include "platform/json/json.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/metrics.h"

namespace lab::app {

LogFilter filter_of(const TelemetrySettings& settings);
/// The settings that may change while the server runs, by key.
Json live_values(const ServerSettings& settings);

/// The log and the metrics: there before everything they tell of, and gone after it.
struct Observation {
    explicit Observation(const TelemetrySettings& settings);

    SystemClock clock;
    FdLogSink sink;
    Logger log;
    Metrics metrics;
    ServiceMetrics service;
};

}  // namespace lab::app
