#include "app/tracing.h"

#include "app/wire.h"
#include "platform/otlp/metrics_pusher.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <mutex>

namespace lab::app {
namespace {

using std::chrono::milliseconds;

std::string host_name() {
    std::array<char, 65> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

otlp::ExporterOptions exporter_options(const ServerSettings& settings) {
    const TelemetrySettings& telemetry = settings.telemetry;
    otlp::ExporterOptions out;
    out.sender.endpoint = telemetry.otlp_endpoint;
    out.sender.protocol =
        telemetry.otlp_protocol == "grpc" ? otlp::Protocol::grpc : otlp::Protocol::http_protobuf;
    if (auto headers = otlp::parse_headers(telemetry.otlp_headers)) {
        out.sender.headers = *std::move(headers);
    }
    out.sender.ca_file = telemetry.otlp_certificate;
    out.sender.user_agent = "llm-research/" + std::string(version());
    out.sender.timeout = milliseconds(telemetry.otlp_timeout_ms);
    out.version = version();
    out.resource = {
        {"service.name",
         telemetry.service_name.empty() ? settings.general.app_name : telemetry.service_name},
        {"service.version", out.version},
        {"service.instance.id", host_name() + "/" + std::to_string(::getpid())},
        {"deployment.environment.name", settings.general.environment},
    };
    return out;
}

/// Says when exporting begins to fail, and when it works again.
std::function<void(std::string_view)> teller(Logger& log, const std::string& what) {
    return [&log, what](std::string_view problem) {
        if (problem.empty()) {
            log.info("otlp", what + " are exported again");
        } else {
            log.warn("otlp", what + " cannot be exported", {{"problem", problem}});
        }
    };
}

/// The tracer's counts as metrics, brought up to date when these are read.
class CountsShown {
  public:
    CountsShown(Metrics& metrics, const Tracer& tracer)
        : tracer_(tracer),
          exported_(metrics.counter("trace_spans_exported_total", "Spans that the collector took")),
          waiting_(metrics.gauge("trace_spans_waiting", "Spans that wait for their export")),
          failures_(metrics.counter("trace_export_failures_total", "Attempts that came to nothing")
          ) {
        auto& dropped = metrics.counters(
            "trace_spans_dropped_total", "Spans that were lost, and why", {"reason"}
        );
        queue_full_ = &dropped.with({"queue_full"});
        refused_ = &dropped.with({"refused"});
        unreachable_ = &dropped.with({"unreachable"});
    }

    void operator()() {
        const std::lock_guard lock(mutex_);  // two may read at once
        const TracerCounts now = tracer_.counts();
        const auto add = [](Counter& to, std::uint64_t value, std::uint64_t before) {
            to.add(static_cast<double>(value - before));
        };
        add(exported_, now.exported, told_.exported);
        add(*queue_full_, now.queue_full, told_.queue_full);
        add(*refused_, now.refused, told_.refused);
        add(*unreachable_, now.unreachable, told_.unreachable);
        add(failures_, now.failures, told_.failures);
        waiting_.set(static_cast<double>(now.waiting));
        told_ = now;
    }

  private:
    const Tracer& tracer_;
    Counter& exported_;
    Gauge& waiting_;
    Counter& failures_;
    Counter* queue_full_ = nullptr;
    Counter* refused_ = nullptr;
    Counter* unreachable_ = nullptr;
    std::mutex mutex_;
    TracerCounts told_;
};

}  // namespace

std::unique_ptr<Tracer> make_tracer(
    const ServerSettings& settings,
    const Clock& clock,
    TraceIdSource& ids,
    Logger& log,
    Metrics& metrics
) {
    const TelemetrySettings& telemetry = settings.telemetry;
    if (!telemetry.tracing || telemetry.otlp_endpoint.empty()) {
        return nullptr;
    }
    TracerOptions options;
    options.sample_ratio = telemetry.sample_ratio;
    options.queue_max = static_cast<std::size_t>(telemetry.span_queue_max);
    options.batch_max = std::min(options.batch_max, options.queue_max);
    options.delay = milliseconds(telemetry.span_delay_ms);
    auto tracer = std::make_unique<Tracer>(
        clock,
        ids,
        otlp::make_span_exporter(exporter_options(settings)),
        options,
        teller(log, "traces")
    );
    metrics.on_collect([shown = std::make_shared<CountsShown>(metrics, *tracer)] { (*shown)(); });
    return tracer;
}

std::unique_ptr<otlp::MetricsPusher> make_pusher(
    const ServerSettings& settings, const Clock& clock, Logger& log, Metrics& metrics
) {
    const TelemetrySettings& telemetry = settings.telemetry;
    if (telemetry.metrics_exporter != "otlp" || telemetry.otlp_endpoint.empty()) {
        return nullptr;
    }
    return std::make_unique<otlp::MetricsPusher>(
        clock,
        metrics,
        otlp::PusherOptions{
            .exporter = exporter_options(settings),
            .interval = milliseconds(telemetry.metrics_interval_ms),
        },
        teller(log, "metrics")
    );
}

std::vector<Detail> check_tracing(const TelemetrySettings& settings) {
    std::vector<Detail> out;
    if (const auto headers = otlp::parse_headers(settings.otlp_headers); !headers) {
        out.push_back({"OTEL_EXPORTER_OTLP_HEADERS", headers.error().message});
    }
    if (!settings.otlp_certificate.empty() && !std::ifstream(settings.otlp_certificate)) {
        out.push_back({"OTEL_EXPORTER_OTLP_CERTIFICATE", "the file cannot be read"});
    }
    return out;
}

}  // namespace lab::app
