#include "science/stats/shape.h"

#include "science/stats/descriptive.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Vectors, Shape) {
    test::for_each_vector(
        "shape",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto values = input.at("values").get<Values>();
            check.number("skewness", skewness(values), want.at("skewness"));
            check.number("G1", sample_skewness(values), want.at("sample_skewness"));
            check.number("kurtosis", excess_kurtosis(values), want.at("kurtosis"));
            check.number("G2", sample_kurtosis(values), want.at("sample_kurtosis"));
            if (want.contains("k2")) {
                check.number("K2", dagostino_k2(values).statistic, want.at("k2"));
                check.number("K2 p", dagostino_k2(values).p, want.at("k2_p"));
            }
        }
    );
}

TEST(Vectors, Normality) {
    test::for_each_vector(
        "normality",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const Normality got = shapiro_wilk(input.at("values").get<Values>());
            check.number("W", got.statistic, want.at("w"));
            check.number("p", got.p, want.at("p"));
            // scipy's quantiles have fewer digits.
            EXPECT_NEAR(got.statistic, want.at("w_scipy").get<double>(), 2e-7);
        }
    );
}

TEST(Shape, OfTooFewOrEqualValuesHasNoAnswer) {
    EXPECT_TRUE(std::isnan(excess_kurtosis(Values{1, 2, 3})));
    EXPECT_TRUE(std::isnan(excess_kurtosis(Values{2, 2, 2, 2})));
    EXPECT_TRUE(std::isnan(sample_skewness(Values{1, 2})));
    EXPECT_TRUE(std::isnan(shapiro_wilk(Values{1, 2}).p));
    EXPECT_TRUE(std::isnan(shapiro_wilk(Values{1, 1, 1}).p));
    EXPECT_TRUE(std::isnan(shapiro_wilk(Values(kShapiroWilkMax + 1, 0.5)).p));
    EXPECT_TRUE(std::isnan(dagostino_k2(Values{1, 2, 3}).p));
}

}  // namespace
}  // namespace lab::science
