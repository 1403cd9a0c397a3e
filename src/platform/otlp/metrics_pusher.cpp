#include "platform/otlp/metrics_pusher.h"

#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace lab::otlp {
namespace {

constexpr std::string_view kMetricsService =
    "opentelemetry.proto.collector.metrics.v1.MetricsService";
constexpr std::string_view kMetricsPath = "/v1/metrics";
/// A collector takes 4 MiB.
constexpr std::size_t kBytesMax = 1U << 20;

/// Signals are for the threads that know them.
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct MetricsPusher::Impl {
    Impl(
        const Clock& of,
        Metrics& from,
        PusherOptions given,
        std::function<void(std::string_view)> told
    )
        : clock(of),
          metrics(from),
          resource(std::move(given.exporter.resource)),
          version(std::move(given.exporter.version)),
          interval(given.interval),
          trouble(std::move(told)),
          begun(of.wall()),
          pushes(from.counters("metric_pushes_total", "Metrics sent to a collector", {"outcome"})),
          good(pushes.with({"ok"})),
          bad(pushes.with({"failed"})),
          sender(std::move(given.exporter.sender)),
          pusher([this] {
              block_signals();
              push_all();
          }) {}

    void push_all() {
        std::unique_lock lock(mutex);
        while (!over) {
            wake.wait_for(lock, interval, [this] { return closing; });
            const bool is_last = closing;
            if (!given_up) {
                lock.unlock();
                push();
                lock.lock();
            }
            over = is_last || given_up;
        }
        ended.notify_all();
    }

    void push() {
        std::string problem;
        for (const std::string& message : encode_metrics(
                 resource, version, metrics.snapshot(), begun, clock.wall(), kBytesMax
             )) {
            const Answer answer = sender.send(kMetricsService, kMetricsPath, message);
            if (answer.end != Answer::End::taken) {
                problem = answer.problem;
                break;
            }
            if (const PartialSuccess partly = decode_partial_success(answer.response);
                partly.rejected > 0) {
                problem = "some metrics were not taken: " + partly.message;
            }
        }
        (problem.empty() ? good : bad).add();
        if (problem.empty() != problem_told.empty()) {
            problem_told = problem;
            trouble(problem);
        }
    }

    const Clock& clock;
    Metrics& metrics;
    const Resource resource;
    const std::string version;
    const Duration interval;
    const std::function<void(std::string_view)> trouble;
    const WallTime begun;
    MetricFamily<Counter>& pushes;
    Counter& good;
    Counter& bad;
    Sender sender;
    std::string problem_told;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable ended;
    bool closing = false;
    bool given_up = false;
    bool over = false;
    std::jthread pusher;  // last: it goes first, and uses all of the above
};

MetricsPusher::MetricsPusher(
    const Clock& clock,
    Metrics& metrics,
    PusherOptions options,
    std::function<void(std::string_view)> trouble
)
    : impl_(std::make_unique<Impl>(clock, metrics, std::move(options), std::move(trouble))) {}

MetricsPusher::~MetricsPusher() { close(Duration::zero()); }

void MetricsPusher::close_soon() {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
    impl_->wake.notify_all();
}

void MetricsPusher::close(Duration limit) {
    {
        std::unique_lock lock(impl_->mutex);
        impl_->closing = true;
        impl_->wake.notify_all();
        if (!impl_->ended.wait_for(lock, limit, [&] { return impl_->over; })) {
            impl_->given_up = true;
            impl_->sender.interrupt();
        }
    }
    if (impl_->pusher.joinable()) {
        impl_->pusher.join();
    }
}

}  // namespace lab::otlp
