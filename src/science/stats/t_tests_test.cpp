#include "science/stats/t_tests.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"
#include "science/stats/effect.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Vectors, PairedT) {
    test::for_each_vector(
        "paired_t",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto a = input.at("a").get<Values>();
            const auto b = input.at("b").get<Values>();
            Values d(a.size());
            for (std::size_t i = 0; i < a.size(); ++i) {
                d[i] = a[i] - b[i];
            }
            const PairedT got = paired_t(d, params.at("confidence").get<double>());
            check.number("mean_diff", got.mean_difference, want.at("mean_diff"));
            check.number("se_diff", got.se, want.at("se_diff"));
            check.number("t", got.t, want.at("t"));
            check.number("df", got.df, want.at("df"));
            check.number("p_two", got.p_two_sided, want.at("p_two"));
            check.number("p_greater", got.p_greater, want.at("p_greater"));
            check.number("p_less", got.p_less, want.at("p_less"));
            check.number("ci lo", got.interval.lo, want.at("ci").at(0));
            check.number("ci hi", got.interval.hi, want.at("ci").at(1));
            check.number("corr", correlation(a, b), want.at("corr"));
            check.number("dz", cohen_dz(d), want.at("cohen_dz"));
        }
    );
}

TEST(Vectors, TwoSampleT) {
    test::for_each_vector(
        "two_sample_t",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto a = input.at("a").get<Values>();
            const auto b = input.at("b").get<Values>();
            const auto confidence = params.at("confidence").get<double>();
            const TwoSampleT welch = welch_t(a, b, confidence);
            check.number("mean_diff", welch.mean_difference, want.at("mean_diff"));
            check.number("welch_t", welch.t, want.at("welch_t"));
            check.number("welch_df", welch.df, want.at("welch_df"));
            check.number("welch_p", welch.p_two_sided, want.at("welch_p"));
            check.number("welch lo", welch.interval.lo, want.at("welch_ci").at(0));
            check.number("welch hi", welch.interval.hi, want.at("welch_ci").at(1));
            const TwoSampleT pooled = pooled_t(a, b, confidence);
            check.number("student_t", pooled.t, want.at("student_t"));
            check.number("student_df", pooled.df, want.at("student_df"));
            check.number("student_p", pooled.p_two_sided, want.at("student_p"));
            check.number("student lo", pooled.interval.lo, want.at("student_ci").at(0));
            check.number("student hi", pooled.interval.hi, want.at("student_ci").at(1));
            const double levene = brown_forsythe_p(a, b);
            if (want.at("levene_p").is_null()) {
                check.equal("levene is n/a", std::isnan(levene), true);
            } else {
                check.number("levene_p", levene, want.at("levene_p"));
            }
        }
    );
}

TEST(PairedT, NoVariationIsNoProof) {
    const PairedT got = paired_t(Values{0.5, 0.5, 0.5}, 0.95);
    EXPECT_EQ(got.se, 0);
    EXPECT_TRUE(std::isnan(got.p_two_sided));
    EXPECT_EQ(got.interval, (Interval{0.5, 0.5}));
}

TEST(PairedT, FewerThanTwoPairsHaveNoAnswer) {
    EXPECT_TRUE(std::isnan(paired_t(Values{1}, 0.95).se));
    EXPECT_EQ(paired_t(Values{1}, 0.95).mean_difference, 1);
    EXPECT_TRUE(std::isnan(paired_t({}, 0.95).mean_difference));
}

TEST(WelchT, OneValueASideHasNoSpread) {
    EXPECT_TRUE(std::isnan(welch_t(Values{1}, Values{1, 2, 3}, 0.95).p_two_sided));
    EXPECT_TRUE(std::isnan(pooled_t(Values{1}, Values{}, 0.95).p_two_sided));
}

TEST(EquivalenceP, IsTheWorseOfTwoOneSidedTests) {
    EXPECT_NEAR(equivalence_p(0, 1, 10, 2), t_upper(2, 10), 1e-15);
    EXPECT_NEAR(equivalence_p(1, 1, 10, 2), t_upper(1, 10), 1e-15);
    EXPECT_NEAR(equivalence_p(-1, 1, 10, 2), equivalence_p(1, 1, 10, 2), 1e-15);
    EXPECT_GT(equivalence_p(3, 1, 10, 2), 0.5);
    EXPECT_TRUE(std::isnan(equivalence_p(0, 0, 10, 2)));
    EXPECT_TRUE(std::isnan(equivalence_p(0, 1, 10, 0)));
}

TEST(Distributions, NonsenseGivesNanAndLimitsAreExact) {
    EXPECT_TRUE(std::isnan(t_cdf(kNaN, 3)));
    EXPECT_TRUE(std::isnan(t_cdf(1, 0)));
    EXPECT_TRUE(std::isnan(normal_quantile(1.5)));
    EXPECT_TRUE(std::isnan(beta_quantile(0.5, 0, 1)));
    EXPECT_TRUE(std::isnan(chi_squared_upper(-1, 1)));
    EXPECT_TRUE(std::isnan(binomial_cdf(1, -1, 0.5)));
    EXPECT_TRUE(std::isnan(noncentral_t_two_sided(1, 3, kNaN)));
    EXPECT_TRUE(std::isnan(log_gamma(0)));
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(normal_cdf(-infinity), 0);
    EXPECT_EQ(normal_cdf(infinity), 1);
    EXPECT_EQ(t_upper(infinity, 5), 0);
    EXPECT_EQ(t_two_sided(0, 5), 1);
    EXPECT_EQ(t_cdf(1.5, infinity), normal_cdf(1.5));
    EXPECT_EQ(t_quantile(0, 5), -infinity);
}

TEST(Distributions, SmallTailsKeepTheirDigits) {
    // P(Z > 20), to 15 digits, from the continued fraction of the Mills ratio.
    EXPECT_NEAR(normal_upper(20) / 2.753624118606233695e-89, 1, 1e-12);
    EXPECT_GT(t_two_sided(30, 1318), 0);
}

}  // namespace
}  // namespace lab::science
