#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

/// Sums, moments, quantiles and ranks. NaN is the answer "n/a" where there is none; callers take
/// missing values out first (present_values).
namespace lab::science {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Compensated sum (Neumaier 1974): the error does not grow with the number of terms. Infinities
/// and NaN come out as a plain sum gives them.
class Sum {
  public:
    void add(double x);
    double value() const;

  private:
    double sum_ = 0;
    double lost_ = 0;
};

double sum(std::span<const double> values);
/// NaN when empty.
double mean(std::span<const double> values);
/// Sample standard deviation, divisor n - 1, two passes. NaN when n < 2; exactly 0 when all values
/// are equal.
double standard_deviation(std::span<const double> values);
/// standard_deviation / sqrt(n).
double standard_error(std::span<const double> values);
bool all_equal(std::span<const double> values);
/// The values that are not NaN, in their order.
std::vector<double> present_values(std::span<const double> values);

/// Hyndman and Fan 1996, by their numbers. 7 is what reports print; 1 is the nearest rank that
/// histograms and latency dashboards use.
enum class QuantileType : std::uint8_t {
    nearest_rank = 1,
    hazen = 5,
    linear = 7,
    median_unbiased = 8,
};

/// q in [0,1]. NaN when empty or q is out of range.
double quantile(std::span<const double> values, double q, QuantileType type = QuantileType::linear);
/// The same of values that are sorted already.
double quantile_sorted(
    std::span<const double> sorted, double q, QuantileType type = QuantileType::linear
);
double median(std::span<const double> values);

/// Moment coefficient m3 / m2^1.5. NaN when n < 3 or all values are equal.
double skewness(std::span<const double> values);
/// Mean without the floor(cut * n) smallest and as many largest values; 0 <= cut < 0.5.
double trimmed_mean(std::span<const double> values, double cut);
/// NaN unless all values are > 0.
double geometric_mean(std::span<const double> values);
/// Median of |x - median|, not scaled.
double median_absolute_deviation(std::span<const double> values);
/// Third minus first quartile, type 7.
double interquartile_range(std::span<const double> values);
/// Pearson's r in [-1,1]; same sizes. NaN when n < 2 or either side is constant.
double correlation(std::span<const double> a, std::span<const double> b);

/// Variance of single answers, split: Var(item mean) = items + inside / r (Miller 2024, arXiv
/// 2411.00640, section 3.1).
struct VarianceParts {
    double inside = kNaN;  ///< sigma^2: of the answers to one item, mean over the items
    double items = kNaN;   ///< omega^2: of the items' true means, not below 0
    double sd_inside() const { return std::sqrt(inside); }
    double sd_items() const { return std::sqrt(items); }
};
/// means: one per item over answered[i] >= 1 answers, NaN = missing; inside: their variance with
/// divisor answered[i] - 1, NaN below two. NaN when fewer than two items have means, or none has
/// two answers.
VarianceParts variance_parts(
    std::span<const double> means, std::span<const double> inside, std::span<const int> answered
);

struct Ranks {
    std::vector<double> ranks;  ///< 1..n, ties share the mean of their ranks; in the input's order
    double tie_term = 0;        ///< sum of t^3 - t over groups of t tied values
    bool has_ties = false;
};
/// Values whose sorted neighbours differ by at most `slack` are tied.
Ranks midranks(std::span<const double> values, double slack = 0);

}  // namespace lab::science
