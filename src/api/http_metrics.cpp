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

HttpMetrics::HttpMetrics(const Clock& clock, Metrics& metrics, const std::vector<Route>& routes)
    : clock_(clock),
      routes_(routes),
      requests_(metrics.counters(
          "http_requests_total", "Requests answered", {"method", "path", "status"}, kSeriesMax
      )),
      durations_(metrics.histograms(
          "http_request_duration_seconds",
          "From the first byte of a request to the last of its answer",
          {"method", "path"},
          kSecondBounds,
          kSeriesMax
      )),
      sizes_in_(metrics.histograms(
          "http_request_size_bytes",
          "Requests with their heads",
          {"method", "path"},
          kByteBounds,
          kSeriesMax
      )),
      sizes_out_(metrics.histograms(
          "http_response_size_bytes",
          "Answers with their heads",
          {"method", "path"},
          kByteBounds,
          kSeriesMax
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
        series_.push_back(make(route.method, route.path));
    }
    series_.push_back(make("other", "unmatched"));
}

HttpMetrics::~HttpMetrics() = default;

HttpMetrics::Series& HttpMetrics::series_of(const Route* route) {
    return route == nullptr ? *series_.back()
                            : *series_[static_cast<std::size_t>(route - routes_.data())];
}

void HttpMetrics::observe(const Served& served) {
    Series& series = series_of(served.route);
    series.count(requests_, served.status);
    series.duration->observe(std::chrono::duration<double>(served.duration).count());
    series.size_in->observe(static_cast<double>(served.bytes_in));
    series.size_out->observe(static_cast<double>(served.bytes_out));
    if (served.route == nullptr || served.route->limit != LimitClass::exempt) {
        rate_.count(clock_.now());
    }
}

namespace {

std::int64_t second_of(TimePoint now) {
    return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

void RequestRate::count(TimePoint now) {
    const std::int64_t number = second_of(now);
    Second& second = seconds_[static_cast<std::size_t>(number) % seconds_.size()];
    std::int64_t old = second.number;
    // Who comes first in a second takes over what an older one left.
    if (old != number && second.number.compare_exchange_strong(old, number)) {
        second.count = 0;
    }
    ++second.count;
}

double RequestRate::per_second(TimePoint now) const {
    const std::int64_t current = second_of(now);
    std::int64_t sum = 0;
    for (const Second& second : seconds_) {
        const std::int64_t number = second.number;
        if (number < current && number >= current - kSeconds) {
            sum += second.count;
        }
    }
    return static_cast<double>(sum) / static_cast<double>(kSeconds);
}

}  // namespace lab::api
