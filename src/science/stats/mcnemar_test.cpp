#include "science/stats/mcnemar.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lab::science {
namespace {
using Json = nlohmann::json;

TEST(Vectors, McNemar) {
    test::for_each_vector(
        "mcnemar",
        [](const Json& input, const Json&, const Json& want, test::VectorCheck& check) {
            const auto b = input.at("only_first").get<std::int64_t>();
            const auto c = input.at("only_second").get<std::int64_t>();
            const auto n = b + c + input.at("both").get<std::int64_t>() +
                           input.at("neither").get<std::int64_t>();
            const McNemar got = mcnemar(b, c);
            check.number("p_exact", got.p_exact, want.at("p_exact"));
            check.number("p_mid", got.p_mid, want.at("p_mid"));
            for (const auto& [key, value] : std::map<std::string, double>{
                     {"chi2", got.chi2},
                     {"p_chi2", got.p_chi2},
                     {"chi2_cc", got.chi2_corrected},
                     {"p_chi2_cc", got.p_chi2_corrected},
                     {"acc_diff", static_cast<double>(b - c) / static_cast<double>(n)},
                     {"se_diff_wald", paired_proportion_se(b, c, n)}
                 }) {
                if (want.contains(key)) {
                    check.number(key, value, want.at(key));
                }
            }
        }
    );
}

TEST(McNemar, WithoutDiscordantItemsEveryPIsOne) {
    const McNemar got = mcnemar(0, 0);
    EXPECT_EQ(got.p_exact, 1);
    EXPECT_EQ(got.p_mid, 1);
    EXPECT_EQ(got.p_chi2, 1);
    EXPECT_TRUE(std::isnan(got.chi2));
}

TEST(McNemar, EqualCountsAreNoDifference) {
    const McNemar got = mcnemar(7, 7);
    EXPECT_EQ(got.p_exact, 1);
    EXPECT_EQ(got.chi2_corrected, 0);
    EXPECT_EQ(got.p_chi2_corrected, 1);
}

TEST(McNemar, SidesMayBeSwapped) {
    EXPECT_EQ(mcnemar(3, 19).p_mid, mcnemar(19, 3).p_mid);
    EXPECT_EQ(mcnemar(3, 19).p_exact, mcnemar(19, 3).p_exact);
}

}  // namespace
}  // namespace lab::science
