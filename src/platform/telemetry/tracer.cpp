#include "platform/telemetry/tracer.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace lab {
namespace {

using Spans = std::vector<std::unique_ptr<SpanRecord>>;

/// Signals are for the threads that know them.
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Tracer::Impl {
    Impl(
        TraceIdSource& chance_source,
        std::unique_ptr<SpanExporter> to,
        TracerOptions given,
        std::function<void(std::string_view)> told
    )
        : chance(chance_source),
          exporter(std::move(to)),
          options(given),
          trouble(std::move(told)),
          sender([this] {
              block_signals();
              send_all();
          }) {}

    void send_all() {
        std::unique_lock lock(mutex);
        while (!over) {
            if (batch.empty()) {
                wait_for_spans(lock);
                take_batch();
            }
            if (batch.empty()) {
                over = over || closing;
                continue;
            }
            lock.unlock();
            const SpanDelivery delivery = exporter->send(batch);
            lock.lock();
            settle(lock, delivery);
        }
        // Nobody asks for these any more.
        unreachable += batch.size() + queue.size();
        batch.clear();
        queue.clear();
        ended.notify_all();
    }

    void wait_for_spans(std::unique_lock<std::mutex>& lock) {
        const auto wanted = [this] {
            return hurried || closing || over || queue.size() >= options.batch_max;
        };
        // The first span of a batch begins the wait.
        wake.wait(lock, [&] { return closing || over || !queue.empty(); });
        wake.wait_for(lock, options.delay, wanted);
    }

    void take_batch() {
        std::size_t bytes = 0;
        while (!queue.empty() && batch.size() < options.batch_max) {
            bytes += queue.front()->bytes;
            if (!batch.empty() && bytes > options.batch_bytes_max) {
                break;
            }
            batch.push_back(std::move(queue.front()));
            queue.pop_front();
        }
        kept_since = std::chrono::steady_clock::now();
    }

    void settle(std::unique_lock<std::mutex>& lock, const SpanDelivery& delivery) {
        using End = SpanDelivery::End;
        const std::uint64_t size = batch.size();
        if (delivery.end == End::unreachable) {
            pause(lock, delivery);
            return;
        }
        if (delivery.end == End::accepted) {
            const auto rejected = std::min(
                size, static_cast<std::uint64_t>(std::max<std::int64_t>(0, delivery.rejected))
            );
            exported += size - rejected;
            refused += rejected;
        } else {
            ++failures;
            refused += size;
        }
        batch.clear();
        pause_next = options.pause_min;
        tell(lock, delivery.problem);
    }

    /// Between attempts; the batch stays until it is too old.
    void pause(std::unique_lock<std::mutex>& lock, const SpanDelivery& delivery) {
        ++failures;
        over = over || closing;
        if (over) {
            return;
        }
        tell(lock, delivery.problem);
        if (std::chrono::steady_clock::now() - kept_since >= options.keep_max) {
            unreachable += batch.size();
            batch.clear();
        }
        Duration wait = std::max(pause_next, delivery.retry_after.value_or(Duration::zero()));
        // Processes that lost the same collector do not come back together.
        wait += wait / 5 * static_cast<std::int64_t>(chance.next() % 100) / 100;
        pause_next = std::min(pause_next * 2, options.pause_max);
        // Who ends the process gives it one more attempt, and not the whole pause.
        wake.wait_for(lock, std::min(wait, options.keep_max), [this] {
            return over || std::exchange(try_now, false);
        });
    }

    /// Told when it changes; without the lock, because a log may be slow.
    void tell(std::unique_lock<std::mutex>& lock, const std::string& problem) {
        if (trouble && problem.empty() != problem_told.empty()) {
            problem_told = problem;
            lock.unlock();
            trouble(problem);
            lock.lock();
        }
    }

    TraceIdSource& chance;
    const std::unique_ptr<SpanExporter> exporter;
    const TracerOptions options;
    const std::function<void(std::string_view)> trouble;

    mutable std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable ended;
    std::deque<std::unique_ptr<SpanRecord>> queue;
    Spans batch;  ///< on its way; of the sender but for its size
    std::chrono::steady_clock::time_point kept_since;
    Duration pause_next = options.pause_min;
    bool hurried = false;  ///< nothing waits for company any more
    bool try_now = false;
    bool closing = false;  ///< takes no more
    bool over = false;
    std::uint64_t exported = 0;
    std::uint64_t queue_full = 0;
    std::uint64_t refused = 0;
    std::uint64_t unreachable = 0;
    std::uint64_t failures = 0;
    std::string problem_told;  ///< of the sender
    std::jthread sender;       // last: it goes first, and uses all of the above
};

Tracer::Tracer(
    const Clock& clock,
    TraceIdSource& ids,
    std::unique_ptr<SpanExporter> exporter,
    TracerOptions options,
    std::function<void(std::string_view)> trouble
)
    : clock_(clock),
      ids_(ids),
      impl_(std::make_unique<Impl>(ids, std::move(exporter), options, std::move(trouble))) {}

Tracer::~Tracer() { close(Duration::zero()); }

bool Tracer::samples(std::string_view trace_id) const {
    constexpr std::size_t kDigits = 14;  // 56 bits
    const double ratio = impl_->options.sample_ratio;
    if (ratio <= 0 || ratio >= 1 || trace_id.size() < kDigits) {
        return ratio >= 1;
    }
    std::uint64_t random = 0;
    for (const char c : trace_id.substr(trace_id.size() - kDigits)) {
        const auto digit = static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
        random = random << 4U | digit;
    }
    constexpr auto kWhole = static_cast<double>(std::uint64_t{1} << 56U);
    return random >= static_cast<std::uint64_t>((1 - ratio) * kWhole);
}

SpanPlace Tracer::place_of(const TraceContext& self) {
    SpanPlace out;
    if (self.trace_id.size() == out.trace_id.size() && self.span_id.size() == out.span_id.size()) {
        out.sink = this;
        std::ranges::copy(self.trace_id, out.trace_id.begin());
        std::ranges::copy(self.span_id, out.span_id.begin());
        out.sampled = self.sampled;
        if (!self.trace_state.empty()) {
            out.trace_state = std::make_shared<const std::string>(self.trace_state);
        }
    }
    return out;
}

SpanPlace Tracer::new_place(const std::optional<TraceContext>& parent) {
    if (parent) {
        return place_of(child_of(*parent, ids_));
    }
    TraceContext self = start_trace(ids_, false);
    self.sampled = samples(self.trace_id);
    return place_of(self);
}

void Tracer::close_soon() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->hurried = impl_->try_now = true;
    }
    impl_->wake.notify_all();
}

void Tracer::close(Duration limit) {
    std::unique_lock lock(impl_->mutex);
    impl_->closing = true;
    impl_->try_now = !impl_->hurried;
    impl_->wake.notify_all();
    if (!impl_->ended.wait_for(lock, limit, [&] { return impl_->over; })) {
        impl_->over = true;
        impl_->wake.notify_all();
        impl_->exporter->interrupt();
    }
}

TracerCounts Tracer::counts() const {
    const std::lock_guard lock(impl_->mutex);
    return {
        .exported = impl_->exported,
        .queue_full = impl_->queue_full,
        .refused = impl_->refused,
        .unreachable = impl_->unreachable,
        .waiting = impl_->queue.size() + impl_->batch.size(),
        .failures = impl_->failures,
    };
}

void Tracer::take(std::unique_ptr<SpanRecord> span) noexcept {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closing || impl_->queue.size() >= impl_->options.queue_max) {
        ++impl_->queue_full;
        return;
    }
    impl_->queue.push_back(std::move(span));
    // The first begins the wait for others, a full batch ends it.
    if (impl_->queue.size() == 1 || impl_->queue.size() == impl_->options.batch_max) {
        impl_->wake.notify_one();
    }
}

}  // namespace lab
