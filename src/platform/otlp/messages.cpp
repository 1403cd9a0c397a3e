#include "platform/otlp/messages.h"

#include "base/text.h"
#include "platform/otlp/impl/wire.h"
#include "platform/telemetry/redact.h"

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

}  // namespace

std::string encode_traces(
    const Resource& resource,
    std::string_view scope_version,
    std::span<const std::unique_ptr<SpanRecord>> spans
) {
    // ScopeSpans: scope 1 (InstrumentationScope: name 1, version 2), spans 2.
    Message scope_spans;
    scope_spans.message(1, Message().text(1, kScope).text(2, scope_version));
    for (const std::unique_ptr<SpanRecord>& span : spans) {
        scope_spans.message(2, span_message(*span));
    }
    // ResourceSpans: resource 1 (Resource: attributes 1), scope_spans 2.
    Message about;
    for (const auto& [name, value] : resource) {
        about.message(1, attribute(name, value));
    }
    Message resource_spans;
    resource_spans.message(1, about).message(2, scope_spans);
    // ExportTraceServiceRequest: resource_spans 1.
    return Message().message(1, resource_spans).str();
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
