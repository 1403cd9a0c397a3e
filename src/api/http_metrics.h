#pragma once
#include "api/application.h"
#include "platform/telemetry/metrics.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>

namespace lab::api {

/// Counts and times of requests, by route. All series of a route with the statuses 200, 400 and 500
/// exist from the start, so that a rate over them is a number and never nothing. Any thread.
class HttpMetrics {
  public:
    /// `metrics` outlives it.
    HttpMetrics(Metrics& metrics, const std::vector<Route>& routes);
    ~HttpMetrics();
    void observe(const Served& served);

  private:
    struct Series;
    Series& series_of(std::string_view method, std::string_view path);
    MetricFamily<Counter>& requests_;
    MetricFamily<Histogram>& durations_;
    MetricFamily<Histogram>& sizes_in_;
    MetricFamily<Histogram>& sizes_out_;
    /// By method and path of the route; never changes once made.
    std::map<std::pair<std::string, std::string>, std::unique_ptr<Series>, std::less<>> series_;
    std::unique_ptr<Series> unmatched_;
};

}  // namespace lab::api
