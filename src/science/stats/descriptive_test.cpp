#include "science/stats/descriptive.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Sum, KeepsWhatAPlainSumLoses) {
    const Values values{1e100, 1.0, -1e100};
    EXPECT_EQ(sum(values), 1.0);
    const Values tenths(1'000'000, 0.1);
    EXPECT_EQ(sum(tenths), 100'000.0);
}

TEST(Sum, PassesInfinitiesAndNanOn) {
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(sum(Values{infinity, 1}), infinity);
    EXPECT_TRUE(std::isnan(sum(Values{infinity, -infinity})));
    EXPECT_TRUE(std::isnan(sum(Values{kNaN, 1})));
}

TEST(Descriptive, NothingGivesNan) {
    const Values none;
    for (const double x :
         {mean(none),
          standard_deviation(none),
          standard_error(none),
          median(none),
          quantile(none, 0.5),
          skewness(none),
          trimmed_mean(none, 0.1),
          geometric_mean(none),
          median_absolute_deviation(none),
          interquartile_range(none),
          correlation(none, none)}) {
        EXPECT_TRUE(std::isnan(x));
    }
}

TEST(Descriptive, EqualValuesHaveNoSpreadAtAll) {
    const Values tenths(7, 0.1);
    EXPECT_EQ(standard_deviation(tenths), 0);
    EXPECT_TRUE(std::isnan(skewness(tenths)));
    EXPECT_TRUE(std::isnan(correlation(tenths, Values{1, 2, 3, 4, 5, 6, 7})));
}

TEST(Descriptive, SkewnessFollowsTheLongTail) {
    EXPECT_NEAR(skewness(Values{1, 2, 3}), 0, 1e-15);
    EXPECT_NEAR(skewness(Values{0, 0, 0, 1}), 1.1547005383792515, 1e-12);
    EXPECT_LT(skewness(Values{-9, 1, 1, 2}), 0);
}

TEST(VarianceParts, OfSingleAnswersAddUp) {
    // Answers 0 1 | 1 1 | 0 0 | 1 2: inside 0.5, 0, 0, 0.5; means 0.5, 1, 0, 1.5 with variance
    // 5/12.
    const std::vector<double> means = {0.5, 1, 0, 1.5};
    const std::vector<double> inside = {0.5, 0, 0, 0.5};
    const VarianceParts parts = variance_parts(means, inside, std::vector<int>{2, 2, 2, 2});
    EXPECT_DOUBLE_EQ(parts.inside, 0.25);
    EXPECT_DOUBLE_EQ(parts.items, 5.0 / 12 - 0.25 / 2);
}

TEST(VarianceParts, ItemsAnsweredOnceOrNeverSayNothingOfTheirInside) {
    const std::vector<double> means = {0.5, kNaN, 1, 0};
    const std::vector<double> inside = {0.5, kNaN, kNaN, 0};
    const VarianceParts parts = variance_parts(means, inside, std::vector<int>{2, 0, 1, 2});
    EXPECT_DOUBLE_EQ(parts.inside, 0.25);
    EXPECT_DOUBLE_EQ(parts.items, 0.25 - 0.25 * (0.5 + 1 + 0.5) / 3);
    // All of the spread of the means is that of drawing answers: not below 0.
    EXPECT_EQ(
        variance_parts(
            std::vector<double>{0.5, 0.5}, std::vector<double>{0.5, 0.5}, std::vector<int>{2, 2}
        )
            .items,
        0
    );
    const VarianceParts none = variance_parts(
        std::vector<double>{0.5, 1}, std::vector<double>{kNaN, kNaN}, std::vector<int>{1, 1}
    );
    EXPECT_TRUE(std::isnan(none.inside) && std::isnan(none.items));
}

TEST(Quantile, NearestRankSurvivesRoundingOfThePosition) {
    Values hundred;
    for (int i = 1; i <= 100; ++i) {
        hundred.push_back(i);
    }
    // 100 * 0.07 is 7.000000000000001 in doubles; the seventh value is meant.
    EXPECT_EQ(quantile(hundred, 0.07, QuantileType::nearest_rank), 7);
    EXPECT_EQ(quantile(hundred, 0.071, QuantileType::nearest_rank), 8);
    EXPECT_TRUE(std::isnan(quantile(hundred, 1.5)));
}

TEST(Midranks, TiesShareTheMeanOfTheirRanks) {
    const Ranks ranked = midranks(Values{3, 1, 3, 2});
    EXPECT_EQ(ranked.ranks, (Values{3.5, 1, 3.5, 2}));
    EXPECT_EQ(ranked.tie_term, 6);
    EXPECT_TRUE(ranked.has_ties);
    EXPECT_FALSE(midranks(Values{0.1, 0.1 + 1e-16, 0.2}, 0).ranks.empty());
    EXPECT_TRUE(midranks(Values{0.3 - 0.2, 0.2 - 0.1}, 1e-12).has_ties);
}

TEST(Vectors, MeanAndStandardError) {
    test::for_each_vector(
        "mean_se",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            check.number("mean", mean(x), want.at("mean"));
            check.number("sd", standard_deviation(x), want.at("sd"));
            check.number("se", standard_error(x), want.at("se"));
            check.number("median", median(x), want.at("median"));
        }
    );
}

TEST(Vectors, Quantiles) {
    test::for_each_vector(
        "quantiles_latency",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            for (const auto& [name, q] : std::map<std::string, double>{
                     {"p0", 0},
                     {"p0.5", 0.5},
                     {"p0.9", 0.9},
                     {"p0.95", 0.95},
                     {"p0.99", 0.99},
                     {"p1", 1}
                 }) {
                const Json& by_type = want.at(name);
                for (const auto& [key, type] : std::map<std::string, QuantileType>{
                         {"linear_type7", QuantileType::linear},
                         {"nearest_rank_type1", QuantileType::nearest_rank},
                         {"hazen_type5", QuantileType::hazen},
                         {"median_unbiased_type8", QuantileType::median_unbiased}
                     }) {
                    check.number(name + " " + key, quantile(x, q, type), by_type.at(key));
                }
            }
            check.number("trimmed mean", trimmed_mean(x, 0.1), want.at("trimmed_mean_0.1"));
            check.number("geometric mean", geometric_mean(x), want.at("geo_mean"));
            check.number("mad", median_absolute_deviation(x), want.at("mad"));
            check.number("iqr", interquartile_range(x), want.at("iqr"));
        }
    );
}

}  // namespace
}  // namespace lab::science
