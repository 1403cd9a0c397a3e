#pragma once
#include "platform/telemetry/metrics_snapshot.h"

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace lab {

/// Handles of single series. Callers look them up once and keep the reference, which is good as
/// long as the Metrics are. Any thread; counters and gauges take no lock, histograms one of their
/// own.
class Counter {
  public:
    explicit Counter(prometheus::Counter& series) : series_(&series) {}
    /// What is negative or no finite number is left out.
    void add(double amount = 1);
    double value() const;

  private:
    prometheus::Counter* series_;
};

class Gauge {
  public:
    explicit Gauge(prometheus::Gauge& series) : series_(&series) {}
    void set(double value);
    void add(double amount = 1);
    void subtract(double amount = 1) { add(-amount); }
    double value() const;

  private:
    prometheus::Gauge* series_;
};

class Histogram {
  public:
    explicit Histogram(prometheus::Histogram& series) : series_(&series) {}
    /// What is no finite number is left out.
    void observe(double value);

  private:
    prometheus::Histogram* series_;
};

/// Metrics of one name that differ in the values of fixed labels.
template <class Metric>
class MetricFamily {
  public:
    virtual ~MetricFamily() = default;
    /// One value for each label, in the order of the names; at most 128 bytes each are kept. Takes
    /// a lock and a search: not for the hot path. When the family has as many series as it may
    /// have, a new one is the series whose labels are all "other".
    virtual Metric& with(std::span<const std::string_view> values) = 0;
    Metric& with(std::initializer_list<std::string_view> values) {
        return with(std::span(values.begin(), values.size()));
    }
};

/// All metrics of a process. Made in app, travels in Telemetry. Any thread.
///
/// Names and labels are those of the Prometheus data model; a name that is not, or one that is
/// asked for again as something else, is our bug. Asking again for the same gives the same.
class Metrics {
  public:
    using Names = std::vector<std::string>;
    static constexpr std::size_t kSeriesMax = 200;

    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    Counter& counter(const std::string& name, const std::string& help);
    Gauge& gauge(const std::string& name, const std::string& help);
    /// `bounds`: upper bounds of the buckets, ascending, without infinity; 1 to 64 of them.
    Histogram& histogram(
        const std::string& name, const std::string& help, const std::vector<double>& bounds
    );

    MetricFamily<Counter>& counters(
        const std::string& name,
        const std::string& help,
        const Names& labels,
        std::size_t series_max = kSeriesMax
    );
    MetricFamily<Gauge>& gauges(
        const std::string& name,
        const std::string& help,
        const Names& labels,
        std::size_t series_max = kSeriesMax
    );
    MetricFamily<Histogram>& histograms(
        const std::string& name,
        const std::string& help,
        const Names& labels,
        const std::vector<double>& bounds,
        std::size_t series_max = kSeriesMax
    );

    /// Runs before every text() and snapshot(), to set gauges from what they measure. Does not
    /// wait.
    void on_collect(std::function<void()> work);

    /// Everything in the text format 0.0.4 (`text/plain; version=0.0.4; charset=utf-8`): families
    /// by name, series by labels. Source: prometheus.io, "Exposition formats".
    std::string text();
    /// The same as values, for who sends them somewhere.
    MetricsSnapshot snapshot();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab
