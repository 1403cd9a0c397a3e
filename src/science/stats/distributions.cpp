#include "science/stats/distributions.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/non_central_chi_squared.hpp>
#include <boost/math/distributions/non_central_f.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/gamma.hpp>

#include <cmath>
#include <exception>
#include <limits>

namespace lab::science {
namespace {
namespace bm = boost::math;
using bm::policies::ignore_error;

/// Errors come back as NaN or infinity; nothing throws and nothing touches errno.
using Policy = bm::policies::policy<
    bm::policies::domain_error<ignore_error>,
    bm::policies::pole_error<ignore_error>,
    bm::policies::overflow_error<ignore_error>,
    bm::policies::underflow_error<ignore_error>,
    bm::policies::denorm_error<ignore_error>,
    bm::policies::evaluation_error<ignore_error>,
    bm::policies::rounding_error<ignore_error>,
    bm::policies::indeterminate_result_error<ignore_error>>;

using Normal = bm::normal_distribution<double, Policy>;
using StudentsT = bm::students_t_distribution<double, Policy>;
using NoncentralT = bm::non_central_t_distribution<double, Policy>;
using ChiSquared = bm::chi_squared_distribution<double, Policy>;
using NoncentralChiSquared = bm::non_central_chi_squared_distribution<double, Policy>;
using FisherF = bm::fisher_f_distribution<double, Policy>;
using NoncentralF = bm::non_central_f_distribution<double, Policy>;
using Beta = bm::beta_distribution<double, Policy>;
using Binomial = bm::binomial_distribution<double, Policy>;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool is_probability(double p) { return p >= 0 && p <= 1; }

/// Beyond, the series behind the noncentral distributions take minutes: there is no answer.
constexpr double kNoncentralityMax = 0x1p25;

/// The noncentral distributions count their terms in an int, and throw where it cannot hold them,
/// whatever the policy says.
template <class Compute>
double or_nan(const Compute& compute) {
    try {
        return compute();
    } catch (const std::exception&) {
        return kNotANumber;
    }
}
}  // namespace

double normal_cdf(double x) {
    if (!std::isfinite(x)) {
        return std::isnan(x) ? x : (x > 0 ? 1 : 0);
    }
    return bm::cdf(Normal(), x);
}

double normal_upper(double x) { return normal_cdf(-x); }

double normal_quantile(double p) {
    if (!is_probability(p)) {
        return kNotANumber;
    }
    if (p == 0 || p == 1) {
        return p == 0 ? -kInfinity : kInfinity;
    }
    return bm::quantile(Normal(), p);
}

double t_cdf(double t, double df) {
    if (std::isnan(t) || !(df > 0)) {
        return kNotANumber;
    }
    if (std::isinf(df) || std::isinf(t)) {
        return normal_cdf(t);
    }
    return bm::cdf(StudentsT(df), t);
}

double t_upper(double t, double df) { return t_cdf(-t, df); }

double t_two_sided(double t, double df) { return 2 * t_cdf(-std::abs(t), df); }

double t_quantile(double p, double df) {
    if (!is_probability(p) || !(df > 0)) {
        return kNotANumber;
    }
    if (std::isinf(df) || p == 0 || p == 1) {
        return normal_quantile(p);
    }
    return bm::quantile(StudentsT(df), p);
}

double chi_squared_upper(double x, double df) {
    if (!(x >= 0) || !(df > 0)) {
        return kNotANumber;
    }
    return std::isinf(x) ? 0 : bm::cdf(bm::complement(ChiSquared(df), x));
}

double chi_squared_quantile(double p, double df) {
    if (!is_probability(p) || !(df > 0)) {
        return kNotANumber;
    }
    return p == 1 ? kInfinity : bm::quantile(ChiSquared(df), p);
}

double f_upper(double x, double df1, double df2) {
    if (!(x >= 0) || !(df1 > 0) || !(df2 > 0)) {
        return kNotANumber;
    }
    return std::isinf(x) ? 0 : bm::cdf(bm::complement(FisherF(df1, df2), x));
}

double f_quantile(double p, double df1, double df2) {
    if (!is_probability(p) || !(df1 > 0) || !(df2 > 0)) {
        return kNotANumber;
    }
    return p == 1 ? kInfinity : bm::quantile(FisherF(df1, df2), p);
}

double beta_cdf(double x, double a, double b) {
    if (std::isnan(x) || !(a > 0) || !(b > 0)) {
        return kNotANumber;
    }
    if (x <= 0 || x >= 1) {
        return x <= 0 ? 0 : 1;
    }
    return bm::cdf(Beta(a, b), x);
}

double beta_quantile(double p, double a, double b) {
    if (!is_probability(p) || !(a > 0) || !(b > 0)) {
        return kNotANumber;
    }
    return bm::quantile(Beta(a, b), p);
}

double binomial_cdf(std::int64_t k, std::int64_t n, double p) {
    if (n < 0 || !is_probability(p)) {
        return kNotANumber;
    }
    if (k < 0 || k >= n) {
        return k < 0 ? 0 : 1;
    }
    return bm::cdf(Binomial(static_cast<double>(n), p), static_cast<double>(k));
}

double binomial_pmf(std::int64_t k, std::int64_t n, double p) {
    if (n < 0 || !is_probability(p)) {
        return kNotANumber;
    }
    if (k < 0 || k > n) {
        return 0;
    }
    return bm::pdf(Binomial(static_cast<double>(n), p), static_cast<double>(k));
}

double noncentral_t_two_sided(double critical, double df, double ncp) {
    if (std::isnan(critical) || !(df > 0) || !std::isfinite(ncp)) {
        return kNotANumber;
    }
    if (std::isinf(df)) {
        return normal_upper(critical - ncp) + normal_cdf(-critical - ncp);
    }
    // |Z + ncp| < critical sqrt(V / df) needs V / df > 1600: below every double even for df = 1.
    if (std::abs(ncp) > 40 * (std::abs(critical) + 1)) {
        return 1;
    }
    return or_nan([&] {
        const NoncentralT distribution(df, ncp);
        return bm::cdf(bm::complement(distribution, critical)) + bm::cdf(distribution, -critical);
    });
}

double noncentral_f_upper(double x, double df1, double df2, double ncp) {
    if (!(ncp > 0)) {
        return ncp == 0 ? f_upper(x, df1, df2) : kNotANumber;
    }
    if (!(x >= 0) || !(df1 > 0) || !(df2 > 0) || ncp > kNoncentralityMax) {
        return kNotANumber;
    }
    if (std::isinf(x)) {
        return 0;
    }
    return or_nan([&] { return bm::cdf(bm::complement(NoncentralF(df1, df2, ncp), x)); });
}

double noncentral_chi_squared_upper(double x, double df, double ncp) {
    if (!(ncp > 0)) {
        return ncp == 0 ? chi_squared_upper(x, df) : kNotANumber;
    }
    if (!(x >= 0) || !(df > 0) || ncp > kNoncentralityMax) {
        return kNotANumber;
    }
    if (std::isinf(x)) {
        return 0;
    }
    return or_nan([&] { return bm::cdf(bm::complement(NoncentralChiSquared(df, ncp), x)); });
}

double log_beta(double a, double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

double log_gamma(double x) {
    // Not std::lgamma: it writes the global signgam.
    return x > 0 ? bm::lgamma(x, Policy()) : kNotANumber;
}

}  // namespace lab::science
