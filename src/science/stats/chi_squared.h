#pragma once
#include "science/stats/intervals.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

/// Tests and effect sizes of counts. Vectors contingency.json.
namespace lab::science {

struct ChiSquared {
    double chi2 = std::numeric_limits<double>::quiet_NaN();
    double df = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();
    double expected_min = std::numeric_limits<double>::quiet_NaN();
    double expected_below_5 = std::numeric_limits<double>::quiet_NaN();  ///< share of the cells
};

/// Pearson 1900: counts against shares of their total. `shares` > 0, same size, scaled to sum 1;
/// empty = all the same. Fewer than two cells or no counts: NaN.
ChiSquared goodness_of_fit(
    std::span<const std::int64_t> counts, std::span<const double> shares = {}
);

/// Row-major, counts >= 0.
struct CountTable {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<std::int64_t> counts;
    std::int64_t at(std::size_t row, std::size_t column) const {
        return counts[row * columns + column];
    }
};
/// Independence of rows and columns. `yates`: each |observed - expected| of a 2x2 table is reduced
/// by 1/2, at most to 0 (Yates 1934); of larger tables nothing is. An empty row or column: NaN.
ChiSquared independence(const CountTable& table, bool yates);

/// sqrt(chi2 / n), of 2x2 tables, from the chi2 without correction.
double phi_coefficient(double chi2, std::int64_t n);
/// sqrt(chi2 / (n (min(rows, columns) - 1))), from the chi2 without correction (Cramér 1946).
double cramer_v(double chi2, std::int64_t n, std::size_t rows, std::size_t columns);
/// Of V, from the noncentrality of chi2 with its df: sqrt(lambda / (n (min - 1))), at most 1.
/// Steiger 2004.
Interval cramer_v_interval(
    double chi2, double df, std::int64_t n, std::size_t rows, std::size_t columns, double confidence
);

struct RatioEffect {
    double value = std::numeric_limits<double>::quiet_NaN();
    Interval interval;
    /// A cell was 0: 1/2 was added to all four (Haldane 1956, Anscombe 1956).
    bool shifted = false;
};
/// Of two groups with (hits, misses) each, the first against the second. Intervals are normal on
/// the log scale: odds ratio Woolf 1955, risk ratio Katz 1978. An empty group: NaN.
RatioEffect odds_ratio(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
);
RatioEffect risk_ratio(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
);

}  // namespace lab::science
