#include "platform/telemetry/metrics.h"

#include "base/error.h"
#include "base/text.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <locale>
#include <map>
#include <mutex>
#include <sstream>

namespace lab {
namespace {

constexpr std::size_t kLabelBytesMax = 128;
constexpr std::size_t kLabelsMax = 8;
constexpr std::size_t kBoundsMax = 64;
constexpr std::string_view kOther = "other";

bool is_name(std::string_view text, bool colons) {
    return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
           std::ranges::all_of(text, [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || (colons && c == ':');
           });
}

void check_names(const std::string& name, const Metrics::Names& labels) {
    LAB_ASSERT(is_name(name, true), "a metric has a name of the data model");
    LAB_ASSERT(labels.size() <= kLabelsMax, "a metric has few labels");
    for (const std::string& label : labels) {
        LAB_ASSERT(
            is_name(label, false) && !label.starts_with("__") && label != "le",
            "a label has a name of the data model"
        );
        LAB_ASSERT(std::ranges::count(labels, label) == 1, "each label is named once");
    }
}

/// The library escapes the values of labels and leaves the help as it is.
std::string escape_help(std::string_view help) {
    std::string out;
    for (const char c : help) {
        out += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return out;
}

template <class Handle>
struct Series;
template <>
struct Series<Counter> {
    using Type = prometheus::Counter;
};
template <>
struct Series<Gauge> {
    using Type = prometheus::Gauge;
};
template <>
struct Series<Histogram> {
    using Type = prometheus::Histogram;
};

using Values = std::vector<std::string>;

template <class Handle>
class Family final : public MetricFamily<Handle> {
  public:
    using Type = Series<Handle>::Type;

    Family(
        prometheus::Family<Type>& family,
        Metrics::Names labels,
        std::vector<double> bounds,
        std::size_t series_max,
        std::function<void()> on_overflow
    )
        : family_(family),
          labels_(std::move(labels)),
          bounds_(std::move(bounds)),
          series_max_(series_max),
          on_overflow_(std::move(on_overflow)) {}

    Handle& with(std::span<const std::string_view> given) override {
        LAB_ASSERT(given.size() == labels_.size(), "each label has a value");
        Values values;
        values.reserve(given.size());
        for (const std::string_view value : given) {
            values.push_back(shorten(value, kLabelBytesMax));
        }
        const std::lock_guard lock(mutex_);
        const auto found = series_.find(values);
        if (found != series_.end()) {
            return found->second;
        }
        if (series_.size() >= series_max_) {
            on_overflow_();
            values.assign(labels_.size(), std::string(kOther));
            if (const auto other = series_.find(values); other != series_.end()) {
                return other->second;
            }
        }
        return add(std::move(values));
    }

    bool is_like(
        const Metrics::Names& labels, const std::vector<double>& bounds, std::size_t series_max
    ) const {
        return labels_ == labels && bounds_ == bounds && series_max_ == series_max;
    }

  private:
    Handle& add(Values values) {
        prometheus::Labels labels;
        for (std::size_t i = 0; i < values.size(); ++i) {
            labels.emplace(labels_[i], values[i]);
        }
        Type* series = nullptr;
        if constexpr (std::is_same_v<Handle, Histogram>) {
            series = &family_.Add(labels, bounds_);
        } else {
            series = &family_.Add(labels);
        }
        return series_.emplace(std::move(values), Handle(*series)).first->second;
    }

    prometheus::Family<Type>& family_;
    const Metrics::Names labels_;
    const std::vector<double> bounds_;
    const std::size_t series_max_;
    const std::function<void()> on_overflow_;
    std::mutex mutex_;
    std::map<Values, Handle> series_;
};

template <class Handle>
auto build_family() {
    if constexpr (std::is_same_v<Handle, Counter>) {
        return prometheus::BuildCounter();
    } else if constexpr (std::is_same_v<Handle, Gauge>) {
        return prometheus::BuildGauge();
    } else {
        return prometheus::BuildHistogram();
    }
}

}  // namespace

struct Metrics::Impl {
    prometheus::Registry registry;
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<MetricFamily<Counter>>> counters;
    std::map<std::string, std::unique_ptr<MetricFamily<Gauge>>> gauges;
    std::map<std::string, std::unique_ptr<MetricFamily<Histogram>>> histograms;
    std::vector<std::function<void()>> before_text;
    prometheus::Family<prometheus::Counter>& overflows =
        prometheus::BuildCounter()
            .Name("metrics_series_folded_total")
            .Help("Look-ups that found a family full and were given its series \"other\".")
            .Register(registry);

    template <class Handle>
    auto& families() {
        if constexpr (std::is_same_v<Handle, Counter>) {
            return counters;
        } else if constexpr (std::is_same_v<Handle, Gauge>) {
            return gauges;
        } else {
            return histograms;
        }
    }

    template <class Handle>
    MetricFamily<Handle>& family(
        const std::string& name,
        const std::string& help,
        const Names& labels,
        const std::vector<double>& bounds,
        std::size_t series_max
    ) {
        check_names(name, labels);
        const std::lock_guard lock(mutex);
        auto& all = families<Handle>();
        if (const auto found = all.find(name); found != all.end()) {
            const auto& known = static_cast<const Family<Handle>&>(*found->second);
            LAB_ASSERT(
                known.is_like(labels, bounds, series_max),
                "a metric is the same wherever it is named"
            );
            return *found->second;
        }
        const auto uses = counters.count(name) + gauges.count(name) + histograms.count(name);
        LAB_ASSERT(uses == 0, "a metric is of one kind");
        auto& series = build_family<Handle>().Name(name).Help(escape_help(help)).Register(registry);
        // The counter of a family's overflows appears with the first of them.
        auto count_overflow = [this, name] { overflows.Add({{"family", name}}).Increment(); };
        auto made = std::make_unique<Family<Handle>>(
            series, labels, bounds, series_max, std::move(count_overflow)
        );
        return *all.emplace(name, std::move(made)).first->second;
    }

    /// All families with a series, by name, series by labels.
    std::vector<prometheus::MetricFamily> collect() {
        std::vector<std::function<void()>> work;
        {
            const std::lock_guard lock(mutex);
            work = before_text;  // they may ask for metrics, which takes the lock
        }
        for (const std::function<void()>& one : work) {
            one();
        }
        std::vector<prometheus::MetricFamily> families = registry.Collect();
        std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
        std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
        for (prometheus::MetricFamily& family : families) {
            std::ranges::sort(family.metric, {}, &prometheus::ClientMetric::label);
        }
        return families;
    }
};

namespace {

MetricPoint point_of(const prometheus::ClientMetric& series, MetricShown::Kind kind) {
    MetricPoint out;
    for (const auto& label : series.label) {
        out.labels.emplace_back(label.name, label.value);
    }
    if (kind != MetricShown::Kind::histogram) {
        out.value = kind == MetricShown::Kind::counter ? series.counter.value : series.gauge.value;
        return out;
    }
    out.sum = series.histogram.sample_sum;
    out.count = series.histogram.sample_count;
    std::uint64_t below = 0;
    for (const auto& bucket : series.histogram.bucket) {
        out.buckets.push_back(bucket.cumulative_count - below);
        below = bucket.cumulative_count;
    }
    return out;
}

}  // namespace

void Counter::add(double amount) {
    if (amount >= 0 && std::isfinite(amount)) {
        series_->Increment(amount);
    }
}
double Counter::value() const { return series_->Value(); }

void Gauge::set(double value) { series_->Set(value); }
void Gauge::add(double amount) { series_->Increment(amount); }
double Gauge::value() const { return series_->Value(); }

void Histogram::observe(double value) {
    if (std::isfinite(value)) {
        series_->Observe(value);
    }
}

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(const std::string& name, const std::string& help) {
    return counters(name, help, {}, 1).with({});
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help) {
    return gauges(name, help, {}, 1).with({});
}

Histogram& Metrics::histogram(
    const std::string& name, const std::string& help, const std::vector<double>& bounds
) {
    return histograms(name, help, {}, bounds, 1).with({});
}

MetricFamily<Counter>& Metrics::counters(
    const std::string& name, const std::string& help, const Names& labels, std::size_t series_max
) {
    return impl_->family<Counter>(name, help, labels, {}, series_max);
}

MetricFamily<Gauge>& Metrics::gauges(
    const std::string& name, const std::string& help, const Names& labels, std::size_t series_max
) {
    return impl_->family<Gauge>(name, help, labels, {}, series_max);
}

MetricFamily<Histogram>& Metrics::histograms(
    const std::string& name,
    const std::string& help,
    const Names& labels,
    const std::vector<double>& bounds,
    std::size_t series_max
) {
    LAB_ASSERT(
        !bounds.empty() && bounds.size() <= kBoundsMax &&
            std::ranges::all_of(bounds, [](double b) { return std::isfinite(b); }),
        "a histogram has some finite bounds"
    );
    LAB_ASSERT(
        std::ranges::adjacent_find(bounds, std::greater_equal{}) == bounds.end(),
        "the bounds of a histogram ascend"
    );
    return impl_->family<Histogram>(name, help, labels, bounds, series_max);
}

void Metrics::on_collect(std::function<void()> work) {
    const std::lock_guard lock(impl_->mutex);
    impl_->before_text.push_back(std::move(work));
}

std::string Metrics::text() {
    const std::vector<prometheus::MetricFamily> families = impl_->collect();
    std::ostringstream out;
    out.imbue(std::locale::classic());
    prometheus::TextSerializer().Serialize(out, families);
    return std::move(out).str();
}

MetricsSnapshot Metrics::snapshot() {
    using Kind = MetricShown::Kind;
    MetricsSnapshot out;
    for (const prometheus::MetricFamily& family : impl_->collect()) {
        MetricShown shown{.name = family.name, .help = family.help, .bounds = {}, .points = {}};
        shown.kind = family.type == prometheus::MetricType::Counter ? Kind::counter
                     : family.type == prometheus::MetricType::Gauge ? Kind::gauge
                                                                    : Kind::histogram;
        for (const prometheus::ClientMetric& series : family.metric) {
            shown.points.push_back(point_of(series, shown.kind));
        }
        if (shown.kind == Kind::histogram) {
            for (const auto& bucket : family.metric.front().histogram.bucket) {
                if (std::isfinite(bucket.upper_bound)) {
                    shown.bounds.push_back(bucket.upper_bound);
                }
            }
        }
        out.push_back(std::move(shown));
    }
    return out;
}

}  // namespace lab
