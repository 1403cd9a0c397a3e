#include "science/stats/analysis.h"
#include "science/stats/bootstrap.h"
#include "science/stats/impl/replicates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {
using impl::Replicates;

constexpr std::int64_t kExactBelow = 30;         // Clopper-Pearson instead of Wilson
constexpr std::size_t kBootstrapBelow = 200;     // BCa beside t
constexpr std::size_t kBootstrapNever = 20'000;  // the central limit theorem has long taken over
constexpr double kSkewed = 1;

constexpr std::string_view kAllEqualNote =
    "all values equal: the standard error is 0, which is not certainty";

std::vector<double> pick(std::span<const double> values, std::span<const std::uint32_t> items) {
    std::vector<double> out;
    out.reserve(items.size());
    for (const std::uint32_t item : items) {
        out.push_back(values[item]);
    }
    return out;
}

void estimate_proportion(Estimate& out, std::span<const double> values, double confidence) {
    const auto successes = static_cast<std::int64_t>(std::count(values.begin(), values.end(), 1.0));
    out.successes = successes;
    const std::string percent = format_percent(confidence);
    if (out.n < kExactBelow) {
        out.interval = clopper_pearson(successes, out.n, confidence);
        out.method = "Clopper-Pearson " + percent;
    } else {
        out.interval = wilson(successes, out.n, confidence);
        out.method = "Wilson " + percent;
    }
}

void estimate_mean(Estimate& out, double confidence) {
    const auto df = static_cast<double>(out.n - 1);
    out.interval = t_interval(out.value, out.se, df, confidence);
    out.method = fmt::format("t {}, {} df", format_percent(confidence), out.n - 1);
}

void estimate_clustered(
    Estimate& out,
    std::span<const double> values,
    const MetricSample& sample,
    std::span<const std::uint32_t> items,
    double confidence
) {
    std::vector<int> clusters;
    clusters.reserve(items.size());
    for (const std::uint32_t item : items) {
        clusters.push_back(sample.clusters[item]);
    }
    const ClusteredSe robust = clustered_se(values, clusters);
    out.clusters = robust.clusters;
    out.se = robust.cr1;
    out.interval =
        t_interval(out.value, out.se, static_cast<double>(robust.clusters - 1), confidence);
    out.method = fmt::format(
        "cluster-robust CR1 {}, t with {} df, {} clusters",
        format_percent(confidence),
        robust.clusters - 1,
        robust.clusters
    );
}

/// The bootstrap's own interval, BCa where it exists.
Interval bootstrap_interval(
    const Replicates& replicates, const AnalysisOptions& options, std::string& method, double& se
) {
    if (replicates.values.empty()) {
        method = "n/a";
        return {};
    }
    const BootstrapIntervals all = bootstrap_intervals(
        replicates.values, replicates.estimate, replicates.jackknife, options.confidence
    );
    se = all.se;
    const std::string how =
        " " + format_percent(options.confidence) + impl::describe(replicates, options);
    if (!std::isnan(all.bca.lo)) {
        method = "BCa bootstrap" + how;
        return all.bca;
    }
    if (std::isnan(all.se)) {
        method = "n/a: some resamples have no value";
        return {};
    }
    const std::string_view why =
        std::isinf(all.z0) ? "all replicates lie on one side" : "leaving units out changes nothing";
    method = fmt::format("percentile bootstrap{} (no BCa: {})", how, why);
    return all.percentile;
}

/// Binary values cannot leave [0,1]; the part of a t interval outside says nothing.
void clip_to_unit(Interval& interval) {
    if (!std::isnan(interval.lo)) {
        interval = {std::max(0.0, interval.lo), std::min(1.0, interval.hi)};
    }
}

void add_notes(Estimate& out, const MetricSample& sample, bool constant) {
    if (constant && out.n >= 2) {
        out.notes.emplace_back(kAllEqualNote);
    }
    if (out.n == 1 && out.design != Design::proportion) {
        out.notes.emplace_back("one item: no standard error and no interval");
    }
    if (!sample.clusters.empty() && out.n > 0) {
        if (out.clusters < 2) {
            out.notes.push_back("no interval: " + std::string(impl::kOneClusterReason));
        } else if (out.clusters < impl::kFewClusters) {
            out.notes.emplace_back(impl::kFewClustersNote);
        }
    }
    if (sample.kind == MetricKind::binary && out.design == Design::mean && out.n > 0) {
        out.notes.emplace_back("shares over repetitions: analysed as means of items");
    }
}
}  // namespace

namespace impl {

bool is_zero_or_one(std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [](double x) { return x == 0 || x == 1; });
}

Design design_of(const MetricSample& sample, bool zero_or_one) {
    if (sample.kind == MetricKind::corpus) {
        return sample.clusters.empty() ? Design::corpus : Design::clustered_corpus;
    }
    if (!sample.clusters.empty()) {
        return Design::clustered_mean;
    }
    return sample.kind == MetricKind::binary && zero_or_one ? Design::proportion : Design::mean;
}

bool wants_bootstrap(const MetricSample& sample, std::span<const std::uint32_t> items) {
    if (sample.kind == MetricKind::corpus) {
        return true;
    }
    if (sample.kind == MetricKind::binary || items.size() < 2 || items.size() >= kBootstrapNever) {
        return false;
    }
    const std::vector<double> values = pick(sample.values, items);
    if (all_equal(values)) {
        return false;
    }
    return values.size() < kBootstrapBelow || std::abs(skewness(values)) > kSkewed;
}

Estimate estimate_with(
    const MetricSample& sample, const AnalysisOptions& options, const Replicates* replicates
) {
    const std::vector<std::uint32_t> items = present_items(sample);
    const std::vector<double> values = pick(sample.values, items);
    const bool corpus = sample.kind == MetricKind::corpus;
    Estimate out;
    out.design = design_of(sample, is_zero_or_one(values));
    out.n = static_cast<std::int64_t>(items.size());
    out.missing = static_cast<std::int64_t>(sample.values.size()) - out.n;
    if (items.empty()) {
        out.method = "n/a";
        out.notes.emplace_back("no item has a value");
        return out;
    }
    std::vector<Replicates> own;
    if (replicates == nullptr && wants_bootstrap(sample, items)) {
        const MetricSample* const samples[] = {&sample};
        own = replicate(samples, items, options);
        replicates = &own.front();
    }
    if (corpus) {
        out.value = replicates->estimate;
        out.interval = bootstrap_interval(*replicates, options, out.method, out.se);
        out.clusters = sample.clusters.empty() ? 0 : replicates->units;
        add_notes(out, sample, out.se == 0);
        return out;
    }
    out.value = mean(values);
    out.median = median(values);
    out.sd = standard_deviation(values);
    out.se = out.sd / std::sqrt(static_cast<double>(out.n));
    if (out.design == Design::proportion) {
        estimate_proportion(out, values, options.confidence);
    } else if (out.design == Design::mean) {
        estimate_mean(out, options.confidence);
    } else {
        estimate_clustered(out, values, sample, items, options.confidence);
    }
    if (sample.kind == MetricKind::binary) {
        clip_to_unit(out.interval);
        if (is_zero_or_one(values)) {
            out.successes =
                static_cast<std::int64_t>(std::count(values.begin(), values.end(), 1.0));
        }
    }
    if (!sample.inside.empty()) {
        out.parts = variance_parts(sample.values, sample.inside, sample.answered);
    }
    if (replicates != nullptr && !replicates->values.empty()) {
        double unused = kNaN;
        out.bootstrap = bootstrap_interval(*replicates, options, out.bootstrap_method, unused);
    }
    add_notes(out, sample, all_equal(values));
    return out;
}

}  // namespace impl

Estimate estimate(const MetricSample& sample, const AnalysisOptions& options) {
    return impl::estimate_with(sample, options, nullptr);
}

}  // namespace lab::science
