#include "science/stats/rank_tests.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

TEST(Vectors, WilcoxonSignedRank) {
    test::for_each_vector(
        "wilcoxon_signed_rank",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto d = input.at("d").get<Values>();
            for (const auto& [key, zeros] : std::map<std::string, ZeroMethod>{
                     {"wilcox", ZeroMethod::drop},
                     {"pratt", ZeroMethod::pratt},
                     {"zsplit", ZeroMethod::split}
                 }) {
                for (const bool correction : {false, true}) {
                    const Json& expected = want.at(key + (correction ? "_cc" : "_nocc"));
                    const SignedRank got = wilcoxon_signed_rank(d, zeros, correction);
                    check.number(key + " W", got.statistic, expected.at("W"));
                    check.number(key + " z", got.z, expected.at("z"));
                    check.number(key + " p", got.p, expected.at("p"));
                }
            }
            check.equal("n", wilcoxon_signed_rank(d).n, want.at("n_nonzero"));
            const ExactP exact = wilcoxon_exact(d);
            const Json& enumerated = want.at("exact_permutation_drop_zeros");
            check.number("exact p", exact.p, enumerated.at("p"));
            check.number("exact greater", exact.p_greater, enumerated.at("p_greater"));
            check.number("exact less", exact.p_less, enumerated.at("p_less"));
            if (want.contains("exact")) {
                check.number("table p", exact.p, want.at("exact").at("p"));
                check.number("table greater", exact.p_greater, want.at("exact").at("p_greater"));
            }
            check.number("rank biserial", rank_biserial(d), want.at("rank_biserial"));
        }
    );
}

TEST(Vectors, MannWhitneyU) {
    test::for_each_vector(
        "mann_whitney_u",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto a = input.at("a").get<Values>();
            const auto b = input.at("b").get<Values>();
            const MannWhitney got = mann_whitney_u(a, b);
            check.number("U1", got.u1, want.at("U1"));
            check.number("p cc", got.p, want.at("p_asymptotic_cc"));
            check.number("p", got.p_uncorrected, want.at("p_asymptotic"));
            check.number("cliff", got.cliffs_delta, want.at("cliffs_delta"));
            check.number("a12", got.a12, want.at("a12"));
            const ExactP exact = mann_whitney_exact(a, b);
            check.equal("has exact", !std::isnan(exact.p), want.contains("p_exact"));
            if (want.contains("p_exact")) {
                check.number("exact", exact.p, want.at("p_exact"));
                check.number("exact greater", exact.p_greater, want.at("p_exact_greater"));
            }
        }
    );
}

TEST(Wilcoxon, OnlyZerosHaveNoAnswer) {
    EXPECT_TRUE(std::isnan(wilcoxon_signed_rank(Values{0, 0}).p));
    EXPECT_TRUE(std::isnan(wilcoxon_exact(Values{0, 0}).p));
    EXPECT_TRUE(std::isnan(rank_biserial(Values{0})));
    EXPECT_TRUE(std::isnan(wilcoxon_signed_rank({}).p));
}

TEST(Wilcoxon, RoundingErrorsAreTies) {
    // 0.3 - 0.2 and 0.2 - 0.1 differ in the last bit; they are the same difference of scores.
    const Values d{0.3 - 0.2, 0.2 - 0.1, -(0.5 - 0.2)};
    EXPECT_EQ(wilcoxon_signed_rank(d, ZeroMethod::drop, false, 1e-12).w_plus, 3);
    EXPECT_EQ(wilcoxon_exact(d, 1e-12).p, wilcoxon_exact(Values{1, 1, -3}).p);
}

TEST(Wilcoxon, ExactStopsWhereItWouldCostTooMuch) {
    Values d;
    for (int i = 1; i <= kSignedRankExactMax; ++i) {
        d.push_back(i % 3 == 0 ? -i : i);
    }
    const double exact = wilcoxon_exact(d).p;
    EXPECT_NEAR(exact, wilcoxon_signed_rank(d).p, 0.1 * exact);
    d.push_back(1);
    EXPECT_TRUE(std::isnan(wilcoxon_exact(d).p));
}

TEST(MannWhitney, EqualValuesAreNoDifference) {
    EXPECT_EQ(mann_whitney_u(Values{2, 2}, Values{2, 2, 2}).p, 1);
    EXPECT_TRUE(std::isnan(mann_whitney_u({}, Values{1}).p));
    EXPECT_TRUE(std::isnan(mann_whitney_exact({}, Values{1}).p));
}

}  // namespace
}  // namespace lab::science
