#include "engine/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace lab::engine {
namespace {

TEST(Permutation, IsABijectionForEverySize) {
    for (const std::int64_t n : {1, 2, 3, 4, 5, 16, 17, 1000, 4097}) {
        const Permutation order(n, 42);
        std::set<std::int64_t> seen;
        for (std::int64_t i = 0; i < n; ++i) {
            const std::int64_t image = order(i);
            EXPECT_GE(image, 0);
            EXPECT_LT(image, n);
            seen.insert(image);
        }
        EXPECT_EQ(static_cast<std::int64_t>(seen.size()), n);
    }
}

TEST(Permutation, DependsOnTheSeedAloneAndScatters) {
    const Permutation a(10'000, 1);
    const Permutation b(10'000, 1);
    const Permutation c(10'000, 2);
    int same = 0;
    int in_place = 0;
    for (std::int64_t i = 0; i < 10'000; ++i) {
        EXPECT_EQ(a(i), b(i));
        same += a(i) == c(i) ? 1 : 0;
        in_place += a(i) == i ? 1 : 0;
    }
    EXPECT_LT(same, 20);
    EXPECT_LT(in_place, 20);
}

domain::ExperimentSpec two_models() {
    domain::ExperimentSpec spec;
    spec.models.resize(2);
    spec.variants.resize(3);
    spec.variants[0].model = 0;
    spec.variants[1].model = 1;
    spec.variants[2].model = 0;
    spec.run.repetitions = 2;
    spec.run.seed = 9;
    return spec;
}

TEST(Plan, EverySampleStandsInExactlyOneLane) {
    const domain::ExperimentSpec spec = two_models();
    const Plan plan(spec, 5);
    EXPECT_EQ(plan.samples(), 3 * 5 * 2);
    std::set<std::int64_t> seen;
    for (int lane = 0; lane < plan.lanes(); ++lane) {
        for (std::int64_t i = 0; i < plan.lane_samples(lane); ++i) {
            const SampleRef ref = plan.at(lane, i);
            EXPECT_EQ(
                spec.variants[static_cast<std::size_t>(ref.variant)].model,
                static_cast<std::size_t>(lane)
            );
            EXPECT_TRUE(seen.insert(ref.index).second);
        }
    }
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), plan.samples());
}

TEST(Plan, RecordedAnswersAreTakenInTheOrderOfTheDataset) {
    domain::ExperimentSpec spec = two_models();
    spec.models[1].provider = "replay";
    const Plan plan(spec, 50);
    std::int64_t last = -1;
    for (std::int64_t i = 0; i < plan.lane_samples(1); ++i) {
        EXPECT_GT(plan.at(1, i).index, last);
        last = plan.at(1, i).index;
    }
    bool ascending = true;
    for (std::int64_t i = 1; i < plan.lane_samples(0); ++i) {
        ascending = ascending && plan.at(0, i).index > plan.at(0, i - 1).index;
    }
    EXPECT_FALSE(ascending) << "asked models are taken in a seeded order";
}

TEST(Plan, IndexAndReferenceAreInverse) {
    const Plan plan(two_models(), 7);
    for (std::int64_t index = 0; index < plan.samples(); ++index) {
        const SampleRef ref = plan.ref(index);
        EXPECT_EQ((ref.variant * 7 + ref.item) * 2 + ref.repetition, index);
    }
}

}  // namespace
}  // namespace lab::engine
