#pragma once
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab {

/// 64 random bits, for identifiers of traces and spans: unlikely to repeat, not secret. Injected,
/// so that a test can foresee them. Any thread.
class TraceIdSource {
  public:
    virtual ~TraceIdSource() = default;
    virtual std::uint64_t next() = 0;
};

class RandomTraceIds final : public TraceIdSource {
  public:
    RandomTraceIds();
    /// Reproducible.
    RandomTraceIds(std::uint64_t first, std::uint64_t second) : state_(first), mask_(second) {}
    std::uint64_t next() override;

  private:
    std::atomic<std::uint64_t> state_;
    const std::uint64_t mask_;
};

/// Where a piece of work stands in a trace (W3C Trace Context, Recommendation of 23 November 2021).
struct TraceContext {
    std::string trace_id;     ///< 32 lower-case hexadecimal digits, not all zero
    std::string span_id;      ///< 16 of them, not all zero
    bool sampled = false;     ///< whether somebody records this trace
    std::string trace_state;  ///< of other vendors, handed on as it came
    bool operator==(const TraceContext&) const = default;
};

/// What a caller sent. Nothing when `traceparent` is not as section 3.2 has it, and then the trace
/// state is nobody's either. A later version than 00 is read as far as 00 goes. Headers that came
/// more than once are the caller's business: traceparent then counts as not sent, the values of
/// tracestate are joined with commas.
std::optional<TraceContext> parse_trace_context(
    std::string_view traceparent, std::string_view tracestate
);

/// A new trace.
TraceContext start_trace(TraceIdSource& ids, bool sampled);
/// A new span of the same trace.
TraceContext child_of(const TraceContext& parent, TraceIdSource& ids);

/// "00-<trace id>-<span id>-<flags>", for outgoing calls; the trace state goes beside it when it is
/// not empty.
std::string format_traceparent(const TraceContext& context);

/// The list of section 3.3 without empty members and white space around members, at most 512 bytes
/// long; empty when any of it is broken or a key is repeated. What is too long loses whole members:
/// those above 128 bytes first, then the last.
std::string clean_tracestate(std::string_view tracestate);

}  // namespace lab
