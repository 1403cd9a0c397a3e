#pragma once
#include "platform/telemetry/span.h"
#include "support/manual_clock.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lab::test {

/// Keeps the spans that ended, and counts identifiers up from 1.
class KeptSpans final : public SpanSink, public TraceIdSource {
  public:
    const Clock& clock() const override { return clock_; }
    TraceIdSource& ids() override { return *this; }
    void take(std::unique_ptr<SpanRecord> span) noexcept override {
        const std::lock_guard lock(mutex_);
        spans_.push_back(std::move(*span));
    }
    std::uint64_t next() override {
        const std::lock_guard lock(mutex_);
        return ++ids_given_;
    }

    ManualClock& time() { return clock_; }
    std::vector<SpanRecord> spans() const {
        const std::lock_guard lock(mutex_);
        return spans_;
    }
    /// Of the first with that name; nullopt when there is none.
    std::optional<SpanRecord> find(std::string_view name) const {
        const std::lock_guard lock(mutex_);
        const auto found = std::ranges::find(spans_, name, &SpanRecord::name);
        return found == spans_.end() ? std::nullopt : std::optional(*found);
    }
    /// A place that is sampled, or not.
    SpanPlace place(bool sampled = true) {
        SpanPlace out;
        out.sink = this;
        out.trace_id.fill('a');
        out.span_id.fill('b');
        out.sampled = sampled;
        return out;
    }

  private:
    ManualClock clock_;
    mutable std::mutex mutex_;
    std::vector<SpanRecord> spans_;
    std::uint64_t ids_given_ = 0;
};

/// Of a span that has it; null otherwise.
inline const SpanValue* attribute_of(const SpanRecord& span, std::string_view name) {
    const auto found =
        std::ranges::find(span.attributes, name, &std::pair<std::string, SpanValue>::first);
    return found == span.attributes.end() ? nullptr : &found->second;
}

}  // namespace lab::test
