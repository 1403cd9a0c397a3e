#include "science/stats/bootstrap.h"

#include "science/stats/descriptive.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Json = nlohmann::json;
using Values = std::vector<double>;

double statistic(const std::string& name, const Values& x) {
    return name == "mean" ? mean(x) : name == "median" ? median(x) : standard_deviation(x);
}

Values leave_one_out(const std::string& name, const Values& x) {
    Values out;
    for (std::size_t i = 0; i < x.size(); ++i) {
        Values rest = x;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
        out.push_back(statistic(name, rest));
    }
    return out;
}

TEST(Vectors, BootstrapIntervals) {
    test::for_each_vector(
        "bootstrap_ci",
        [](const Json& input, const Json& params, const Json& want, test::VectorCheck& check) {
            const auto x = input.at("x").get<Values>();
            const auto replicates = input.at("replicates").get<Values>();
            const auto name = params.at("statistic").get<std::string>();
            // Ties with the estimate count half, and theirs was summed in their order: the last bit
            // of it belongs to the input.
            const auto estimate = want.at("theta_hat").get<double>();
            const BootstrapIntervals got = bootstrap_intervals(
                replicates, estimate, leave_one_out(name, x), params.at("confidence").get<double>()
            );
            check.number("theta_hat", statistic(name, x), want.at("theta_hat"));
            check.number("se", got.se, want.at("se"));
            check.number("percentile lo", got.percentile.lo, want.at("percentile").at(0));
            check.number("percentile hi", got.percentile.hi, want.at("percentile").at(1));
            check.number("basic lo", got.basic.lo, want.at("basic").at(0));
            check.number("basic hi", got.basic.hi, want.at("basic").at(1));
            check.number("z0", got.z0, want.at("bca_z0"));
            check.number("acceleration", got.acceleration, want.at("bca_acceleration"));
            check.number("bca lo", got.bca.lo, want.at("bca").at(0));
            check.number("bca hi", got.bca.hi, want.at("bca").at(1));
        }
    );
}

TEST(Bootstrap, ReplicatesOnOneSideHaveNoBca) {
    const BootstrapIntervals got =
        bootstrap_intervals(Values{2, 3, 4}, 1, Values{0.9, 1, 1.2}, 0.95);
    EXPECT_TRUE(std::isinf(got.z0));
    EXPECT_TRUE(std::isnan(got.bca.lo));
    EXPECT_FALSE(std::isnan(got.percentile.lo));
}

TEST(Bootstrap, AReplicateWithoutAValueTakesTheIntervalAway) {
    const BootstrapIntervals got = bootstrap_intervals(Values{1, kNaN, 2}, 1.5, {}, 0.95);
    EXPECT_TRUE(std::isnan(got.percentile.lo));
    EXPECT_TRUE(std::isnan(got.se));
    EXPECT_TRUE(std::isnan(bootstrap_intervals({}, 1, {}, 0.95).se));
}

TEST(BootstrapSums, DrawsAsManyUnitsAsThereAreAndPairsTheColumns) {
    // Column 0 counts, column 1 is any score, column 2 is twice column 1.
    ResampleTable table{4, 3, {1, 10, 20, 1, 20, 40, 1, 30, 60, 1, 40, 80}};
    Rng rng(7);
    int calls = 0;
    Values means;
    bootstrap_sums(table, 2000, rng, [&](int replicate, std::span<const double> sums) {
        EXPECT_EQ(replicate, calls++);
        EXPECT_EQ(sums[0], 4);
        EXPECT_EQ(sums[2], 2 * sums[1]);
        means.push_back(sums[1] / sums[0]);
    });
    EXPECT_EQ(calls, 2000);
    // The standard error of a mean by bootstrap is sqrt((n-1)/n) of the usual one.
    EXPECT_NEAR(mean(means), 25, 0.5);
    EXPECT_NEAR(
        standard_deviation(means), std::sqrt(0.75) * standard_error(Values{10, 20, 30, 40}), 0.3
    );
}

TEST(BootstrapSums, TheSeedFixesTheDrawsWhateverTheOtherColumnsAre) {
    const ResampleTable one{3, 1, {1, 2, 4}};
    const ResampleTable two{3, 2, {1, 7, 2, 8, 4, 9}};
    Values first;
    Values second;
    Rng rng_one(42);
    bootstrap_sums(one, 50, rng_one, [&](int, std::span<const double> s) {
        first.push_back(s[0]);
    });
    Rng rng_two(42);
    bootstrap_sums(two, 50, rng_two, [&](int, std::span<const double> s) {
        second.push_back(s[0]);
    });
    EXPECT_EQ(first, second);
}

TEST(BootstrapP, IsNeverZeroAndOneForIdenticalSystems) {
    EXPECT_EQ(bootstrap_p(Values(999, 0.0), 0), 1);
    EXPECT_EQ(bootstrap_p(Values{4.9, 5, 5.1}, 5), 0.25);
    EXPECT_TRUE(std::isnan(bootstrap_p(Values{1, 2}, kNaN)));
    EXPECT_TRUE(std::isnan(bootstrap_p({}, 1)));
}

TEST(BootstrapDifferenceTest, IsTheSameForTheSameSeedAndNearTheNormalInterval) {
    Rng rng(5);
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < 200; ++i) {
        a.push_back(rng.uniform() + 0.2);
    }
    for (int i = 0; i < 150; ++i) {
        b.push_back(rng.uniform());
    }
    const BootstrapDifference got = bootstrap_difference(a, b, 5000, 7, 0.95);
    const BootstrapDifference again = bootstrap_difference(a, b, 5000, 7, 0.95);
    EXPECT_EQ(got.intervals.bca, again.intervals.bca);
    EXPECT_EQ(got.p, again.p);
    EXPECT_NE(bootstrap_difference(a, b, 5000, 8, 0.95).intervals.bca, got.intervals.bca);
    const double se = std::hypot(standard_error(a), standard_error(b));
    EXPECT_NEAR(got.intervals.se, se, 0.05 * se);
    EXPECT_NEAR(got.intervals.bca.lo, got.difference - 1.96 * se, 0.15 * se);
    EXPECT_NEAR(got.intervals.bca.hi, got.difference + 1.96 * se, 0.15 * se);
    EXPECT_LT(got.p, 0.001);
}

TEST(BootstrapDifferenceTest, AccelerationIsThatOfTwoSamples) {
    // sum(d^3 / n^3) / (6 sum(d^2 / n^2)^1.5) over both samples, those of b with the other sign.
    const std::vector<double> a{1, 2, 6};
    const std::vector<double> b{0, 1, 1, 1, 7};
    const double cubes = (-8.0 - 1.0 + 27.0) / 27 - (-8.0 - 3.0 + 125.0) / 125;
    const double squares = 14.0 / 9 + 32.0 / 25;
    const BootstrapDifference got = bootstrap_difference(a, b, 1000, 1, 0.9);
    EXPECT_NEAR(got.intervals.acceleration, cubes / (6 * std::pow(squares, 1.5)), 1e-12);
    EXPECT_TRUE(std::isnan(bootstrap_difference(a, std::vector<double>{1}, 100, 1, 0.9).p));
}

}  // namespace
}  // namespace lab::science
