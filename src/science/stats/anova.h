#pragma once
#include "science/stats/intervals.h"

#include <limits>
#include <span>
#include <vector>

/// Tests of several groups at once. A group is its values, without NaN. NaN is the answer where a
/// test cannot be computed: fewer than two groups, an empty group, no spread inside them.
/// Vectors anova_kruskal.json, group_tests.json.
namespace lab::science {

using Groups = std::span<const std::vector<double>>;

struct OneWay {
    double f = std::numeric_limits<double>::quiet_NaN();
    double df_between = std::numeric_limits<double>::quiet_NaN();
    double df_within = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();
    /// SS between / SS total; biased upwards.
    double eta_squared = std::numeric_limits<double>::quiet_NaN();
    /// (SS between - df MS within) / (SS total + MS within); may be negative.
    double omega_squared = std::numeric_limits<double>::quiet_NaN();
};
/// Fisher 1925; equal variances. eta^2 and omega^2: Hays 1963.
OneWay one_way_anova(Groups groups);
/// Welch 1951: unequal variances. Every group needs spread. Effect sizes are those of
/// one_way_anova.
OneWay welch_anova(Groups groups);
/// Of eta^2, from the noncentrality of F: lambda / (lambda + df1 + df2 + 1). Steiger 2004.
Interval eta_squared_interval(double f, double df1, double df2, double confidence);

struct KruskalWallis {
    double h = std::numeric_limits<double>::quiet_NaN();  ///< tie-corrected
    double df = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();  ///< by chi-squared
    /// (H - k + 1) / (n - k), at least 0 (Tomczak and Tomczak 2014).
    double eta_squared = std::numeric_limits<double>::quiet_NaN();
};
/// Kruskal and Wallis 1952. All values equal: NaN.
KruskalWallis kruskal_wallis(Groups groups);

enum class SpreadCenter : bool { mean, median };
/// Equal variances: one-way test of |x - center|. Levene 1960 (mean); Brown and Forsythe 1974
/// (median).
OneWay levene(Groups groups, SpreadCenter center);

}  // namespace lab::science
