#pragma once
#include "platform/telemetry/metrics_snapshot.h"
#include "platform/telemetry/span.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::otlp {

/// Who tells: attributes of every span and metric, such as service.name.
using Resource = std::vector<std::pair<std::string, std::string>>;

/// An ExportTraceServiceRequest. Attributes go through redact.h here, so nothing leaves that has
/// not been looked at. Source: opentelemetry-proto 1.8, trace/v1/trace.proto,
/// common/v1/common.proto; field numbers are theirs.
std::string encode_traces(
    const Resource& resource,
    std::string_view scope_version,
    std::span<const std::unique_ptr<SpanRecord>> spans
);

/// ExportMetricsServiceRequests, one behind the other, each at most about `bytes_max` long unless
/// one family is. Counters and histograms are cumulative since `begun`. Source: metrics/v1/
/// metrics.proto.
std::vector<std::string> encode_metrics(
    const Resource& resource,
    std::string_view scope_version,
    const MetricsSnapshot& metrics,
    WallTime begun,
    WallTime now,
    std::size_t bytes_max
);

/// What the other side said, for people: at most 300 bytes of UTF-8, without secrets.
std::string told_words(std::string_view text);

/// How many were not taken, of an ExportTraceServiceResponse or an ExportMetricsServiceResponse,
/// and why.
struct PartialSuccess {
    std::int64_t rejected = 0;
    std::string message;
};
PartialSuccess decode_partial_success(std::string_view response);

/// The message of a google.rpc.Status, as answers over HTTP have it; empty without one.
std::string decode_status_message(std::string_view status);

}  // namespace lab::otlp
