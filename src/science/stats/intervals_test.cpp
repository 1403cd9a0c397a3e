#include "science/stats/intervals.h"

#include "science/stats/descriptive.h"
#include "science/stats/mcnemar.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

void same(
    test::VectorCheck& check, const std::string& what, const Interval& got, const Json& want
) {
    check.number(what + " lo", got.lo, want.at(0));
    check.number(what + " hi", got.hi, want.at(1));
}

TEST(Vectors, ProportionIntervals) {
    test::for_each_vector(
        "proportion_ci",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto k = input.at("successes").get<std::int64_t>();
            const auto n = input.at("n").get<std::int64_t>();
            const auto confidence = params.at("confidence").get<double>();
            same(check, "wilson", wilson(k, n, confidence), want.at("wilson"));
            same(check, "wilson_cc", wilson_corrected(k, n, confidence), want.at("wilson_cc"));
            const Interval exact = clopper_pearson(k, n, confidence);
            same(check, "clopper_pearson", exact, want.at("clopper_pearson"));
            same(check, "jeffreys", jeffreys(k, n, confidence), want.at("jeffreys"));
            const Interval coull = agresti_coull(k, n, confidence);
            same(check, "agresti_coull", coull, want.at("agresti_coull"));
            same(check, "wald", wald(k, n, confidence), want.at("wald"));
            check.number("binom_p_half", binomial_half_p(k, n), want.at("binom_p_half"));
        }
    );
}

TEST(Vectors, MeanIntervals) {
    test::for_each_vector(
        "mean_se",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            const auto confidence = params.at("confidence").get<double>();
            const auto df = static_cast<double>(x.size() - 1);
            const double se = standard_error(x);
            same(check, "z", normal_interval(mean(x), se, confidence), want.at("ci_z"));
            same(check, "t", t_interval(mean(x), se, df, confidence), want.at("ci_t"));
        }
    );
}

TEST(Vectors, ClusteredStandardErrors) {
    test::for_each_vector(
        "clustered_se",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            const auto clusters = input.at("cluster").get<std::vector<int>>();
            const ClusteredSe got = clustered_se(x, clusters);
            check.number("mean", got.mean, want.at("mean"));
            check.equal("clusters", got.clusters, want.at("n_clusters"));
            check.number("clt", got.clt, want.at("se_clt"));
            check.number("cr0", got.cr0, want.at("se_cr0"));
            check.number("cr1", got.cr1, want.at("se_cr1"));
            check.number("miller", got.miller, want.at("se_miller"));
        }
    );
}

TEST(Intervals, NoItemsNoInterval) {
    for (const auto& interval :
         {wilson(0, 0, 0.95),
          wilson_corrected(0, 0, 0.95),
          clopper_pearson(0, 0, 0.95),
          jeffreys(0, 0, 0.95),
          agresti_coull(0, 0, 0.95),
          wald(0, 0, 0.95),
          wilson(3, 2, 0.95)}) {
        EXPECT_TRUE(std::isnan(interval.lo));
        EXPECT_TRUE(std::isnan(interval.hi));
    }
}

TEST(Intervals, APerfectScoreIsNotCertainty) {
    EXPECT_EQ(wilson(5, 5, 0.95).hi, 1);
    EXPECT_LT(wilson(5, 5, 0.95).lo, 0.6);
    EXPECT_EQ(wilson(0, 100'000, 0.95).lo, 0);
    EXPECT_GT(wilson(0, 100'000, 0.95).hi, 0);
}

TEST(Intervals, ExactIntervalsCoverAtLeastAsOftenAsTheySay) {
    // Every outcome of ten tosses, weighed by its probability: the definition of coverage.
    for (const double p : {0.05, 0.3, 0.5, 0.82}) {
        double covered = 0;
        for (int k = 0; k <= 10; ++k) {
            const Interval interval = clopper_pearson(k, 10, 0.95);
            if (interval.lo <= p && p <= interval.hi) {
                covered += std::exp(
                    std::lgamma(11) - std::lgamma(k + 1) - std::lgamma(11 - k) + k * std::log(p) +
                    (10 - k) * std::log(1 - p)
                );
            }
        }
        EXPECT_GE(covered, 0.95) << p;
    }
}

TEST(ClusteredSe, OneClusterHasNoStandardError) {
    const ClusteredSe got = clustered_se(Values{1, 2, 3}, std::vector<int>{4, 4, 4});
    EXPECT_EQ(got.clusters, 1);
    EXPECT_EQ(got.mean, 2);
    EXPECT_TRUE(std::isnan(got.cr0));
    EXPECT_TRUE(std::isnan(got.cr1));
    EXPECT_TRUE(std::isnan(got.miller));
}

TEST(ClusteredSe, SingletonsAreIndependentItems) {
    const Values x{0.1, 0.7, 0.4, 0.9};
    const ClusteredSe got = clustered_se(x, std::vector<int>{1, 2, 3, 4});
    EXPECT_NEAR(got.cr1, standard_error(x), 1e-15);
    EXPECT_NEAR(got.cr0, std::sqrt(0.75) * standard_error(x), 1e-15);
}

}  // namespace
}  // namespace lab::science
