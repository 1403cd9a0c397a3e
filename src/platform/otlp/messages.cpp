#include "platform/otlp/messages.h"

#include "base/text.h"
#include "platform/otlp/impl/wire.h"
#include "platform/telemetry/redact.h"

#include <bit>
#include <chrono>

namespace lab::otlp {
namespace {

constexpr std::string_view kScope = "llm-research";

/// Bytes of a hexadecimal identifier; empty when there is none.
std::string from_hex(std::string_view digits) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string out;
    if (!digits.empty() && digits.front() != '\0') {
        for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
            out += static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1]));
        }
    }
    return out;
}

template <std::size_t kSize>
std::string_view view(const std::array<char, kSize>& id) {
    return {id.data(), id.size()};
}

std::string shown(std::string_view name, std::string_view text) {
    if (secrecy_of(name) != Secrecy::open) {
        return std::string(kRedacted);
    }
    return is_innocent(text) ? std::string(text) : redact(text);
}

/// AnyValue: string 1, bool 2, int 3, double 4, array 5 (ArrayValue: values 1).
struct ValueWriter {
    std::string_view name;

    Message& out;

    void operator()(bool value) const { out.varint_always(2, value ? 1 : 0); }
    void operator()(std::int64_t value) const {
        out.varint_always(3, static_cast<std::uint64_t>(value));
    }
    void operator()(double value) const { out.number_always(4, value); }
    void operator()(const std::string& value) const { out.text_always(1, shown(name, value)); }
    void operator()(const std::vector<std::string>& values) const {
        Message list;
        for (const std::string& value : values) {
            Message one;
            ValueWriter{name, one}(value);
            list.message(1, one);
        }
        out.message(5, list);
    }
};

/// KeyValue: key 1, value 2.
Message attribute(std::string_view name, const SpanValue& value) {
    // A number says nothing that its name could hide but a count; a name that hides hides it too.
    const bool hidden = secrecy_of(name) == Secrecy::hidden && !std::holds_alternative<bool>(value);
    Message any;
    if (hidden) {
        any.text_always(1, kRedacted);
    } else {
        std::visit(ValueWriter{name, any}, value);
    }
    Message out;
    out.text(1, name).message(2, any);
    return out;
}

/// Span: trace_id 1, span_id 2, trace_state 3, parent_span_id 4, name 5, kind 6, start 7, end 8,
/// attributes 9, dropped_attributes_count 10, status 15 (Status: code 3; 2 is an error), flags 16.
Message span_message(const SpanRecord& span) {
    constexpr int kError = 2;
    constexpr std::uint32_t kSampled = 1;
    const auto begun =
        std::chrono::duration_cast<std::chrono::nanoseconds>(span.begun.time_since_epoch());
    Message out;
    out.bytes(1, from_hex(view(span.trace_id)));
    out.bytes(2, from_hex(view(span.span_id)));
    out.text(3, span.trace_state);
    out.bytes(4, from_hex(view(span.parent_id)));
    out.text(5, is_innocent(span.name) ? span.name : redact(span.name));
    out.varint(6, static_cast<std::uint64_t>(span.kind));
    out.fixed64(7, static_cast<std::uint64_t>(begun.count()));
    out.fixed64(8, static_cast<std::uint64_t>((begun + span.took).count()));
    for (const auto& [name, value] : span.attributes) {
        out.message(9, attribute(name, value));
    }
    out.varint(10, span.attributes_dropped);
    if (span.failed) {
        out.message(15, Message().varint(3, kError));
    }
    out.fixed32(16, kSampled);
    return out;
}

std::uint64_t nanos(WallTime time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count()
    );
}

/// NumberDataPoint: start 2, time 3, double 4, attributes 7.
Message number_message(const MetricPoint& point, std::uint64_t begun, std::uint64_t now) {
    Message out;
    out.fixed64(2, begun).fixed64(3, now).number_always(4, point.value);
    for (const auto& [name, value] : point.labels) {
        out.message(7, attribute(name, value));
    }
    return out;
}

/// HistogramDataPoint: start 2, time 3, count 4, sum 5, bucket_counts 6, explicit_bounds 7,
/// attributes 9.
Message histogram_message(
    const MetricPoint& point,
    const std::vector<double>& bounds,
    std::uint64_t begun,
    std::uint64_t now
) {
    std::string counts;
    for (const std::uint64_t count : point.buckets) {
        append_fixed64(counts, count);
    }
    std::string limits;
    for (const double bound : bounds) {
        append_fixed64(limits, std::bit_cast<std::uint64_t>(bound));
    }
    Message out;
    out.fixed64(2, begun).fixed64(3, now).fixed64_always(4, point.count);
    out.number_always(5, point.sum).packed_fixed64(6, counts).packed_fixed64(7, limits);
    for (const auto& [name, value] : point.labels) {
        out.message(9, attribute(name, value));
    }
    return out;
}

/// Metric: name 1, description 2, gauge 5, sum 7, histogram 9, each with data_points 1; of the last
/// two aggregation_temporality 2 (2: cumulative), of a sum is_monotonic 3.
Message metric_message(const MetricShown& metric, std::uint64_t begun, std::uint64_t now) {
    using Kind = MetricShown::Kind;
    constexpr int kCumulative = 2;
    Message data;
    for (const MetricPoint& point : metric.points) {
        data.message(
            1,
            metric.kind == Kind::histogram
                ? histogram_message(point, metric.bounds, begun, now)
                : number_message(point, metric.kind == Kind::gauge ? 0 : begun, now)
        );
    }
    if (metric.kind != Kind::gauge) {
        data.varint(2, kCumulative);
    }
    if (metric.kind == Kind::counter) {
        data.varint(3, 1);
    }
    Message out;
    out.text(1, metric.name).text(2, metric.help);
    out.message(metric.kind == Kind::gauge ? 5 : metric.kind == Kind::counter ? 7 : 9, data);
    return out;
}

/// InstrumentationScope: name 1, version 2.
Message scope_message(std::string_view version) {
    Message out;
    out.text(1, kScope).text(2, version);
    return out;
}

/// A request for traces or metrics: resource_spans 1 or resource_metrics 1, in both resource 1
/// (Resource: attributes 1) and what the scope has 2.
std::string request_message(const Resource& resource, const Message& of_scope) {
    Message about;
    for (const auto& [name, value] : resource) {
        about.message(1, attribute(name, value));
    }
    Message inner;
    inner.message(1, about).message(2, of_scope);
    return Message().message(1, inner).str();
}

}  // namespace

std::string encode_traces(
    const Resource& resource,
    std::string_view scope_version,
    std::span<const std::unique_ptr<SpanRecord>> spans
) {
    // ScopeSpans: scope 1, spans 2.
    Message scope_spans;
    scope_spans.message(1, scope_message(scope_version));
    for (const std::unique_ptr<SpanRecord>& span : spans) {
        scope_spans.message(2, span_message(*span));
    }
    return request_message(resource, scope_spans);
}

std::vector<std::string> encode_metrics(
    const Resource& resource,
    std::string_view scope_version,
    const MetricsSnapshot& metrics,
    WallTime begun,
    WallTime now,
    std::size_t bytes_max
) {
    std::vector<std::string> out;
    // ScopeMetrics: scope 1, metrics 2.
    const auto begin = [&] {
        Message scope_metrics;
        scope_metrics.message(1, scope_message(scope_version));
        return scope_metrics;
    };
    Message scope_metrics = begin();
    bool empty = true;
    for (const MetricShown& metric : metrics) {
        const Message one = metric_message(metric, nanos(begun), nanos(now));
        if (!empty && scope_metrics.str().size() + one.str().size() > bytes_max) {
            out.push_back(request_message(resource, scope_metrics));
            scope_metrics = begin();
        }
        scope_metrics.message(2, one);
        empty = false;
    }
    if (!empty) {
        out.push_back(request_message(resource, scope_metrics));
    }
    return out;
}

std::string told_words(std::string_view text) {
    constexpr std::size_t kBytesMax = 300;
    return shorten(redact(sanitize_utf8(text.substr(0, 4 * kBytesMax))), kBytesMax);
}

PartialSuccess decode_partial_success(std::string_view response) {
    // partial_success 1: rejected 1, error_message 2.
    PartialSuccess out;
    Reader whole(response);
    while (const auto field = whole.next()) {
        if (field->number != 1) {
            continue;
        }
        Reader partial(field->bytes);
        while (const auto part = partial.next()) {
            if (part->number == 1) {
                out.rejected = static_cast<std::int64_t>(part->value);
            } else if (part->number == 2) {
                out.message = told_words(part->bytes);
            }
        }
    }
    return out;
}

std::string decode_status_message(std::string_view status) {
    Reader whole(status);
    while (const auto field = whole.next()) {
        if (field->number == 2) {
            return told_words(field->bytes);
        }
    }
    return "";
}

}  // namespace lab::otlp
