#include "platform/telemetry/span.h"

#include "base/text.h"

#include <algorithm>

namespace lab {
namespace {

thread_local SpanPlace here;

constexpr std::size_t kSpanBytes = 96;       ///< identifiers, times
constexpr std::size_t kAttributeBytes = 16;  ///< tags and lengths
constexpr std::size_t kAttributesUsual = 8;

template <std::size_t kSize>
void copy_id(std::array<char, kSize>& to, std::string_view from) {
    if (from.size() == kSize) {
        std::ranges::copy(from, to.begin());
    }
}

std::array<char, 16> new_span_id(TraceIdSource& ids) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::uint64_t value = ids.next();
    value += value == 0 ? 1 : 0;  // all zero is no identifier
    std::array<char, 16> out{};
    for (char& digit : out) {
        digit = kDigits[value >> 60U];
        value <<= 4U;
    }
    return out;
}

/// Where UTF-8 may be cut; what is not UTF-8 is mended when it is encoded.
std::string cut(std::string_view text) { return shorten(text, SpanRecord::kTextBytesMax); }

}  // namespace

Span& Span::operator=(Span&& other) noexcept {
    if (this != &other) {
        end();
        sink_ = std::exchange(other.sink_, nullptr);
        record_ = std::move(other.record_);
    }
    return *this;
}

Span Span::at(
    const SpanPlace& self, std::string_view parent, std::string_view name, SpanKind kind
) {
    Span out;
    if (!self.records()) {
        return out;
    }
    out.sink_ = self.sink;
    out.record_ = std::make_unique<SpanRecord>();
    SpanRecord& record = *out.record_;
    record.trace_id = self.trace_id;
    record.span_id = self.span_id;
    copy_id(record.parent_id, parent);
    if (self.trace_state) {
        record.trace_state = *self.trace_state;
    }
    record.name = cut(name);
    record.kind = kind;
    record.attributes.reserve(kAttributesUsual);
    record.begun = self.sink->clock().wall();
    record.begun_at = self.sink->clock().now();
    record.bytes = kSpanBytes + record.name.size() + record.trace_state.size();
    return out;
}

Span Span::below(const SpanPlace& place, std::string_view name, SpanKind kind, Duration ago) {
    if (!place.records()) {
        return {};
    }
    SpanPlace self = place;
    self.span_id = new_span_id(place.sink->ids());
    Span out = at(self, std::string_view(place.span_id.data(), place.span_id.size()), name, kind);
    out.record_->begun -= std::chrono::duration_cast<std::chrono::microseconds>(ago);
    out.record_->begun_at -= ago;
    return out;
}

SpanPlace Span::place() const {
    SpanPlace out;
    if (record_) {
        out.sink = sink_;
        out.trace_id = record_->trace_id;
        out.span_id = record_->span_id;
        out.sampled = true;
        if (!record_->trace_state.empty()) {
            out.trace_state = std::make_shared<const std::string>(record_->trace_state);
        }
    }
    return out;
}

void Span::put(std::string_view name, SpanValue value) {
    if (!record_) {
        return;
    }
    const auto known =
        std::ranges::find(record_->attributes, name, &std::pair<std::string, SpanValue>::first);
    if (known != record_->attributes.end()) {
        known->second = std::move(value);
        return;
    }
    if (record_->attributes.size() == SpanRecord::kAttributesMax) {
        ++record_->attributes_dropped;
        return;
    }
    record_->bytes += kAttributeBytes + name.size();
    record_->attributes.emplace_back(std::string(name), std::move(value));
}

void Span::set(std::string_view name, std::string_view value) {
    if (record_) {
        std::string kept = cut(value);
        record_->bytes += kept.size();
        put(name, std::move(kept));
    }
}

void Span::set_list(std::string_view name, const std::vector<std::string>& values) {
    constexpr std::size_t kValuesMax = 16;
    if (record_) {
        std::vector<std::string> kept;
        for (const std::string& value : values) {
            if (kept.size() < kValuesMax) {
                record_->bytes += value.size();
                kept.push_back(cut(value));
            }
        }
        put(name, std::move(kept));
    }
}

void Span::fail(std::string_view type) {
    if (record_) {
        record_->failed = true;
        set("error.type", type);
    }
}

void Span::end() noexcept {
    if (record_) {
        record_->took = std::max(Duration::zero(), sink_->clock().now() - record_->begun_at);
        sink_->take(std::move(record_));
    }
}

const SpanPlace& current_place() { return here; }

SpanScope::SpanScope(SpanPlace place) : before_(std::exchange(here, std::move(place))) {}
SpanScope::SpanScope(const Span& span)
    : SpanScope(span.recorded() ? span.place() : current_place()) {}
SpanScope::~SpanScope() { here = std::move(before_); }

TraceContext context_of(const SpanPlace& place) {
    TraceContext out;
    if (place.sink != nullptr) {
        out.trace_id.assign(place.trace_id.data(), place.trace_id.size());
        out.span_id.assign(place.span_id.data(), place.span_id.size());
        out.sampled = place.sampled;
        out.trace_state = place.trace_state ? *place.trace_state : "";
    }
    return out;
}

}  // namespace lab
