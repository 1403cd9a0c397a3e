#include "science/stats/anova.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"
#include "science/stats/impl/noncentrality.h"
#include "science/stats/rank_tests.h"

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {

struct Pooled {
    std::size_t n = 0;
    bool usable = false;  ///< two groups at least, none empty
};

Pooled pool(Groups groups) {
    Pooled out;
    bool empty = false;
    for (const auto& group : groups) {
        out.n += group.size();
        empty = empty || group.empty();
    }
    out.usable = groups.size() >= 2 && !empty;
    return out;
}

/// Mean less `shift`, where nothing is lost when values are large and lie close together.
double mean_above(std::span<const double> values, double shift) {
    Sum out;
    for (const double x : values) {
        out.add(x - shift);
    }
    return out.value() / static_cast<double>(values.size());
}

double squares_around(std::span<const double> values, double shift, double center) {
    Sum out;
    for (const double x : values) {
        out.add((x - shift - center) * (x - shift - center));
    }
    return out.value();
}

}  // namespace

OneWay one_way_anova(Groups groups) {
    OneWay out;
    const Pooled all = pool(groups);
    if (!all.usable) {
        return out;
    }
    const double shift = groups.front().front();
    Sum total_above;
    for (const auto& group : groups) {
        total_above.add(static_cast<double>(group.size()) * mean_above(group, shift));
    }
    const double whole = total_above.value() / static_cast<double>(all.n);
    Sum between;
    Sum within;
    for (const auto& group : groups) {
        const double center = mean_above(group, shift);
        between.add(static_cast<double>(group.size()) * (center - whole) * (center - whole));
        // Values that are all equal have a mean that may differ from them in the last bit.
        within.add(all_equal(group) ? 0 : squares_around(group, shift, center));
    }
    out.df_between = static_cast<double>(groups.size()) - 1;
    out.df_within = static_cast<double>(all.n) - static_cast<double>(groups.size());
    if (!(out.df_within > 0) || !(within.value() > 0)) {
        return out;
    }
    const double ms_within = within.value() / out.df_within;
    const double total = between.value() + within.value();
    out.f = between.value() / out.df_between / ms_within;
    out.p = f_upper(out.f, out.df_between, out.df_within);
    out.eta_squared = between.value() / total;
    out.omega_squared = (between.value() - out.df_between * ms_within) / (total + ms_within);
    return out;
}

OneWay welch_anova(Groups groups) {
    OneWay out;
    if (!pool(groups).usable) {
        return out;
    }
    const auto k = static_cast<double>(groups.size());
    Sum weights;
    Sum weighted;
    for (const auto& group : groups) {
        const double sd = standard_deviation(group);
        if (!(sd > 0)) {
            return out;
        }
        const double weight = static_cast<double>(group.size()) / (sd * sd);
        weights.add(weight);
        weighted.add(weight * mean(group));
    }
    const double center = weighted.value() / weights.value();
    Sum between;
    Sum correction;
    for (const auto& group : groups) {
        const auto n = static_cast<double>(group.size());
        const double sd = standard_deviation(group);
        const double weight = n / (sd * sd);
        const double distance = mean(group) - center;
        const double share = 1 - weight / weights.value();
        between.add(weight * distance * distance);
        correction.add(share * share / (n - 1));
    }
    const double lambda = correction.value() / (k * k - 1);
    out.df_between = k - 1;
    out.df_within = 1 / (3 * lambda);
    out.f = between.value() / (k - 1) / (1 + 2 * (k - 2) * lambda);
    out.p = f_upper(out.f, out.df_between, out.df_within);
    const OneWay plain = one_way_anova(groups);
    out.eta_squared = plain.eta_squared;
    out.omega_squared = plain.omega_squared;
    return out;
}

Interval eta_squared_interval(double f, double df1, double df2, double confidence) {
    // An F beyond this is that of groups worlds apart: its noncentrality is beyond every bound.
    constexpr double kLargestF = 1e7;
    if (!(f >= 0 && f <= kLargestF) || !(df1 > 0) || !(df2 > 0) ||
        !(confidence > 0 && confidence < 1)) {
        return {};
    }
    const Interval ncp = noncentrality_interval(
        [&](double lambda) { return noncentral_f_upper(f, df1, df2, lambda); }, confidence
    );
    const auto share = [&](double lambda) { return lambda / (lambda + df1 + df2 + 1); };
    return {share(ncp.lo), share(ncp.hi)};
}

KruskalWallis kruskal_wallis(Groups groups) {
    KruskalWallis out;
    const Pooled all = pool(groups);
    if (!all.usable) {
        return out;
    }
    std::vector<double> values;
    values.reserve(all.n);
    for (const auto& group : groups) {
        values.insert(values.end(), group.begin(), group.end());
    }
    const Ranks ranked = midranks(values);
    const auto n = static_cast<double>(all.n);
    const auto k = static_cast<double>(groups.size());
    const double ties = 1 - ranked.tie_term / (n * n * n - n);
    if (!(ties > 0)) {
        return out;
    }
    // Around the mean rank, not 12/(n(n+1)) sum R^2/n_i - 3(n+1): nothing large cancels.
    Sum spread;
    std::size_t at = 0;
    for (const auto& group : groups) {
        const double rank = mean(std::span(ranked.ranks).subspan(at, group.size()));
        const double distance = rank - (n + 1) / 2;
        spread.add(static_cast<double>(group.size()) * distance * distance);
        at += group.size();
    }
    out.h = 12 / (n * (n + 1)) * spread.value() / ties;
    out.df = k - 1;
    out.p = chi_squared_upper(out.h, out.df);
    if (n > k) {
        out.eta_squared = std::max(0.0, (out.h - k + 1) / (n - k));
    }
    return out;
}

OneWay levene(Groups groups, SpreadCenter center) {
    std::vector<std::vector<double>> spreads;
    spreads.reserve(groups.size());
    for (const auto& group : groups) {
        const double middle = center == SpreadCenter::mean ? mean(group) : median(group);
        std::vector<double> spread;
        spread.reserve(group.size());
        for (const double x : group) {
            spread.push_back(std::abs(x - middle));
        }
        spreads.push_back(std::move(spread));
    }
    return one_way_anova(spreads);
}

}  // namespace lab::science
