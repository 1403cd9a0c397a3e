#include "science/stats/association.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

void check_interval(
    const char* what, const Interval& got, const Json& want, test::VectorCheck& check
) {
    check.number(std::string(what) + " lo", got.lo, want[0]);
    check.number(std::string(what) + " hi", got.hi, want[1]);
}

TEST(Vectors, Association) {
    test::for_each_vector(
        "association",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            const auto y = input.at("y").get<Values>();
            const double confidence = params.at("confidence").get<double>();
            const Association r = pearson(x, y, confidence);
            check.number("r", r.r, want.at("pearson"));
            check.number("r p", r.p, want.at("pearson_p"));
            const Association rho = spearman(x, y, confidence);
            check.number("rho", rho.r, want.at("spearman"));
            check.number("rho p", rho.p, want.at("spearman_p"));
            if (want.contains("pearson_interval")) {
                check_interval("r", r.interval, want.at("pearson_interval"), check);
                check_interval("rho", rho.interval, want.at("spearman_interval"), check);
            }
            const LinearRegression fit = linear_regression(x, y, confidence);
            check.number("slope", fit.slope, want.at("slope"));
            check.number("intercept", fit.intercept, want.at("intercept"));
            check.number("slope se", fit.slope_se, want.at("slope_se"));
            check.number("intercept se", fit.intercept_se, want.at("intercept_se"));
            check.number("t", fit.t, want.at("t"));
            check.number("p", fit.p, want.at("slope_p"));
            check.number("intercept p", fit.intercept_p, want.at("intercept_p"));
            check_interval("slope", fit.slope_interval, want.at("slope_interval"), check);
            check_interval(
                "intercept", fit.intercept_interval, want.at("intercept_interval"), check
            );
            check.number("r2", fit.r_squared, want.at("r_squared"));
            check.number("r2 adjusted", fit.r_squared_adjusted, want.at("r_squared_adjusted"));
            check.number("residual sd", fit.residual_sd, want.at("residual_sd"));
        }
    );
}

TEST(Vectors, CorrelationRegression) {
    test::for_each_vector(
        "correlation_regression",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            const auto y = input.at("y").get<Values>();
            const Association r = pearson(x, y, 0.95);
            check.number("r", r.r, want.at("pearson_r"));
            check.number("r p", r.p, want.at("pearson_p"));
            if (want.at("pearson_ci_fisher").is_array()) {
                check_interval("r", r.interval, want.at("pearson_ci_fisher"), check);
            }
            check.number("rho", spearman(x, y, 0.95).r, want.at("spearman_rho"));
            check.number("rho p", spearman(x, y, 0.95).p, want.at("spearman_p"));
            const LinearRegression fit = linear_regression(x, y, 0.95);
            check.number("slope", fit.slope, want.at("slope"));
            check.number("intercept", fit.intercept, want.at("intercept"));
            check.number("slope se", fit.slope_se, want.at("slope_se"));
            check.number("intercept se", fit.intercept_se, want.at("intercept_se"));
            check.number("p", fit.p, want.at("slope_p"));
            check.number("r2", fit.r_squared, want.at("r2"));
        }
    );
}

TEST(AssociationTest, OfConstantsOrTwoPairsHasNoAnswer) {
    EXPECT_TRUE(std::isnan(pearson(Values{1, 1, 1}, Values{1, 2, 3}, 0.95).p));
    EXPECT_TRUE(std::isnan(pearson(Values{1, 2}, Values{1, 2}, 0.95).r));
    EXPECT_TRUE(std::isnan(linear_regression(Values{2, 2, 2}, Values{1, 2, 3}, 0.95).slope));
}

TEST(LinearRegressionTest, AnExactFitHasALineButNoTest) {
    const LinearRegression fit = linear_regression(Values{1, 2, 3, 4}, Values{3, 5, 7, 9}, 0.95);
    EXPECT_DOUBLE_EQ(fit.slope, 2);
    EXPECT_DOUBLE_EQ(fit.intercept, 1);
    EXPECT_TRUE(std::isnan(fit.p));
}

}  // namespace
}  // namespace lab::science
