#pragma once
#include "app/service_metrics.h"
#include "platform/config/server_settings.h"
#include "platform/json/json.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/metrics.h"
#include "platform/telemetry/tracer.h"

#include <memory>

namespace lab::app {

LogFilter filter_of(const TelemetrySettings& settings);
/// The settings that may change while the server runs, by key.
Json live_values(const ServerSettings& settings);

/// The log, the metrics and the traces: there before everything they tell of, and gone after it.
struct Observation {
    explicit Observation(const ServerSettings& settings);

    SystemClock clock;
    FdLogSink sink;
    Logger log;
    Metrics metrics;
    ServiceMetrics service;
    RandomTraceIds trace_ids;
    std::unique_ptr<Tracer> tracer;  ///< null: nobody traces
};

}  // namespace lab::app
