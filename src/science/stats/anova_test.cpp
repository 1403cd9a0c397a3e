#include "science/stats/anova.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;
using Table = std::vector<Values>;

TEST(Vectors, GroupTests) {
    test::for_each_vector(
        "group_tests",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto groups = input.at("groups").get<Table>();
            const OneWay got = one_way_anova(groups);
            check.number("F", got.f, want.at("F"));
            check.number("p", got.p, want.at("p"));
            check.number("df between", got.df_between, want.at("df_between"));
            check.number("df within", got.df_within, want.at("df_within"));
            check.number("eta2", got.eta_squared, want.at("eta_squared"));
            check.number("omega2", got.omega_squared, want.at("omega_squared"));
            const Interval eta = eta_squared_interval(
                got.f, got.df_between, got.df_within, params.at("confidence").get<double>()
            );
            check.number("eta2 lo", eta.lo, want.at("eta_interval")[0]);
            check.number("eta2 hi", eta.hi, want.at("eta_interval")[1]);
            const KruskalWallis ranks = kruskal_wallis(groups);
            check.number("H", ranks.h, want.at("H"));
            check.number("H p", ranks.p, want.at("kruskal_p"));
            check.number("H eta2", ranks.eta_squared, want.at("kruskal_eta_squared"));
            if (want.contains("levene_mean")) {
                const OneWay means = levene(groups, SpreadCenter::mean);
                check.number("levene", means.f, want.at("levene_mean"));
                check.number("levene p", means.p, want.at("levene_mean_p"));
                const OneWay medians = levene(groups, SpreadCenter::median);
                check.number("brown-forsythe", medians.f, want.at("levene_median"));
                check.number("brown-forsythe p", medians.p, want.at("levene_median_p"));
            }
        }
    );
}

TEST(Vectors, AnovaKruskal) {
    test::for_each_vector(
        "anova_kruskal",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto groups = input.at("groups").get<Table>();
            const OneWay plain = one_way_anova(groups);
            check.number("F", plain.f, want.at("F"));
            check.number("p", plain.p, want.at("p"));
            check.number("eta2", plain.eta_squared, want.at("eta_sq"));
            const KruskalWallis ranks = kruskal_wallis(groups);
            check.number("H", ranks.h, want.at("H"));
            check.number("H p", ranks.p, want.at("kruskal_p"));
            if (want.contains("welch_F")) {
                const OneWay welch = welch_anova(groups);
                check.number("Welch F", welch.f, want.at("welch_F"));
                check.number("Welch p", welch.p, want.at("welch_p"));
            }
        }
    );
}

TEST(OneWayAnova, WithoutSpreadOrGroupsHasNoAnswer) {
    EXPECT_TRUE(std::isnan(one_way_anova(Table{{1, 1}, {2, 2}}).f));
    EXPECT_TRUE(std::isnan(one_way_anova(Table{{0.1, 0.1, 0.1}, {0.3, 0.3, 0.3}}).p));
    EXPECT_TRUE(std::isnan(one_way_anova(Table{{1, 2, 3}}).p));
    EXPECT_TRUE(std::isnan(one_way_anova(Table{{1, 2}, {}}).p));
    EXPECT_TRUE(std::isnan(one_way_anova(Table{{1}, {2}}).p));
    EXPECT_TRUE(std::isnan(one_way_anova({}).p));
    EXPECT_TRUE(std::isnan(welch_anova(Table{{1, 2}, {3, 3}}).p));
    EXPECT_TRUE(std::isnan(eta_squared_interval(std::nan(""), 1, 5, 0.95).lo));
}

TEST(OneWayAnova, OfGroupsThatLieWorldsApartIsQuick) {
    const OneWay got = one_way_anova(Table{{1, 1.001, 1.002}, {1e9, 1e9 + 1, 1e9 + 2}});
    EXPECT_GT(got.eta_squared, 0.999999);
    EXPECT_LT(got.p, 1e-20);
    EXPECT_TRUE(std::isnan(eta_squared_interval(1e15, 1, 4, 0.95).hi));
}

TEST(KruskalWallisTest, OfEqualValuesHasNoAnswer) {
    EXPECT_TRUE(std::isnan(kruskal_wallis(Table{{1, 1}, {1, 1}}).h));
    EXPECT_TRUE(std::isnan(kruskal_wallis(Table{{1, 2}}).h));
    EXPECT_EQ(kruskal_wallis(Table{{1, 4}, {2, 3}}).h, 0);
}

}  // namespace
}  // namespace lab::science
