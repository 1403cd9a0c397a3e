#include "service/impl/hypothesis_tests.h"

#include "base/error.h"
#include "science/stats/anova.h"
#include "science/stats/bootstrap.h"
#include "science/stats/effect.h"
#include "science/stats/power.h"
#include "science/stats/rank_tests.h"
#include "science/stats/t_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace lab::service {
namespace {
using namespace science;

/// What n values tell to ranks, beside what they tell to means, when they are normal.
constexpr double kRankEfficiency = 3 / std::numbers::pi;

std::string between(const TestData& data, std::string_view what) {
    return fmt::format("{}: {} less {}", what, data.group_names[0], data.group_names[1]);
}

/// d with the normal interval of Hedges and Olkin 1985, and what else is said about two groups.
void add_two_group_effects(const TestData& data, double confidence, bool ranks, TestOutcome& out) {
    const TwoGroupEffect found = two_group_effect(data.groups[0], data.groups[1]);
    const double se = std::sqrt(found.variance_d);
    std::vector<Effect> means{
        {"cohens_d",
         found.cohen_d,
         normal_interval(found.cohen_d, se, confidence),
         magnitude_of(Yardstick::d, found.cohen_d)},
        {"hedges_g", found.hedges_g, {}, magnitude_of(Yardstick::d, found.hedges_g)},
        {"glass_delta", found.glass_delta, {}, magnitude_of(Yardstick::d, found.glass_delta)},
    };
    const Effect cliff{
        "cliffs_delta", found.cliffs_delta, {}, magnitude_of(Yardstick::delta, found.cliffs_delta)
    };
    if (ranks) {
        out.effects.push_back(cliff);
    }
    out.effects.insert(out.effects.end(), means.begin(), means.end());
    if (!ranks) {
        out.effects.push_back(cliff);
    }
    out.power_effect = found.cohen_d;
    out.medium_effect = 0.5;
}

void add_dz(const TestData& data, std::span<const double> values, TestOutcome& out) {
    const double dz = cohen_dz(values);
    const bool pairs = data.layout == Layout::pairs;
    out.effects.push_back({pairs ? "cohens_dz" : "cohens_d", dz, {}, magnitude_of(Yardstick::d, dz)}
    );
    out.power_effect = dz;
    out.medium_effect = 0.5;
}

/// The values whose mean is held against 0.
std::vector<double> single_sample(const TestData& data) {
    if (data.layout == Layout::pairs) {
        return data.differences;
    }
    std::vector<double> out = data.groups[0];
    for (double& x : out) {
        x -= data.threshold;
    }
    return out;
}

void estimate_single(const TestData& data, TestOutcome& out) {
    out.estimate_of = data.layout == Layout::pairs ? between(data, "mean difference")
                                                   : fmt::format("mean less {:g}", data.threshold);
}

TestOutcome one_sample_t(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const std::vector<double> values = single_sample(data);
    const PairedT found = paired_t(values, 1 - options.alpha);
    out.statistic_name = "t";
    out.statistic = found.t;
    out.df = {found.df};
    out.p = found.p_two_sided;
    estimate_single(data, out);
    out.estimate = found.mean_difference;
    out.interval = found.interval;
    out.interval_method = "Student's t";
    add_dz(data, values, out);
    out.power = one_sample_power(static_cast<double>(values.size()), options.alpha, 1);
    return out;
}

TestOutcome two_sample_t(Method method, const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const bool pooled = method == Method::t_test;
    const auto test = pooled ? pooled_t : welch_t;
    const TwoSampleT found = test(data.groups[0], data.groups[1], 1 - options.alpha);
    out.statistic_name = "t";
    out.statistic = found.t;
    out.df = {found.df};
    out.p = found.p_two_sided;
    out.estimate_of = between(data, "difference of means");
    out.estimate = found.mean_difference;
    out.interval = found.interval;
    out.interval_method = pooled ? "Student's t" : "Welch's t";
    add_two_group_effects(data, 1 - options.alpha, false, out);
    out.power = two_sample_power(data, options.alpha, 1);
    return out;
}

TestOutcome mann_whitney(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const MannWhitney found = mann_whitney_u(data.groups[0], data.groups[1]);
    const ExactP exact = mann_whitney_exact(data.groups[0], data.groups[1]);
    out.statistic_name = "U";
    out.statistic = found.u1;
    out.p = std::isnan(exact.p) ? found.p : exact.p;
    out.notes.emplace_back(
        std::isnan(exact.p) ? "p by the normal distribution, corrected for ties and continuity"
                            : "p is exact"
    );
    add_two_group_effects(data, 1 - options.alpha, true, out);
    out.power = two_sample_power(data, options.alpha, kRankEfficiency);
    return out;
}

TestOutcome wilcoxon(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const std::vector<double> values = single_sample(data);
    const SignedRank found = wilcoxon_signed_rank(values);
    const bool few = found.n <= 50;
    const ExactP exact = few ? wilcoxon_exact(values) : ExactP{};
    out.statistic_name = "W";
    out.statistic = found.statistic;
    out.p = std::isnan(exact.p) ? found.p : exact.p;
    out.notes.emplace_back(
        std::isnan(exact.p) ? "p by the normal distribution, corrected for ties" : "p is exact"
    );
    const double rank = rank_biserial(values);
    add_dz(data, values, out);
    out.effects.insert(
        out.effects.begin(), {"rank_biserial", rank, {}, magnitude_of(Yardstick::r, rank)}
    );
    out.power =
        one_sample_power(static_cast<double>(values.size()), options.alpha, kRankEfficiency);
    return out;
}

PowerOf group_power(const TestData& data, double alpha, double efficiency) {
    return [n = static_cast<double>(data.used) * efficiency,
            k = static_cast<double>(data.groups.size()),
            alpha](double f, double scale) { return anova_power(f, n * scale, k, alpha); };
}

double cohen_f(double eta_squared) { return std::sqrt(eta_squared / (1 - eta_squared)); }

TestOutcome several_means(Method method, const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const OneWay found =
        method == Method::anova ? one_way_anova(data.groups) : welch_anova(data.groups);
    out.statistic_name = "F";
    out.statistic = found.f;
    out.df = {found.df_between, found.df_within};
    out.p = found.p;
    Effect eta{"eta_squared", found.eta_squared, {}, ""};
    eta.magnitude = magnitude_of(Yardstick::eta_squared, found.eta_squared);
    if (method == Method::anova) {
        eta.interval =
            eta_squared_interval(found.f, found.df_between, found.df_within, 1 - options.alpha);
        out.estimate_of = "eta squared";
        out.estimate = found.eta_squared;
        out.interval = eta.interval;
        out.interval_method = "noncentral F (Steiger 2004)";
    }
    out.effects = {
        eta,
        {"omega_squared",
         found.omega_squared,
         {},
         magnitude_of(Yardstick::eta_squared, found.omega_squared)}
    };
    out.power = group_power(data, options.alpha, 1);
    out.power_effect = cohen_f(found.eta_squared);
    out.medium_effect = 0.25;
    return out;
}

TestOutcome kruskal(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const KruskalWallis found = kruskal_wallis(data.groups);
    out.statistic_name = "H";
    out.statistic = found.h;
    out.df = {found.df};
    out.p = found.p;
    out.effects = {
        {"eta_squared_h",
         found.eta_squared,
         {},
         magnitude_of(Yardstick::eta_squared, found.eta_squared)}
    };
    out.power = group_power(data, options.alpha, kRankEfficiency);
    out.power_effect = cohen_f(found.eta_squared);
    out.medium_effect = 0.25;
    return out;
}

TestOutcome bootstrap(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const bool single = data.layout != Layout::two_groups;
    const std::vector<double> first = single ? single_sample(data) : data.groups[0];
    const std::span<const double> second =
        single ? std::span<const double>() : std::span<const double>(data.groups[1]);
    const BootstrapDifference found = bootstrap_difference(
        first, second, options.bootstrap_iterations, options.seed, 1 - options.alpha
    );
    const bool bca = !std::isnan(found.intervals.bca.lo);
    out.statistic_name = "difference";
    out.statistic = found.difference;
    out.p = found.intervals.se > 0 ? found.p : kNaN;
    out.estimate = found.difference;
    out.interval = bca ? found.intervals.bca : found.intervals.percentile;
    out.interval_method = bca ? "bootstrap, BCa" : "bootstrap, percentile";
    if (single) {
        estimate_single(data, out);
        add_dz(data, first, out);
        out.power = one_sample_power(static_cast<double>(first.size()), options.alpha, 1);
    } else {
        out.estimate_of = between(data, "difference of means");
        add_two_group_effects(data, 1 - options.alpha, false, out);
        out.power = two_sample_power(data, options.alpha, 1);
    }
    return out;
}

TestOutcome dispatch(Method method, const TestData& data, const TestOptions& options) {
    switch (method) {
        case Method::one_sample_t_test:
        case Method::paired_t_test:
            return one_sample_t(data, options);
        case Method::t_test:
        case Method::welch_t_test:
            return two_sample_t(method, data, options);
        case Method::mann_whitney_u:
            return mann_whitney(data, options);
        case Method::wilcoxon_signed_rank:
            return wilcoxon(data, options);
        case Method::anova:
        case Method::welch_anova:
            return several_means(method, data, options);
        case Method::kruskal_wallis:
            return kruskal(data, options);
        case Method::chi_squared:
            return test_counts(data, options);
        case Method::pearson_correlation:
        case Method::spearman_correlation:
        case Method::linear_regression:
            return test_association(method, data, options);
        case Method::bayesian:
            return test_bayesian(data, options);
        case Method::bootstrap:
            return bootstrap(data, options);
    }
    return {};
}

std::string why_not(const TestData& data) {
    if (data.used == 0) {
        return fmt::format("no observation has a value of \"{}\"", data.outcome);
    }
    for (std::size_t i = 0; i < data.groups.size(); ++i) {
        if (data.groups[i].size() < 2) {
            return fmt::format(
                "{} has {} value(s) of \"{}\": two are needed at least",
                data.group_names[i],
                data.groups[i].size(),
                data.outcome
            );
        }
    }
    if (data.layout == Layout::association) {
        return "at least three pairs are needed, and both variables must vary";
    }
    return fmt::format("\"{}\" does not vary, so nothing can be tested", data.outcome);
}

}  // namespace

std::string magnitude_of(Yardstick yardstick, double value) {
    static constexpr std::array<std::array<double, 3>, 5> kSteps{{
        {0.2, 0.5, 0.8},
        {0.147, 0.33, 0.474},
        {0.1, 0.3, 0.5},
        {0.01, 0.06, 0.14},
        {0.1, 0.3, 0.5},
    }};
    if (std::isnan(value)) {
        return "";
    }
    const auto& steps = kSteps[static_cast<std::size_t>(yardstick)];
    const double size = yardstick == Yardstick::eta_squared ? value : std::abs(value);
    if (size < steps[0]) {
        return "negligible";
    }
    return size < steps[1] ? "small" : (size < steps[2] ? "medium" : "large");
}

PowerOf two_sample_power(const TestData& data, double alpha, double efficiency) {
    const double n1 = static_cast<double>(data.groups[0].size()) * efficiency;
    const double ratio = static_cast<double>(data.groups[1].size()) /
                         static_cast<double>(std::max<std::size_t>(1, data.groups[0].size()));
    return [=](double d, double scale) { return two_sample_t_power(d, n1 * scale, ratio, alpha); };
}

PowerOf one_sample_power(double n, double alpha, double efficiency) {
    return [=](double d, double scale) { return paired_t_power(d, n * efficiency * scale, alpha); };
}

TestOutcome run_test(Method method, const TestData& data, const TestOptions& options) {
    TestOutcome out = dispatch(method, data, options);
    out.method = method;
    if (std::isnan(out.p) && std::isnan(out.log_bayes_factor)) {
        out.failure = why_not(data);
    }
    return out;
}

}  // namespace lab::service
