#include "science/stats/association.h"
#include "science/stats/bayes.h"
#include "science/stats/effect.h"
#include "science/stats/power.h"
#include "science/stats/t_tests.h"
#include "service/impl/hypothesis_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lab::service {
namespace {
using namespace science;

/// Below this, the smallest expected count of a 2x2 table is corrected after Yates.
constexpr double kYatesBelow = 10;

std::vector<std::int64_t> level_counts(const std::vector<double>& codes, std::size_t levels) {
    std::vector<std::int64_t> out(std::max<std::size_t>(levels, 2), 0);
    for (const double code : codes) {
        ++out[static_cast<std::size_t>(code)];
    }
    return out;
}

void add_ratios(const CountTable& table, double confidence, TestOutcome& out) {
    const auto& c = table.counts;
    const auto add = [&](std::string name, const RatioEffect& ratio) {
        out.effects.push_back({std::move(name), ratio.value, ratio.interval, ""});
        return ratio.shifted;
    };
    // Of the last level, which of numbers is the larger one: "1" of 0 and 1.
    const bool shifted = add("odds_ratio", odds_ratio(c[1], c[0], c[3], c[2], confidence));
    add("risk_ratio", risk_ratio(c[1], c[0], c[3], c[2], confidence));
    if (shifted) {
        out.notes.emplace_back("a cell is empty: odds and risk ratio with 1/2 added to each");
    }
}

/// d of two shares has no spread of its own; hits are those of the last level.
struct Hits {
    std::int64_t hits = 0;
    std::int64_t misses = 0;
};
Hits hits_of(const std::vector<double>& codes, std::size_t levels) {
    const auto counts = level_counts(codes, levels);
    return {counts[1], counts[0]};
}

}  // namespace

CountTable count_table(const TestData& data) {
    CountTable out;
    out.rows = data.groups.size();
    out.columns = std::max<std::size_t>(2, data.levels.size());
    for (const auto& group : data.groups) {
        const auto counts = level_counts(group, data.levels.size());
        out.counts.insert(out.counts.end(), counts.begin(), counts.end());
    }
    return out;
}

ChiSquared chi_squared_of(const TestData& data, bool yates) {
    return data.layout == Layout::one_sample
               ? goodness_of_fit(level_counts(data.groups[0], data.levels.size()))
               : independence(count_table(data), yates);
}

TestOutcome test_counts(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const double confidence = 1 - options.alpha;
    const auto n = static_cast<std::int64_t>(data.used);
    const ChiSquared plain = chi_squared_of(data, false);
    const CountTable table = count_table(data);
    const bool four = table.rows == 2 && table.columns == 2;
    const bool yates = four && plain.expected_min < kYatesBelow;
    const ChiSquared found = yates ? chi_squared_of(data, true) : plain;
    out.statistic_name = "chi2";
    out.statistic = found.chi2;
    out.df = {found.df};
    out.p = found.p;
    const double w = std::sqrt(plain.chi2 / static_cast<double>(n));
    if (data.layout == Layout::one_sample) {
        out.effects.push_back({"cohens_w", w, {}, magnitude_of(Yardstick::w, w)});
        out.notes.emplace_back("counts against equal shares of every level");
    } else {
        const double v = cramer_v(plain.chi2, n, table.rows, table.columns);
        const Interval interval =
            cramer_v_interval(plain.chi2, plain.df, n, table.rows, table.columns, confidence);
        out.effects.push_back({"cramers_v", v, interval, magnitude_of(Yardstick::w, v)});
        out.estimate_of = "Cramer's V";
        out.estimate = v;
        out.interval = interval;
        out.interval_method = "noncentral chi-squared (Steiger 2004)";
    }
    if (four && data.layout != Layout::one_sample) {
        out.effects.insert(
            out.effects.begin(), {"phi", w, out.interval, magnitude_of(Yardstick::w, w)}
        );
        add_ratios(table, confidence, out);
    }
    if (yates) {
        out.notes.emplace_back("an expected count is below 10: with Yates's correction");
    }
    out.power_effect = w;
    out.medium_effect = 0.3;
    out.power = [n, df = found.df, alpha = options.alpha](double effect, double scale) {
        return chi_squared_power(effect, static_cast<double>(n) * scale, df, alpha);
    };
    return out;
}

std::vector<double> residuals_of(const TestData& data) {
    const LinearRegression fit = linear_regression(data.x, data.y, 0.95);
    std::vector<double> out;
    out.reserve(data.x.size());
    for (std::size_t i = 0; i < data.x.size(); ++i) {
        out.push_back(data.y[i] - fit.intercept - fit.slope * data.x[i]);
    }
    return out;
}

TestOutcome test_association(Method method, const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const double confidence = 1 - options.alpha;
    const bool ranks = method == Method::spearman_correlation;
    const Association found =
        ranks ? spearman(data.x, data.y, confidence) : pearson(data.x, data.y, confidence);
    // Ranks of normal values carry (3 / pi)^2 of what the values do.
    const double efficiency = ranks ? 0.9119 : 1;
    const Effect r{
        ranks ? "spearman_rho" : "pearson_r",
        found.r,
        found.interval,
        magnitude_of(Yardstick::r, found.r)
    };
    out.df = {found.df};
    out.p = found.p;
    if (method == Method::linear_regression) {
        const LinearRegression fit = linear_regression(data.x, data.y, confidence);
        out.statistic_name = "t";
        out.statistic = fit.t;
        out.p = fit.p;
        out.estimate_of = fmt::format("slope of {} over {}", data.outcome, data.predictor);
        out.estimate = fit.slope;
        out.interval = fit.slope_interval;
        out.interval_method = "Student's t";
        out.effects = {r, {"r_squared", fit.r_squared, {}, ""}};
        out.notes.push_back(fmt::format("the line is {:.6g} + {:.6g} x", fit.intercept, fit.slope));
    } else {
        out.statistic_name = ranks ? "rho" : "r";
        out.statistic = found.r;
        out.estimate_of = "correlation";
        out.estimate = found.r;
        out.interval = found.interval;
        out.interval_method = ranks ? "Fisher's z (Bonett and Wright 2000)" : "Fisher's z";
        out.effects = {r};
    }
    out.power_effect = found.r;
    out.medium_effect = 0.3;
    out.power = [n = static_cast<double>(data.x.size()) * efficiency, alpha = options.alpha](
                    double effect, double scale
                ) { return correlation_power(effect, n * scale, alpha); };
    return out;
}

TestOutcome test_bayesian(const TestData& data, const TestOptions& options) {
    TestOutcome out;
    const double confidence = 1 - options.alpha;
    if (data.scale == Scale::categorical) {
        const Hits a = hits_of(data.groups[0], data.levels.size());
        const Hits b = hits_of(data.groups[1], data.levels.size());
        if (a.hits + a.misses == 0 || b.hits + b.misses == 0) {
            return out;
        }
        const ProportionsBayes found =
            compare_proportions(a.hits, a.misses, b.hits, b.misses, confidence);
        out.log_bayes_factor = found.log_bayes_factor;
        out.probability_greater = found.probability_greater;
        out.estimate_of = "difference of shares (posterior, priors Beta(1, 1))";
        out.estimate = found.mean_difference;
        out.interval = found.credible;
        out.interval_method = "credible, equal tails";
        add_ratios(count_table(data), confidence, out);
    } else {
        const bool two = data.layout == Layout::two_groups;
        const Method plain = two ? Method::t_test : Method::paired_t_test;
        out = run_test(plain, data, options);
        const auto n = static_cast<double>(data.groups[0].size());
        const auto m = static_cast<double>(two ? data.groups[1].size() : 0);
        out.log_bayes_factor =
            log_bayes_factor_t(out.statistic, two ? n * m / (n + m) : n, two ? n + m - 2 : n - 1);
        out.p = kNaN;
        out.df.clear();
        out.failure.clear();
        out.notes.emplace_back("prior of the effect: Cauchy with width 0.707 (JZS)");
    }
    out.statistic_name = "bf10";
    out.statistic = std::exp(out.log_bayes_factor);
    return out;
}

}  // namespace lab::service
