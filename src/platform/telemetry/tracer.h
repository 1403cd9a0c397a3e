#pragma once
#include "platform/telemetry/span.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace lab {

/// What became of spans that were sent.
struct SpanDelivery {
    enum class End : std::uint8_t {
        accepted,
        refused,      ///< they are not wanted: sending them again changes nothing
        unreachable,  ///< nobody answered, or asked to be left alone for now
    };
    End end = End::accepted;
    std::int64_t rejected = 0;            ///< of those that were accepted
    std::optional<Duration> retry_after;  ///< asked for by the other side
    std::string problem;                  ///< for people; no secret in it
};

/// Where spans go.
class SpanExporter {
  public:
    virtual ~SpanExporter() = default;
    /// On one thread. Waits as long as its time-out says, or until interrupt().
    virtual SpanDelivery send(std::span<const std::unique_ptr<SpanRecord>> spans) = 0;
    /// send() comes to an end soon, also the next one. Any thread.
    virtual void interrupt() = 0;
};

struct TracerOptions {
    double sample_ratio = 1;  ///< of traces that begin here, 0 to 1
    std::size_t queue_max = 2048;
    std::size_t batch_max = 512;
    std::size_t batch_bytes_max = 2U << 20;    ///< a collector takes 4 MiB
    Duration delay = std::chrono::seconds(5);  ///< a span waits no longer for others
    Duration pause_min =
        std::chrono::seconds(1);  ///< after a failure; twice as long after the next
    Duration pause_max = std::chrono::seconds(5);
    Duration keep_max = std::chrono::seconds(60);  ///< a batch that nobody takes is given up then
};

struct TracerCounts {
    std::uint64_t exported = 0;
    std::uint64_t queue_full = 0;   ///< dropped: more came than leave
    std::uint64_t refused = 0;      ///< dropped: by the other side
    std::uint64_t unreachable = 0;  ///< dropped: nobody took them in time
    std::size_t waiting = 0;
    std::uint64_t failures = 0;  ///< attempts that came to nothing
};

/// Decides which traces are recorded, and exports what is recorded in batches on a thread of its
/// own. Whoever ends a span never waits: when the queue is full the span is dropped and counted.
///
/// Sampling is parent-based: a trace that came from outside is recorded when its sampled flag is
/// set; of those that begin here a part, told by the lower 56 bits of the trace id, so that
/// everybody who goes by them decides alike (OpenTelemetry, "TraceState: Probability Sampling").
class Tracer final : public SpanSink {
  public:
    /// `trouble`: on the tracer's thread, when exporting begins to fail (what went wrong), and when
    /// it works again (""). Both references outlive it.
    Tracer(
        const Clock& clock,
        TraceIdSource& ids,
        std::unique_ptr<SpanExporter> exporter,
        TracerOptions options,
        std::function<void(std::string_view)> trouble = {}
    );
    /// close() at once.
    ~Tracer() override;
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;

    /// Whether a trace that begins with this id is recorded.
    bool samples(std::string_view trace_id) const;
    /// Of work that has such a context itself.
    SpanPlace place_of(const TraceContext& self);
    /// Begins work below what came from outside, or a new trace.
    SpanPlace new_place(const std::optional<TraceContext>& parent);

    /// The work ends: what waits leaves now. Does not wait.
    void close_soon();
    /// Takes no more spans, and waits until those that wait have left, or `limit` is over.
    void close(Duration limit);

    TracerCounts counts() const;

    const Clock& clock() const override { return clock_; }
    TraceIdSource& ids() override { return ids_; }
    void take(std::unique_ptr<SpanRecord> span) noexcept override;

  private:
    struct Impl;
    const Clock& clock_;
    TraceIdSource& ids_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab
