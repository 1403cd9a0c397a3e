#pragma once
#include "base/result.h"
#include "platform/otlp/messages.h"
#include "platform/otlp/sender.h"
#include "platform/telemetry/tracer.h"

#include <memory>
#include <string_view>

namespace lab::otlp {

struct ExporterOptions {
    SenderOptions sender;
    Resource resource;
    std::string version;  ///< of this program
};

/// Spans to a collector.
std::unique_ptr<SpanExporter> make_span_exporter(ExporterOptions options);

/// "key=value,key2=value2" of OTEL_EXPORTER_OTLP_HEADERS, percent-encoded (W3C Baggage without its
/// properties). Errors: validation, which never shows a value.
Result<std::vector<std::pair<std::string, std::string>>> parse_headers(std::string_view text);

}  // namespace lab::otlp
