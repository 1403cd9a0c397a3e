#include "science/stats/corrections.h"

#include "science/stats/descriptive.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;
using Correction = Values (*)(std::span<const double>);

const std::map<std::string, Correction>& corrections() {
    static const std::map<std::string, Correction> all{
        {"bonferroni", bonferroni},
        {"sidak", sidak},
        {"holm", holm},
        {"hochberg", hochberg},
        {"hommel", hommel},
        {"bh", benjamini_hochberg},
        {"by", benjamini_yekutieli}
    };
    return all;
}

TEST(Vectors, MultipleTesting) {
    test::for_each_vector(
        "multiple_testing",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto p = input.at("p").get<Values>();
            const auto alpha = params.at("alpha").get<double>();
            for (const auto& [name, adjust] : corrections()) {
                const Values got = adjust(p);
                const Json& expected = want.at(name);
                for (std::size_t i = 0; i < p.size(); ++i) {
                    check.number(name, got[i], expected.at("adjusted").at(i));
                    check.equal(name, got[i] <= alpha, expected.at("reject").at(i));
                }
            }
        }
    );
}

TEST(Corrections, ATestWithoutAPIsNotPartOfTheFamily) {
    for (const auto& [name, adjust] : corrections()) {
        const Values with = adjust(Values{0.01, kNaN, 0.04});
        const Values without = adjust(Values{0.01, 0.04});
        EXPECT_EQ(with[0], without[0]) << name;
        EXPECT_TRUE(std::isnan(with[1])) << name;
        EXPECT_EQ(with[2], without[1]) << name;
    }
}

TEST(Corrections, AFamilyOfOneOrNoneIsLeftAlone) {
    for (const auto& [name, adjust] : corrections()) {
        EXPECT_NEAR(adjust(Values{0.03})[0], 0.03, 1e-16) << name;
        EXPECT_TRUE(adjust({}).empty()) << name;
    }
}

}  // namespace
}  // namespace lab::science
