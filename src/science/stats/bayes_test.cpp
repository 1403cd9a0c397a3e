#include "science/stats/bayes.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;

TEST(Vectors, Bayes) {
    test::for_each_vector(
        "bayes",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            if (input.contains("t")) {
                const double n = input.at("n").get<double>();
                const double m = input.at("m").get<double>();
                const double size = m == 0 ? n : n * m / (n + m);
                const double df = m == 0 ? n - 1 : n + m - 2;
                const double got = log_bayes_factor_t(
                    input.at("t").get<double>(), size, df, params.at("r").get<double>()
                );
                check.number("ln BF10", got, want.at("log_bf10"));
                return;
            }
            const ProportionsBayes got = compare_proportions(
                input.at("hits_a").get<std::int64_t>(),
                input.at("misses_a").get<std::int64_t>(),
                input.at("hits_b").get<std::int64_t>(),
                input.at("misses_b").get<std::int64_t>(),
                params.at("confidence").get<double>()
            );
            check.number("ln BF10", got.log_bayes_factor, want.at("log_bf10"));
            check.number("P(a > b)", got.probability_greater, want.at("probability_greater"));
            check.number("mean", got.mean_difference, want.at("mean_difference"));
            check.number("lo", got.credible.lo, want.at("credible")[0]);
            check.number("hi", got.credible.hi, want.at("credible")[1]);
        }
    );
}

TEST(BayesTest, WithoutATestThereIsNoFactor) {
    EXPECT_TRUE(std::isnan(log_bayes_factor_t(std::nan(""), 10, 9)));
    EXPECT_TRUE(std::isnan(log_bayes_factor_t(1, 0, 9)));
    EXPECT_TRUE(std::isnan(log_bayes_factor_t(1, 10, 0)));
}

TEST(BayesTest, EqualDataSpeakForNoDifference) {
    EXPECT_LT(log_bayes_factor_t(0, 50, 98), 0);
    const ProportionsBayes even = compare_proportions(50, 50, 50, 50, 0.95);
    EXPECT_LT(even.log_bayes_factor, 0);
    EXPECT_NEAR(even.probability_greater, 0.5, 1e-12);
    EXPECT_NEAR(even.credible.lo, -even.credible.hi, 1e-9);
}

}  // namespace
}  // namespace lab::science
