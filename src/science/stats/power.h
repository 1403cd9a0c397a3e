#pragma once

/// What a set of items can show, and how many items would show more. All tests two-sided at
/// `alpha`; `power` in (alpha, 1). Sizes are real numbers: round UP before buying items (items_up).
/// NaN when there is no answer (an effect of 0 needs infinitely many items).
/// Vectors power.json.
namespace lab::science {

/// t tests through the noncentral t distribution, both tails. d = mean / sd (of differences, or
/// pooled); ratio = n2 / n1.
double paired_t_power(double d, double n, double alpha);
double paired_t_items(double d, double alpha, double power);
double paired_t_effect(double n, double alpha, double power);
double two_sample_t_power(double d, double n1, double ratio, double alpha);
double two_sample_t_items(double d, double ratio, double alpha, double power);
double two_sample_t_effect(double n1, double ratio, double alpha, double power);

/// n1 for two proportions whose Cohen's h is given, normal approximation, both tails.
double two_proportions_items(double h, double ratio, double alpha, double power);

/// One-way analysis of variance of `groups` groups of the same size, n in all; Cohen's f is
/// sd of the groups' means / sd inside. Noncentral F with ncp = f^2 n (Cohen 1988).
double anova_power(double f, double n, double groups, double alpha);
/// Chi-squared tests of effect w with n counts: noncentral chi-squared, ncp = w^2 n (Cohen 1988).
double chi_squared_power(double w, double n, double df, double alpha);
/// Pearson's r, by Fisher's transformation, both tails. n > 3.
double correlation_power(double r, double n, double alpha);

/// Miller 2024 (arXiv 2411.00640): (z_{1-alpha/2} + z_power)^2 sd^2 / delta^2, sd of the paired
/// differences.
double paired_items(double sd_differences, double delta, double alpha, double power);
/// Clusters G, a whole number, at which (t_{1-alpha/2} + t_power) * sd / sqrt(G) with G - 1 df is
/// at most |delta|. sd: sqrt(clusters) times the cluster-robust standard error.
double clusters_for(double sd, double delta, double alpha, double power);
/// (z_{1-alpha/2} + z_power) * se: the smallest true difference that is found with this power.
double detectable_effect(double se, double alpha, double power);
/// Per arm, different items: 2 (z + z)^2 sd^2 / delta^2.
double unpaired_items_per_arm(double sd, double delta, double alpha, double power);
/// sd of the difference of two paired binary outcomes, p10 and p01 the shares of items that only
/// one side gets right: sqrt(p10 + p01 - (p10 - p01)^2).
double paired_binary_sd(double p10, double p01);

/// Next whole number, infinities and NaN as NaN.
double items_up(double n);

}  // namespace lab::science
