#include "science/stats/chi_squared.h"

#include "base/error.h"
#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"
#include "science/stats/impl/noncentrality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace lab::science {
namespace {

/// Collects cells into the statistic.
class Cells {
  public:
    void add(double observed, double expected, double correction) {
        const double distance = std::abs(observed - expected);
        const double kept = distance - std::min(distance, correction);
        chi2_.add(kept * kept / expected);
        smallest_ = std::min(smallest_, expected);
        small_ += expected < 5 ? 1 : 0;
        ++cells_;
    }
    ChiSquared result(double df) const {
        return {
            .chi2 = chi2_.value(),
            .df = df,
            .p = chi_squared_upper(chi2_.value(), df),
            .expected_min = smallest_,
            .expected_below_5 = static_cast<double>(small_) / static_cast<double>(cells_),
        };
    }

  private:
    Sum chi2_;
    double smallest_ = std::numeric_limits<double>::infinity();
    std::int64_t small_ = 0;
    std::int64_t cells_ = 0;
};

double smaller_side(std::size_t rows, std::size_t columns) {
    return static_cast<double>(std::min(rows, columns)) - 1;
}

/// Hits and misses of two groups as real numbers, shifted when one is 0.
struct Four {
    std::array<double, 4> cells;
    bool usable = false;
    bool shifted = false;
};

Four four(std::int64_t ha, std::int64_t ma, std::int64_t hb, std::int64_t mb) {
    Four out{{}, ha + ma > 0 && hb + mb > 0, std::min({ha, ma, hb, mb}) == 0};
    std::ranges::transform(std::array{ha, ma, hb, mb}, out.cells.begin(), [&](std::int64_t count) {
        return static_cast<double>(count) + (out.shifted ? 0.5 : 0);
    });
    return out;
}

RatioEffect on_log_scale(double ratio, double se, bool shifted, double confidence) {
    const Interval log = normal_interval(std::log(ratio), se, confidence);
    return {ratio, {std::exp(log.lo), std::exp(log.hi)}, shifted};
}

}  // namespace

ChiSquared goodness_of_fit(std::span<const std::int64_t> counts, std::span<const double> shares) {
    LAB_ASSERT(shares.empty() || shares.size() == counts.size(), "one share a count");
    const auto n =
        static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    if (counts.size() < 2 || !(n > 0)) {
        return {};
    }
    const double whole = shares.empty() ? static_cast<double>(counts.size()) : sum(shares);
    Cells cells;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double share = shares.empty() ? 1 : shares[i];
        cells.add(static_cast<double>(counts[i]), n * share / whole, 0);
    }
    return cells.result(static_cast<double>(counts.size()) - 1);
}

ChiSquared independence(const CountTable& table, bool yates) {
    LAB_ASSERT(table.counts.size() == table.rows * table.columns, "one count a cell");
    std::vector<double> rows(table.rows, 0);
    std::vector<double> columns(table.columns, 0);
    double n = 0;
    for (std::size_t r = 0; r < table.rows; ++r) {
        for (std::size_t c = 0; c < table.columns; ++c) {
            const auto count = static_cast<double>(table.at(r, c));
            rows[r] += count;
            columns[c] += count;
            n += count;
        }
    }
    const auto filled = [](double x) { return x > 0; };
    if (table.rows < 2 || table.columns < 2 || !std::ranges::all_of(rows, filled) ||
        !std::ranges::all_of(columns, filled)) {
        return {};
    }
    const bool corrected = yates && table.rows == 2 && table.columns == 2;
    Cells cells;
    for (std::size_t r = 0; r < table.rows; ++r) {
        for (std::size_t c = 0; c < table.columns; ++c) {
            const double expected = rows[r] * columns[c] / n;
            cells.add(static_cast<double>(table.at(r, c)), expected, corrected ? 0.5 : 0);
        }
    }
    return cells.result(static_cast<double>((table.rows - 1) * (table.columns - 1)));
}

double phi_coefficient(double chi2, std::int64_t n) {
    return n > 0 ? std::sqrt(chi2 / static_cast<double>(n)) : kNaN;
}

double cramer_v(double chi2, std::int64_t n, std::size_t rows, std::size_t columns) {
    const double side = smaller_side(rows, columns);
    return n > 0 && side > 0 ? std::sqrt(chi2 / (static_cast<double>(n) * side)) : kNaN;
}

Interval cramer_v_interval(
    double chi2, double df, std::int64_t n, std::size_t rows, std::size_t columns, double confidence
) {
    const double side = smaller_side(rows, columns);
    if (!(chi2 >= 0) || !(df > 0) || n <= 0 || !(side > 0) || !(confidence > 0 && confidence < 1)) {
        return {};
    }
    const Interval ncp = noncentrality_interval(
        [&](double lambda) { return noncentral_chi_squared_upper(chi2, df, lambda); }, confidence
    );
    const auto v = [&](double lambda) {
        return std::isnan(lambda)
                   ? lambda
                   : std::min(1.0, std::sqrt(lambda / (static_cast<double>(n) * side)));
    };
    return {v(ncp.lo), v(ncp.hi)};
}

RatioEffect odds_ratio(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
) {
    const Four table = four(hits_a, misses_a, hits_b, misses_b);
    if (!table.usable) {
        return {};
    }
    const auto& [ha, ma, hb, mb] = table.cells;
    const double se = std::sqrt(1 / ha + 1 / ma + 1 / hb + 1 / mb);
    return on_log_scale(ha / ma / (hb / mb), se, table.shifted, confidence);
}

RatioEffect risk_ratio(
    std::int64_t hits_a,
    std::int64_t misses_a,
    std::int64_t hits_b,
    std::int64_t misses_b,
    double confidence
) {
    const Four table = four(hits_a, misses_a, hits_b, misses_b);
    if (!table.usable) {
        return {};
    }
    const auto& [ha, ma, hb, mb] = table.cells;
    const double se = std::sqrt(1 / ha - 1 / (ha + ma) + 1 / hb - 1 / (hb + mb));
    return on_log_scale(ha / (ha + ma) / (hb / (hb + mb)), se, table.shifted, confidence);
}

}  // namespace lab::science
