#include "science/stats/power.h"

#include "science/stats/distributions.h"
#include "science/stats/effect.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;

/// The oracle's solver sometimes wraps its answer in a list or finds the mirror image -d, which has
/// the same power.
double effect_value(const Json& value) {
    return std::abs(value.is_array() ? value.at(0).get<double>() : value.get<double>());
}

/// statsmodels 0.15.0 looks for an effect with brentq_expanding, which stops at an absolute error
/// of 1e-5: where that is coarser than the file's tolerance, its answer misses its own power
/// function. So the equation is what is checked, to the file's tolerance and with the power
/// function that the columns paired_power and ind_power verify; the oracle's root must lie where
/// its solver promises.
void check_effect(
    test::VectorCheck& check,
    const std::string& what,
    double got,
    double power_there,
    double power,
    const Json& want
) {
    check.number(what + " reaches the power", power_there, power);
    check.equal(what + " is the root", std::abs(got - effect_value(want)) <= 1e-5, true);
}

TEST(Vectors, GroupPower) {
    test::for_each_vector(
        "group_power",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const double n = input.at("n").get<double>();
            const double effect = input.at("effect").get<double>();
            const double alpha = params.at("alpha").get<double>();
            check.number(
                "anova",
                anova_power(effect, n, input.at("groups").get<double>(), alpha),
                want.at("anova")
            );
            check.number(
                "chi squared",
                chi_squared_power(effect, n, input.at("df").get<double>(), alpha),
                want.at("chi_squared")
            );
            check.number(
                "correlation", correlation_power(effect, n, alpha), want.at("correlation")
            );
        }
    );
}

TEST(Vectors, Power) {
    test::for_each_vector(
        "power",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto get = [&](const char* key) { return input.at(key).get<double>(); };
            const auto alpha = params.at("alpha").get<double>();
            const auto power = params.at("power").get<double>();
            const auto ratio = params.at("ratio").get<double>();
            const double d = get("d");
            const double n = get("n");
            const double sd = get("sd_diff");
            const double delta = get("delta");
            check.number("paired_power", paired_t_power(d, n, alpha), want.at("paired_power"));
            check.number("paired_n", paired_t_items(d, alpha, power), want.at("paired_n"));
            const double paired = paired_t_effect(n, alpha, power);
            const double paired_reaches = paired_t_power(paired, n, alpha);
            check_effect(
                check, "paired_mde_d", paired, paired_reaches, power, want.at("paired_mde_d")
            );
            check.number("ind_power", two_sample_t_power(d, n, ratio, alpha), want.at("ind_power"));
            check.number("ind_n1", two_sample_t_items(d, ratio, alpha, power), want.at("ind_n1"));
            const double groups = two_sample_t_effect(n, ratio, alpha, power);
            const double groups_reach = two_sample_t_power(groups, n, ratio, alpha);
            check_effect(check, "ind_mde_d", groups, groups_reach, power, want.at("ind_mde_d"));
            const double h = cohen_h(get("p2"), get("p1"));
            check.number("cohen_h", h, want.at("cohen_h"));
            check.number(
                "prop_n1", two_proportions_items(h, ratio, alpha, power), want.at("prop_n1")
            );
            check.number(
                "z_paired_n", paired_items(sd, delta, alpha, power), want.at("z_paired_n")
            );
            check.number(
                "z_paired_mde",
                detectable_effect(sd / std::sqrt(n), alpha, power),
                want.at("z_paired_mde")
            );
            check.number(
                "z_unpaired",
                unpaired_items_per_arm(sd, delta, alpha, power),
                want.at("z_unpaired_n_per_arm")
            );
        }
    );
}

TEST(Power, AnEffectOfNothingNeedsInfinitelyManyItems) {
    EXPECT_TRUE(std::isnan(paired_items(0.5, 0, 0.05, 0.8)));
    EXPECT_TRUE(std::isnan(paired_t_items(0, 0.05, 0.8)));
    EXPECT_TRUE(std::isnan(two_proportions_items(0, 1, 0.05, 0.8)));
    EXPECT_TRUE(std::isnan(items_up(std::numeric_limits<double>::infinity())));
}

TEST(Power, ClustersAreCountedByT) {
    const auto needed = [](double sd, double delta) { return clusters_for(sd, delta, 0.05, 0.8); };
    // sd 1, delta 1: z asks for 7.85, t for more: (2.262 + 0.883)^2 = 9.9 at 9 df.
    EXPECT_EQ(needed(1, 1), 10);
    const auto points = [](double g) { return t_quantile(0.975, g - 1) + t_quantile(0.8, g - 1); };
    EXPECT_LE(points(10) / std::sqrt(10.0), 1);
    EXPECT_GT(points(9) / std::sqrt(9.0), 1);
    EXPECT_EQ(needed(1, -1), 10);
    EXPECT_EQ(needed(1, 0.01), std::ceil(paired_items(1, 0.01, 0.05, 0.8))) << "many: z is t";
    EXPECT_EQ(needed(1, 100), 2) << "one cluster never does";
    EXPECT_FALSE(std::isfinite(needed(1, 0)));
}

TEST(Power, ItemsAreRoundedUp) {
    EXPECT_EQ(items_up(267.0000001), 268);
    EXPECT_EQ(items_up(267), 267);
}

TEST(Power, MoreItemsShowSmallerEffects) {
    EXPECT_LT(paired_t_effect(1000, 0.05, 0.8), paired_t_effect(100, 0.05, 0.8));
    EXPECT_GT(paired_t_power(0.2, 1000, 0.05), paired_t_power(0.2, 100, 0.05));
    EXPECT_NEAR(paired_t_power(0, 50, 0.05), 0.05, 1e-12);
}

TEST(Power, PairedBinarySdIsTheSdOfTheDifferences) {
    // 30 items only a, 10 only b, 60 alike: differences 1, -1, 0 with divisor n.
    const double p10 = 0.3;
    const double p01 = 0.1;
    const double mean = 0.2;
    const double variance =
        0.3 * (1 - mean) * (1 - mean) + 0.1 * (-1 - mean) * (-1 - mean) + 0.6 * mean * mean;
    EXPECT_NEAR(paired_binary_sd(p10, p01), std::sqrt(variance), 1e-15);
}

TEST(Power, GoalsOutOfRangeHaveNoAnswer) {
    EXPECT_TRUE(std::isnan(paired_t_items(0.3, 0.05, 1)));
    EXPECT_TRUE(std::isnan(paired_t_effect(1, 0.05, 0.8)));
    EXPECT_TRUE(std::isnan(paired_t_power(0.3, 1, 0.05)));
    EXPECT_TRUE(std::isnan(two_sample_t_effect(1, 1, 0.05, 0.8)));
}

TEST(Power, OfEffectsBeyondAllMeasureIsOne) {
    EXPECT_EQ(two_sample_t_power(1e9, 100, 1, 0.05), 1);
    EXPECT_EQ(paired_t_power(-1e200, 3, 0.05), 1);
    EXPECT_EQ(anova_power(1e6, 300, 3, 0.05), 1);
    EXPECT_NEAR(paired_t_power(41, 30, 0.05), 1, 1e-12);
    // Too large for the package, too small for the rule: no answer, and no exception.
    EXPECT_TRUE(std::isnan(noncentral_f_upper(1, 2, 100, 1e15)));
    EXPECT_TRUE(std::isnan(noncentral_chi_squared_upper(1, 2, 1e15)));
}

}  // namespace
}  // namespace lab::science
