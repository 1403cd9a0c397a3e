#include "science/stats/permutation.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Vectors, ExactPermutation) {
    test::for_each_vector(
        "permutation_exact",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const bool paired = input.at("kind") == "paired";
            const Permutation got =
                paired ? sign_flip_exact(input.at("d").get<Values>())
                       : two_sample_exact(input.at("a").get<Values>(), input.at("b").get<Values>());
            check.number("observed", got.observed, want.at("observed"));
            check.equal("permutations", got.permutations, want.at("n_perm"));
            check.number("p_abs", got.p_absolute, want.at("p_abs"));
            check.number("p_greater", got.p_greater, want.at("p_greater"));
            check.number("p_less", got.p_less, want.at("p_less"));
            check.number("p_doubled", got.p_doubled, want.at("p_two_scipy"));
            if (paired) {
                // Leaving zeros out changes the enumeration, never the p-value.
                const Permutation automatic = sign_flip(input.at("d").get<Values>(), 100, 1);
                check.number("p_abs, zeros dropped", automatic.p_absolute, want.at("p_abs"));
            }
        }
    );
}

TEST(SignFlip, DrawsAgreeWithTheEnumeration) {
    const Values d{0.3, -0.1, 0.25, 0.4, -0.2, 0.15, 0.05, 0.3, -0.35, 0.1, 0.2};
    const Permutation exact = sign_flip_exact(d);
    const Permutation drawn = sign_flip_drawn(d, 40'000, 3);
    EXPECT_FALSE(drawn.exact);
    EXPECT_EQ(drawn.permutations, 40'000);
    EXPECT_GT(drawn.p_error, 0);
    EXPECT_NEAR(drawn.p_absolute, exact.p_absolute, 4 * drawn.p_error);
    EXPECT_NEAR(drawn.p_greater, exact.p_greater, 4 * drawn.p_error);
}

TEST(SignFlip, TheSeedFixesTheDraws) {
    Values d;
    for (int i = 0; i < 60; ++i) {
        d.push_back(std::sin(i) + 0.1);
    }
    EXPECT_EQ(sign_flip(d, 500, 9).p_absolute, sign_flip(d, 500, 9).p_absolute);
    EXPECT_FALSE(sign_flip(d, 500, 9).exact);
}

TEST(SignFlip, DrawnPIsNeverZero) {
    EXPECT_EQ(sign_flip_drawn(Values(64, 1.0), 99, 1).p_absolute, 0.01);
}

TEST(SignFlip, EdgesHaveAnAnswerOrNan) {
    EXPECT_EQ(sign_flip(Values{0, 0, 0}, 100, 1).p_absolute, 1);
    EXPECT_EQ(sign_flip(Values{2}, 100, 1).p_absolute, 1);
    EXPECT_TRUE(std::isnan(sign_flip({}, 100, 1).p_absolute));
    EXPECT_TRUE(std::isnan(sign_flip_exact(Values(18, 1.0)).p_absolute));
    EXPECT_TRUE(std::isnan(two_sample_exact({}, Values{1}).p_absolute));
    EXPECT_TRUE(std::isnan(two_sample_exact(Values{1}, Values(5000, 2.0)).p_absolute));
    EXPECT_TRUE(std::isnan(two_sample_exact(Values(20, 1.0), Values(20, 2.0)).p_absolute));
}

}  // namespace
}  // namespace lab::science
