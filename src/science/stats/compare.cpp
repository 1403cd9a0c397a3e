#include "base/error.h"
#include "base/rng.h"
#include "domain/spec.h"
#include "science/stats/analysis.h"
#include "science/stats/bootstrap.h"
#include "science/stats/distributions.h"
#include "science/stats/effect.h"
#include "science/stats/impl/replicates.h"
#include "science/stats/mcnemar.h"
#include "science/stats/permutation.h"
#include "science/stats/power.h"
#include "science/stats/rank_tests.h"
#include "science/stats/t_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace lab::science {
namespace {
using impl::Replicates;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Above this many pairs the drawn sign flips would cost memory and say what t says already.
constexpr std::size_t kSignFlipPairsMax = 50'000;
constexpr std::int64_t kFewDiscordant = 10;
/// 2^(1-n) matters for the p-values of up to this many pairs.
constexpr std::int64_t kPairsForAnyP = 14;
/// Up to here, the t distribution asks for visibly more items than the normal one.
constexpr double kItemsForNormal = 1000;

/// The items that both variants have.
struct Pairs {
    std::vector<std::uint32_t> items;
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> d;  ///< a - b, rounding errors set to 0
    std::vector<int> clusters;
    double noise = 0;
};

Pairs make_pairs(const MetricSample& a, const MetricSample& b) {
    LAB_ASSERT(a.values.size() == b.values.size(), "paired variants have the same items");
    LAB_ASSERT(a.kind == b.kind, "paired variants share the metric");
    LAB_ASSERT(a.clusters.empty() == b.clusters.empty(), "paired variants share the clusters");
    const auto in_a = impl::present_items(a);
    const auto in_b = impl::present_items(b);
    Pairs out;
    std::set_intersection(
        in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), std::back_inserter(out.items)
    );
    for (const std::uint32_t item : out.items) {
        out.a.push_back(a.values[item]);
        out.b.push_back(b.values[item]);
        out.noise = std::max({out.noise, std::abs(out.a.back()), std::abs(out.b.back())});
        if (!a.clusters.empty()) {
            out.clusters.push_back(a.clusters[item]);
        }
    }
    out.noise = std::isfinite(out.noise) ? out.noise * impl::kNoise : 0;
    for (std::size_t i = 0; i < out.items.size(); ++i) {
        const double d = out.a[i] - out.b[i];
        out.d.push_back(std::abs(d) <= out.noise ? 0 : d);
    }
    return out;
}

/// Whether the differences vary beyond rounding.
bool varies(const Pairs& pairs) {
    const auto [low, high] = std::minmax_element(pairs.d.begin(), pairs.d.end());
    return !pairs.d.empty() && *high - *low > pairs.noise;
}

/// Whether nothing that was drawn was as extreme: (0 + 1) / (draws + 1).
bool is_smallest(double p, std::int64_t draws) { return p * static_cast<double>(draws + 1) < 1.5; }

TestResult sign_flip_test(
    std::string_view name, std::span<const double> d, const AnalysisOptions& options
) {
    if (d.size() > kSignFlipPairsMax) {
        return {fmt::format("{} (not computed above {} pairs)", name, kSignFlipPairsMax)};
    }
    const Permutation p =
        sign_flip(d, options.bootstrap_replicates, derive_seed(options.seed, "sign-flip"));
    const std::string how =
        p.exact ? "exact"
                : fmt::format("{} draws, {} seed {}", p.permutations, Rng::kName, options.seed);
    const bool at_floor = !p.exact && is_smallest(p.p_absolute, p.permutations);
    return {fmt::format("{}, {}", name, how), p.p_absolute, p.p_error, at_floor};
}

/// Difference, its spread and the paired t interval: what proportions and means share.
PairedT describe_differences(Comparison& out, const Pairs& pairs, double confidence) {
    PairedT t = paired_t(pairs.d, confidence);
    if (out.n >= 2 && !varies(pairs)) {
        const double same = pairs.d.front();
        t.sd = t.se = 0;
        t.t = t.p_two_sided = kNaN;
        t.interval = {};
        out.notes.emplace_back(
            same == 0 ? "the two agree on every item: a standard error of 0 is not certainty"
                      : "every item differs by the same amount: a standard error of 0 is not "
                        "certainty"
        );
    }
    out.value_a = mean(pairs.a);
    out.value_b = mean(pairs.b);
    out.difference = t.mean_difference;
    out.sd = t.sd;
    out.se = t.se;
    out.df = t.df;
    out.interval = t.interval;
    out.interval_method = fmt::format("paired t {}, {} df", format_percent(confidence), out.n - 1);
    out.correlation = correlation(pairs.a, pairs.b);
    out.effect_dz = t.sd > 0 ? t.mean_difference / t.sd : kNaN;
    out.planning_sd = t.sd > 0 ? t.sd : kNaN;
    return t;
}

/// Items that only one of the two got right.
struct Discordant {
    std::int64_t only_a = 0;
    std::int64_t only_b = 0;
};

/// Fills in the fourfold table of the outcomes.
Discordant count_table(Comparison& out, const Pairs& pairs) {
    std::int64_t table[2][2] = {};
    for (std::size_t i = 0; i < pairs.a.size(); ++i) {
        ++table[pairs.a[i] == 1 ? 1 : 0][pairs.b[i] == 1 ? 1 : 0];
    }
    out.both = table[1][1];
    out.only_a = table[1][0];
    out.only_b = table[0][1];
    out.neither = table[0][0];
    return {table[1][0], table[0][1]};
}

void compare_proportions(Comparison& out, const Pairs& pairs, const AnalysisOptions& options) {
    const PairedT t = describe_differences(out, pairs, options.confidence);
    const auto [only_a, only_b] = count_table(out, pairs);
    const McNemar table = mcnemar(only_a, only_b);
    TestResult mid{"McNemar, mid-p", table.p_mid};
    TestResult exact{"McNemar, exact", table.p_exact};
    if (options.mcnemar == domain::McNemarKind::exact) {
        std::swap(mid, exact);
    }
    out.tests = {std::move(mid), std::move(exact), {"paired t", t.p_two_sided}};
    const auto n = static_cast<double>(out.n);
    const std::int64_t discordant = only_a + only_b;
    if (discordant > 0) {
        const double sd =
            paired_binary_sd(static_cast<double>(only_a) / n, static_cast<double>(only_b) / n);
        out.planning_sd = sd > 0 ? sd : kNaN;
    }
    if (discordant > 0 && discordant < kFewDiscordant) {
        out.notes.push_back(fmt::format(
            "only {} {}: the interval is rough, the p-value is not",
            discordant,
            discordant == 1 ? "item differs" : "items differ"
        ));
    }
}

void compare_means(Comparison& out, const Pairs& pairs, const AnalysisOptions& options) {
    const PairedT t = describe_differences(out, pairs, options.confidence);
    TestResult student{"paired t", t.p_two_sided};
    TestResult flips = sign_flip_test("sign-flip permutation", pairs.d, options);
    TestResult ranks;
    if (const ExactP exact = wilcoxon_exact(pairs.d, pairs.noise); !std::isnan(exact.p)) {
        ranks = {"Wilcoxon signed rank, zeros dropped, exact", exact.p};
    } else {
        const SignedRank w = wilcoxon_signed_rank(pairs.d, ZeroMethod::drop, false, pairs.noise);
        ranks = {"Wilcoxon signed rank, zeros dropped", w.p};
    }
    // Without variation there is no t; how improbable equal signs are is still known.
    const bool decided_by_flips = out.n >= 2 && out.se == 0;
    if (decided_by_flips) {
        out.tests = {std::move(flips), std::move(student), std::move(ranks)};
    } else {
        out.tests = {std::move(student), std::move(ranks), std::move(flips)};
    }
}

std::vector<double> cluster_sums(const Pairs& pairs) {
    std::map<int, Sum> sums;
    for (std::size_t i = 0; i < pairs.d.size(); ++i) {
        sums[pairs.clusters[i]].add(pairs.d[i]);
    }
    std::vector<double> out;
    for (const auto& [label, total] : sums) {
        out.push_back(total.value());
    }
    return out;
}

void compare_clustered(
    Comparison& out, const Pairs& pairs, bool zero_or_one, const AnalysisOptions& options
) {
    describe_differences(out, pairs, options.confidence);
    const ClusteredSe robust = clustered_se(pairs.d, pairs.clusters);
    out.clusters = robust.clusters;
    const auto df = static_cast<double>(robust.clusters - 1);
    out.df = df;
    out.se = robust.cr1 <= pairs.noise ? 0 : robust.cr1;
    // As above: no spread between clusters is not certainty.
    out.interval =
        out.se > 0 ? t_interval(out.difference, out.se, df, options.confidence) : Interval{};
    out.interval_method = fmt::format(
        "cluster-robust CR1 {}, t with {} df, {} clusters",
        format_percent(options.confidence),
        robust.clusters - 1,
        robust.clusters
    );
    out.planning_sd = out.se > 0 ? out.se * std::sqrt(static_cast<double>(out.n)) : kNaN;
    const double p = out.se > 0 ? t_two_sided(out.difference / out.se, df) : kNaN;
    TestResult student{"t with the cluster-robust standard error", p};
    if (robust.clusters < 2) {
        out.reason = impl::kOneClusterReason;
        out.tests = {std::move(student)};
    } else {
        TestResult flips =
            sign_flip_test("sign-flip permutation of clusters", cluster_sums(pairs), options);
        out.tests = {std::move(student), std::move(flips)};
        if (out.se == 0) {
            std::swap(out.tests[0], out.tests[1]);
        }
        if (robust.clusters < impl::kFewClusters) {
            out.notes.emplace_back(impl::kFewClustersNote);
        }
    }
    if (zero_or_one) {
        const auto [only_a, only_b] = count_table(out, pairs);
        const McNemar table = mcnemar(only_a, only_b);
        const bool exact = options.mcnemar == domain::McNemarKind::exact;
        out.tests.push_back(
            {exact ? "McNemar, exact (ignores clusters)" : "McNemar, mid-p (ignores clusters)",
             exact ? table.p_exact : table.p_mid}
        );
    }
}

/// Swapping the two sides of n pairs in all ways has 2^n outcomes of which two are as extreme as
/// any: no fair test of n pairs goes below 2^(1-n), but a bootstrap of few pairs, which draws the
/// same ones again and again, would. 0 where that bound is below what is printed.
double smallest_p(Comparison& out, std::int64_t pairs) {
    if (pairs > kPairsForAnyP) {
        return 0;
    }
    const double bound = std::ldexp(1.0, 1 - static_cast<int>(pairs));
    out.notes.push_back(fmt::format(
        "{} {} cannot give a p-value below {:.2g}",
        pairs,
        out.clusters > 0 ? "clusters" : "items",
        bound
    ));
    return bound;
}

void compare_corpora(
    Comparison& out, const Replicates& a, const Replicates& b, const AnalysisOptions& options
) {
    out.value_a = a.estimate;
    out.value_b = b.estimate;
    out.difference = a.estimate - b.estimate;
    out.clusters = a.unit == impl::Unit::cluster ? a.units : 0;
    out.df = kInfinity;
    out.interval_method = "n/a";
    if (options.bootstrap_replicates < 2) {
        out.reason = "a corpus metric needs bootstrap replicates";
        return;
    }
    if (a.values.empty()) {
        out.reason = out.clusters == 1 ? impl::kOneClusterReason : "fewer than two items in common";
        return;
    }
    std::vector<double> differences(a.values.size());
    for (std::size_t i = 0; i < differences.size(); ++i) {
        differences[i] = a.values[i] - b.values[i];
    }
    const BootstrapIntervals all =
        bootstrap_intervals(differences, out.difference, {}, options.confidence);
    if (std::isnan(all.se)) {
        out.reason = "some resamples have no value";
        return;
    }
    const std::string how = impl::describe(a, options);
    out.se = all.se;
    out.interval = all.se > 0 ? all.percentile : Interval{};
    out.interval_method =
        "percentile of the paired bootstrap " + format_percent(options.confidence) + how;
    const double floor = smallest_p(out, a.units);
    const double drawn = bootstrap_p(differences, out.difference);
    const double p = std::max(drawn, floor);
    const bool at_floor =
        drawn >= floor && is_smallest(drawn, static_cast<std::int64_t>(differences.size()));
    const double error = std::sqrt(p * (1 - p) / static_cast<double>(differences.size()));
    const double z_p = out.se > 0 ? 2 * normal_upper(std::abs(out.difference) / out.se) : kNaN;
    out.tests = {
        {"paired bootstrap" + how, p, error, at_floor},
        {"z with the bootstrap's standard error", z_p}
    };
    out.correlation = correlation(a.values, b.values);
    out.planning_sd = out.se > 0 ? out.se * std::sqrt(static_cast<double>(out.n)) : kNaN;
    if (out.clusters > 0 && out.clusters < impl::kFewClusters) {
        out.notes.emplace_back(impl::kFewClustersNote);
    }
}

/// Two one-sided tests with the standard error and df of the comparison.
double equivalence_of(const Comparison& c, double margin) {
    if (c.design == Design::proportion && c.only_a == 0 && c.only_b == 0) {
        // A true difference of the margin means at least that share of discordant items: seeing
        // none of them in n has at most this probability.
        return std::pow(std::max(0.0, 1 - margin), static_cast<double>(c.n));
    }
    return equivalence_p(c.difference, c.se, c.df, margin);
}

void finish(Comparison& out, const AnalysisOptions& options) {
    out.p = out.tests.empty() ? kNaN : out.tests.front().p;
    out.p_at_floor = !out.tests.empty() && out.tests.front().at_floor;
    out.power = options.power;
    out.minimum_effect = options.minimum_effect;
    if (options.minimum_effect.has_value() && out.n > 0) {
        out.equivalence_p = equivalence_of(out, *options.minimum_effect);
    }
    if (std::isnan(out.p) && out.reason.empty()) {
        out.reason = out.n == 0   ? "no item has a value on both sides"
                     : out.n == 1 ? "only one item has a value on both sides"
                                  : "the scores have no finite difference";
    }
    impl::judge_alone(out, options);
}

Comparison start(const MetricSample& a) {
    Comparison out;
    out.higher_is_better = a.higher_is_better;
    out.wording = a.wording;
    return out;
}
}  // namespace

namespace impl {

void set_detectable(Comparison& c, double alpha) {
    c.detectable_alpha = alpha;
    const double sd = c.planning_sd;
    const auto n = static_cast<double>(c.n);
    const double se = sd / std::sqrt(n);
    double items = paired_items(sd, c.difference, alpha, c.power);
    const auto clusters = static_cast<double>(c.clusters);
    if (c.clusters > 0 && std::isfinite(c.df)) {
        // With few clusters the normal points would promise too much.
        c.detectable = (t_quantile(1 - alpha / 2, c.df) + t_quantile(c.power, c.df)) * se;
        items = clusters_for(se * std::sqrt(clusters), c.difference, alpha, c.power);
    } else {
        c.detectable = detectable_effect(se, alpha, c.power);
    }
    if (c.design == Design::mean) {
        if (n <= kItemsForNormal) {
            c.detectable = sd * paired_t_effect(n, alpha, c.power);
        }
        if (items <= kItemsForNormal) {
            items = paired_t_items(c.difference / sd, alpha, c.power);
        }
    } else if (c.design == Design::proportion) {
        // All of k differing items on one side is a mid-p of 2^-k: fewer decide nothing.
        const double least = std::ceil(-std::log2(alpha));
        c.detectable = least > n ? kNaN : std::max(c.detectable, least / n);
        items = std::max(items, least / std::abs(c.difference));
    } else if (c.design == Design::corpus || c.design == Design::clustered_corpus) {
        // smallest_p() of fewer pairs than these is above alpha.
        const double least = 1 + std::ceil(-std::log2(alpha));
        const double pairs = c.clusters > 0 ? clusters : n;
        c.detectable = least > pairs ? kNaN : c.detectable;
        items = std::max(c.clusters > 0 ? items * clusters / n : items, least);
    }
    c.items_needed = items_up(items);
}

Comparison compare_with(
    const MetricSample& a,
    const MetricSample& b,
    const AnalysisOptions& options,
    ReplicatePair replicates
) {
    const Pairs pairs = make_pairs(a, b);
    const bool zero_or_one =
        a.kind == MetricKind::binary && is_zero_or_one(pairs.a) && is_zero_or_one(pairs.b);
    Comparison out = start(a);
    out.design = design_of(a, zero_or_one);
    out.n = static_cast<std::int64_t>(pairs.items.size());
    out.dropped = static_cast<std::int64_t>(a.values.size()) - out.n;
    if (pairs.items.empty()) {
        finish(out, options);
        return out;
    }
    switch (out.design) {
        case Design::proportion:
            compare_proportions(out, pairs, options);
            break;
        case Design::mean:
        case Design::different_items:
            compare_means(out, pairs, options);
            break;
        case Design::clustered_mean:
            compare_clustered(out, pairs, zero_or_one, options);
            break;
        case Design::corpus:
        case Design::clustered_corpus: {
            std::vector<Replicates> own;
            if (replicates.a == nullptr || replicates.b == nullptr) {
                const MetricSample* const samples[] = {&a, &b};
                own = replicate(samples, pairs.items, options);
                replicates = {&own[0], &own[1]};
            }
            compare_corpora(out, *replicates.a, *replicates.b, options);
            break;
        }
    }
    bound_missing(out, a, b, options);
    finish(out, options);
    return out;
}

}  // namespace impl

Comparison compare(const MetricSample& a, const MetricSample& b, const AnalysisOptions& options) {
    return impl::compare_with(a, b, options, {});
}

Comparison compare_different_items(
    const MetricSample& a, const MetricSample& b, const AnalysisOptions& options
) {
    Comparison out = start(a);
    out.design = Design::different_items;
    if (a.kind == MetricKind::corpus || !a.clusters.empty() || !b.clusters.empty()) {
        out.reason = "corpus metrics and clustered items are compared on the same items only";
        finish(out, options);
        return out;
    }
    const std::vector<double> values_a = present_values(a.values);
    const std::vector<double> values_b = present_values(b.values);
    const TwoSampleT welch = welch_t(values_a, values_b, options.confidence);
    out.n = static_cast<std::int64_t>(values_a.size() + values_b.size());
    out.dropped = static_cast<std::int64_t>(a.values.size() + b.values.size()) - out.n;
    out.value_a = mean(values_a);
    out.value_b = mean(values_b);
    out.difference = welch.mean_difference;
    out.se = welch.se;
    out.df = welch.df;
    out.interval = welch.interval;
    out.interval_method =
        fmt::format("Welch {}, {:.1f} df", format_percent(options.confidence), welch.df);
    out.tests = {
        {"Welch t", welch.p_two_sided},
        {"Mann-Whitney U, normal approximation", mann_whitney_u(values_a, values_b).p}
    };
    out.planning_sd = out.se > 0 ? out.se * std::sqrt(static_cast<double>(out.n)) : kNaN;
    out.notes.emplace_back("different items: far less is seen than on the same items");
    if (std::isnan(welch.p_two_sided)) {
        out.reason = "too few items, or no variation in the scores";
    }
    finish(out, options);
    return out;
}

}  // namespace lab::science
