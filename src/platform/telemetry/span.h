#pragma once
#include "base/clock.h"
#include "platform/telemetry/trace_context.h"

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lab {

/// The numbers are those of OTLP.
enum class SpanKind : std::uint8_t {
    internal = 1,
    server = 2,
    client = 3,
    producer = 4,
    consumer = 5
};

using SpanValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// A stretch of work that is over.
struct SpanRecord {
    static constexpr std::size_t kAttributesMax = 48;
    static constexpr std::size_t kTextBytesMax = 512;  ///< of a name or a value

    std::array<char, 32> trace_id{};  ///< lower-case hexadecimal
    std::array<char, 16> span_id{};
    std::array<char, 16> parent_id{};  ///< all '\0': it has none
    std::string trace_state;
    std::string name;
    SpanKind kind = SpanKind::internal;
    WallTime begun{};
    TimePoint begun_at{};  ///< the same moment, for the duration
    Duration took{};
    bool failed = false;
    std::vector<std::pair<std::string, SpanValue>> attributes;
    std::uint32_t attributes_dropped = 0;
    std::size_t bytes = 0;  ///< about what it takes on the wire
};

/// Takes spans that are over. Any thread; never waits.
class SpanSink {
  public:
    virtual ~SpanSink() = default;
    virtual const Clock& clock() const = 0;
    virtual TraceIdSource& ids() = 0;
    virtual void take(std::unique_ptr<SpanRecord> span) noexcept = 0;
};

/// Where work stands: in which trace, below which span. Cheap to copy, and good as long as the sink
/// is; the span itself may be over.
struct SpanPlace {
    SpanSink* sink = nullptr;  ///< nullptr: nobody traces
    std::array<char, 32> trace_id{};
    std::array<char, 16> span_id{};
    bool sampled = false;  ///< whether spans below are recorded
    std::shared_ptr<const std::string> trace_state;

    bool records() const { return sink != nullptr && sampled; }
};

/// A stretch of work. Without a record, because nobody traces or this trace is not sampled, it does
/// nothing and costs nothing. It ends with end() or when it goes. One thread at a time.
class Span {
  public:
    Span() = default;
    ~Span() { end(); }
    Span(Span&&) noexcept = default;
    Span& operator=(Span&& other) noexcept;

    /// The one below `place`. `ago`: it began that long ago. `parent`: for who continues a trace
    /// that came from outside, `place` is then the span itself and this the one above ("": none).
    static Span below(
        const SpanPlace& place, std::string_view name, SpanKind kind, Duration ago = {}
    );
    static Span at(
        const SpanPlace& self, std::string_view parent, std::string_view name, SpanKind kind
    );

    bool recorded() const { return record_ != nullptr; }
    /// What goes below this one; nothing unless recorded.
    SpanPlace place() const;

    /// Texts are cut at SpanRecord::kTextBytesMax and lose their secrets before they leave
    /// (redact.h). Names are those of OpenTelemetry's semantic conventions where there are any,
    /// and begin with "llm_research." otherwise. Bodies, prompts and outputs are never set.
    void set(std::string_view name, bool value) { put(name, value); }
    void set(std::string_view name, std::integral auto value) {
        put(name, static_cast<std::int64_t>(value));
    }
    void set(std::string_view name, double value) { put(name, value); }
    void set(std::string_view name, std::string_view value);
    void set(std::string_view name, const char* value) { set(name, std::string_view(value)); }
    void set(std::string_view name, const std::string& value) {
        set(name, std::string_view(value));
    }
    void set_list(std::string_view name, const std::vector<std::string>& values);
    /// The work went wrong; `type` goes to error.type: a code, never a message.
    void fail(std::string_view type);
    void end() noexcept;

  private:
    void put(std::string_view name, SpanValue value);

    SpanSink* sink_ = nullptr;
    std::unique_ptr<SpanRecord> record_;
};

/// Where the work of this thread stands; SpanScope says so.
const SpanPlace& current_place();

/// From now on the work of this thread stands there, and where it stood before when this goes. Must
/// go on the thread that made it, and before whatever it was made after.
class SpanScope {
  public:
    explicit SpanScope(SpanPlace place);
    /// Below a span; nothing changes when it is not recorded.
    explicit SpanScope(const Span& span);
    ~SpanScope();
    SpanScope(const SpanScope&) = delete;
    SpanScope& operator=(const SpanScope&) = delete;

  private:
    SpanPlace before_;
};

/// The one below where this thread stands.
inline Span child_span(std::string_view name, SpanKind kind, Duration ago = {}) {
    const SpanPlace& here = current_place();
    return here.records() ? Span::below(here, name, kind, ago) : Span();
}

/// The place as headers have it (trace_context.h); an empty trace id: there is no trace.
TraceContext context_of(const SpanPlace& place);

}  // namespace lab
