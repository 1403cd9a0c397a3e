#include "api/http_metrics.h"

namespace lab::api {
namespace {

constexpr std::size_t kStatusMax = 600;
constexpr std::size_t kSeriesMax = 4000;
const std::vector<double> kSecondBounds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10
};
const std::vector<double> kByteBounds{100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000};

}  // namespace

struct HttpMetrics::Series {
    std::string method;
    std::string path;
    Histogram* duration = nullptr;
    Histogram* size_in = nullptr;
    Histogram* size_out = nullptr;
    /// By status, looked up once.
    std::array<std::atomic<Counter*>, kStatusMax> requests{};

    void count(MetricFamily<Counter>& family, int status) {
        const auto index = static_cast<std::size_t>(status >= 0 && status < 600 ? status : 0);
        Counter* counter = requests[index].load(std::memory_order_acquire);
        if (counter == nullptr) {
            counter = &family.with({method, path, std::to_string(status)});
            requests[index].store(counter, std::memory_order_release);
        }
        counter->add();
    }
};

HttpMetrics::HttpMetrics(Metrics& metrics, const std::vector<Route>& routes)
    : requests_(metrics.counters(
          "http_requests_total", "Requests answered", {"method", "path", "status"}, kSeriesMax
      )),
      durations_(metrics.histograms(
          "http_request_duration_seconds",
          "From the first byte of a request to the last of its answer",
          {"method", "path"},
          kSecondBounds
      )),
      sizes_in_(metrics.histograms(
          "http_request_size_bytes", "Requests with their heads", {"method", "path"}, kByteBounds
      )),
      sizes_out_(metrics.histograms(
          "http_response_size_bytes", "Answers with their heads", {"method", "path"}, kByteBounds
      )) {
    const auto make = [&](std::string_view method, std::string_view path) {
        auto series = std::make_unique<Series>();
        series->method = method;
        series->path = path;
        series->duration = &durations_.with({method, path});
        series->size_in = &sizes_in_.with({method, path});
        series->size_out = &sizes_out_.with({method, path});
        for (const int status : {200, 400, 500}) {
            Counter& counter = requests_.with({method, path, std::to_string(status)});
            series->requests[static_cast<std::size_t>(status)] = &counter;
        }
        return series;
    };
    for (const Route& route : routes) {
        series_[{std::string(route.method), std::string(route.path)}] =
            make(route.method, route.path);
    }
    unmatched_ = make("other", "unmatched");
}

HttpMetrics::~HttpMetrics() = default;

HttpMetrics::Series& HttpMetrics::series_of(std::string_view method, std::string_view path) {
    const std::string_view of_route = method == "HEAD" ? "GET" : method;
    const auto found = series_.find(std::pair(std::string(of_route), std::string(path)));
    return found == series_.end() ? *unmatched_ : *found->second;
}

void HttpMetrics::observe(const Served& served) {
    Series& series = series_of(served.method, served.path);
    series.count(requests_, served.status);
    series.duration->observe(std::chrono::duration<double>(served.duration).count());
    series.size_in->observe(static_cast<double>(served.bytes_in));
    series.size_out->observe(static_cast<double>(served.bytes_out));
}

}  // namespace lab::api
