#include "app/observation.h"

#include "app/tracing.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lab::app {

LogFilter filter_of(const TelemetrySettings& settings) {
    const LogLevel level = parse_log_level(settings.log_level).value_or(LogLevel::info);
    auto filter = LogFilter::parse(settings.log_filter, level);
    return settings.log_filter.empty() || !filter ? LogFilter(level) : *std::move(filter);
}

/// The settings that may change, by key.
Json live_values(const ServerSettings& settings) {
    Json out = Json::object();
    for (const SettingRow& row : settings.rows) {
        if (row.live && !row.secret) {
            out[row.key] = row.value;
        }
    }
    return out;
}

Observation::Observation(const ServerSettings& settings)
    : sink(STDOUT_FILENO),
      log(sink,
          clock,
          {.format = parse_log_format(settings.telemetry.log_format).value_or(LogFormat::json),
           .filter = filter_of(settings.telemetry)}),
      service(metrics, log, settings.embedded() ? "sqlite" : "postgresql"),
      tracer(make_tracer(settings, clock, trace_ids, log, metrics)) {}

}  // namespace lab::app
