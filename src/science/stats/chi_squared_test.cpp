#include "science/stats/chi_squared.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Counts = std::vector<std::int64_t>;

CountTable table_of(const Json& rows) {
    CountTable out{rows.size(), rows[0].size(), {}};
    for (const Json& row : rows) {
        for (const Json& count : row) {
            out.counts.push_back(count.get<std::int64_t>());
        }
    }
    return out;
}

void check_ratios(
    const CountTable& table, double confidence, const Json& want, test::VectorCheck& check
) {
    const Counts& c = table.counts;
    const RatioEffect odds = odds_ratio(c[0], c[1], c[2], c[3], confidence);
    check.number("odds ratio", odds.value, want.at("odds_ratio"));
    check.number("odds lo", odds.interval.lo, want.at("odds_interval")[0]);
    check.number("odds hi", odds.interval.hi, want.at("odds_interval")[1]);
    const RatioEffect risk = risk_ratio(c[0], c[1], c[2], c[3], confidence);
    check.number("risk ratio", risk.value, want.at("risk_ratio"));
    check.number("risk lo", risk.interval.lo, want.at("risk_interval")[0]);
    check.number("risk hi", risk.interval.hi, want.at("risk_interval")[1]);
    check.equal("shifted", odds.shifted, want.at("shifted"));
}

TEST(Vectors, Contingency) {
    test::for_each_vector(
        "contingency",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            if (input.contains("counts")) {
                const auto shares = input.value("shares", std::vector<double>());
                const ChiSquared fit = goodness_of_fit(input.at("counts").get<Counts>(), shares);
                check.number("fit", fit.chi2, want.at("fit_chi2"));
                check.number("fit p", fit.p, want.at("fit_p"));
                check.number("fit df", fit.df, want.at("df"));
                return;
            }
            const CountTable table = table_of(input.at("table"));
            const double confidence = params.at("confidence").get<double>();
            const auto n =
                std::accumulate(table.counts.begin(), table.counts.end(), std::int64_t{0});
            const ChiSquared got = independence(table, false);
            check.number("chi2", got.chi2, want.at("chi2"));
            check.number("p", got.p, want.at("p"));
            check.number("df", got.df, want.at("df"));
            check.number("expected", got.expected_min, want.at("expected_min"));
            check.number("below 5", got.expected_below_5, want.at("below_5"));
            check.number(
                "V", cramer_v(got.chi2, n, table.rows, table.columns), want.at("cramer_v")
            );
            const Interval v =
                cramer_v_interval(got.chi2, got.df, n, table.rows, table.columns, confidence);
            check.number("V lo", v.lo, want.at("cramer_interval")[0]);
            check.number("V hi", v.hi, want.at("cramer_interval")[1]);
            if (want.contains("odds_ratio")) {
                const ChiSquared yates = independence(table, true);
                check.number("Yates", yates.chi2, want.at("chi2_yates"));
                check.number("Yates p", yates.p, want.at("p_yates"));
                check.number("phi", phi_coefficient(got.chi2, n), want.at("phi"));
                check_ratios(table, confidence, want, check);
            }
        }
    );
}

TEST(ChiSquaredTest, WithoutCountsHasNoAnswer) {
    EXPECT_TRUE(std::isnan(goodness_of_fit(Counts{5}).p));
    EXPECT_TRUE(std::isnan(goodness_of_fit(Counts{0, 0}).p));
    EXPECT_TRUE(std::isnan(independence({2, 2, {1, 2, 0, 0}}, true).p));
    EXPECT_TRUE(std::isnan(independence({1, 2, {1, 2}}, true).p));
    EXPECT_TRUE(std::isnan(odds_ratio(0, 0, 3, 4, 0.95).value));
    EXPECT_TRUE(std::isnan(cramer_v(1, 0, 2, 2)));
}

TEST(ChiSquaredTest, YatesNeverReducesBeyondZero) {
    EXPECT_EQ(independence({2, 2, {10, 10, 10, 11}}, true).chi2, 0);
    // Larger tables are not corrected.
    EXPECT_EQ(
        independence({2, 3, {9, 4, 3, 2, 7, 8}}, true).chi2,
        independence({2, 3, {9, 4, 3, 2, 7, 8}}, false).chi2
    );
}

}  // namespace
}  // namespace lab::science
