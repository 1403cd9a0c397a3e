#pragma once
#include <cstdint>

/// Distribution functions, from Boost.Math (distributions.cpp is the only file that includes it).
/// An argument without meaning (NaN, df <= 0, p outside [0,1]) gives NaN, never an exception.
/// Upper tails have functions of their own, because 1 - cdf loses every small p.
namespace lab::science {

double normal_cdf(double x);
/// P(Z > x).
double normal_upper(double x);
double normal_quantile(double p);

/// Student's t with df > 0; infinite df is the normal distribution.
double t_cdf(double t, double df);
double t_upper(double t, double df);
/// P(|T| >= |t|).
double t_two_sided(double t, double df);
double t_quantile(double p, double df);

double chi_squared_upper(double x, double df);
double chi_squared_quantile(double p, double df);
/// P(F > x).
double f_upper(double x, double df1, double df2);
double f_quantile(double p, double df1, double df2);
double beta_cdf(double x, double a, double b);
double beta_quantile(double p, double a, double b);
/// P(X <= k), X ~ Binomial(n, p).
double binomial_cdf(std::int64_t k, std::int64_t n, double p);
double binomial_pmf(std::int64_t k, std::int64_t n, double p);

/// P(|T| >= critical) for the noncentral t with noncentrality ncp: the power of a two-sided t
/// test, both tails counted.
double noncentral_t_two_sided(double critical, double df, double ncp);

/// P(X > x) with noncentrality ncp >= 0; 0 is the central distribution.
double noncentral_f_upper(double x, double df1, double df2, double ncp);
double noncentral_chi_squared_upper(double x, double df, double ncp);

/// ln Gamma(x), x > 0.
double log_gamma(double x);
/// ln B(a, b), a > 0 and b > 0.
double log_beta(double a, double b);

}  // namespace lab::science
