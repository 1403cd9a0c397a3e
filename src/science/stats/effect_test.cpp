#include "science/stats/effect.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Vectors, EffectSizes) {
    test::for_each_vector(
        "effect_sizes",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const TwoGroupEffect got =
                two_group_effect(input.at("a").get<Values>(), input.at("b").get<Values>());
            check.number("d", got.cohen_d, want.at("cohen_d"));
            check.number("g approx", got.hedges_g_approximate, want.at("hedges_g_approx"));
            check.number("g", got.hedges_g, want.at("hedges_g_exact"));
            check.number("glass", got.glass_delta, want.at("glass_delta_sd_b"));
            check.number("cliff", got.cliffs_delta, want.at("cliffs_delta"));
            check.number("cles", got.superiority, want.at("cles"));
            check.number("var d", got.variance_d, want.at("var_d_hedges_olkin"));
        }
    );
}

TEST(Effect, WithoutSpreadThereIsNoEffectSize) {
    const TwoGroupEffect got = two_group_effect(Values{2, 2}, Values{1, 1});
    EXPECT_TRUE(std::isnan(got.cohen_d));
    EXPECT_TRUE(std::isnan(got.glass_delta));
    EXPECT_EQ(got.cliffs_delta, 1);
    EXPECT_TRUE(std::isnan(cohen_dz(Values{1, 1, 1})));
    EXPECT_TRUE(std::isnan(cohen_dz(Values{1})));
    EXPECT_TRUE(std::isnan(two_group_effect({}, Values{1}).cohen_d));
}

TEST(Effect, CohensHOfEqualProportionsIsZero) {
    EXPECT_EQ(cohen_h(0.3, 0.3), 0);
    EXPECT_NEAR(cohen_h(1, 0), std::acos(-1.0), 1e-15);
}

}  // namespace
}  // namespace lab::science
