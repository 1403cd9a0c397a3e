#pragma once
#include "api/application.h"
#include "platform/telemetry/metrics.h"

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace lab::api {

/// How many a second, over the last whole seconds. Any thread; takes no lock.
class RequestRate {
  public:
    static constexpr std::int64_t kSeconds = 10;
    void count(TimePoint now);
    double per_second(TimePoint now) const;

  private:
    struct Second {
        std::atomic<std::int64_t> number = -1;  ///< which second it is
        std::atomic<std::int64_t> count = 0;
    };
    std::array<Second, kSeconds + 2> seconds_;
};

/// Counts and times of requests, by route. All series of a route with the statuses 200, 400 and 500
/// exist from the start, so that a rate over them is a number and never nothing. Any thread.
class HttpMetrics {
  public:
    /// All outlive it; `routes` are those that Served::route points to.
    HttpMetrics(const Clock& clock, Metrics& metrics, const std::vector<Route>& routes);
    ~HttpMetrics();
    void observe(const Served& served);
    /// Without probes and scrapes: http_requests_per_second, which autoscalers go by.
    double per_second() const { return rate_.per_second(clock_.now()); }

  private:
    struct Series;
    Series& series_of(const Route* route);
    const Clock& clock_;
    const std::vector<Route>& routes_;
    MetricFamily<Counter>& requests_;
    MetricFamily<Histogram>& durations_;
    MetricFamily<Histogram>& sizes_in_;
    MetricFamily<Histogram>& sizes_out_;
    std::vector<std::unique_ptr<Series>> series_;  ///< by route; the last is of none
    RequestRate rate_;
};

}  // namespace lab::api
