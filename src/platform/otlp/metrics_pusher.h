#pragma once
#include "base/clock.h"
#include "platform/otlp/exporter.h"
#include "platform/telemetry/metrics.h"

#include <functional>
#include <memory>
#include <string_view>

namespace lab::otlp {

struct PusherOptions {
    ExporterOptions exporter;
    Duration interval = std::chrono::seconds(60);
};

/// Sends all metrics to a collector, again and again, and once more at the end, on a thread of its
/// own. What fails is not tried again: the next one says all that this one would have.
class MetricsPusher {
  public:
    /// `trouble`: as of Tracer. `clock` and `metrics` outlive it.
    MetricsPusher(
        const Clock& clock,
        Metrics& metrics,
        PusherOptions options,
        std::function<void(std::string_view)> trouble
    );
    /// close() at once.
    ~MetricsPusher();
    MetricsPusher(const MetricsPusher&) = delete;
    MetricsPusher& operator=(const MetricsPusher&) = delete;

    /// The last one leaves now. Does not wait.
    void close_soon();
    /// Waits for it, no longer than `limit`. Metrics are not read any more after this.
    void close(Duration limit);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::otlp
