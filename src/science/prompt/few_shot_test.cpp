#include "science/prompt/few_shot.h"

#include "base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace lab::science {
namespace {

using Places = std::vector<std::size_t>;

TEST(FewShot, TheSameSeedGivesTheSameExamples) {
    EXPECT_EQ(choose_few_shot(100, 5, 7), choose_few_shot(100, 5, 7));
    EXPECT_NE(choose_few_shot(100, 5, 7), choose_few_shot(100, 5, 8));
    // Fixed for good: a stored run must find its examples again with every later version.
    EXPECT_EQ(choose_few_shot(1000, 4, 42), (Places{703, 734, 55, 2}));
}

TEST(FewShot, ExamplesAreDifferentAndNeverTheItemItself) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        for (std::size_t item = 0; item < 6; ++item) {
            const Places places = choose_few_shot(6, 5, seed, item);
            std::set<std::size_t> unique(places.begin(), places.end());
            EXPECT_EQ(unique.size(), 5);
            EXPECT_FALSE(unique.contains(item));
            EXPECT_LT(*unique.rbegin(), 6U);
        }
    }
}

TEST(FewShot, ItemsShareTheExamplesButForTheirOwn) {
    const Places common = choose_few_shot(50, 3, 11);
    std::size_t different = 0;
    for (std::size_t item = 0; item < 50; ++item) {
        const Places places = choose_few_shot(50, 3, 11, item);
        const bool own = std::ranges::find(common, item) != common.end();
        EXPECT_EQ(places != common, own) << item;
        different += own ? 1 : 0;
    }
    EXPECT_EQ(different, 3);
    EXPECT_EQ(choose_few_shot(50, 3, 11, 50), common) << "an item outside the pool";
}

TEST(FewShot, EveryOrderedPairIsEquallyLikely) {
    std::map<Places, int> seen;
    constexpr int kDraws = 24'000;
    for (int seed = 0; seed < kDraws; ++seed) {
        ++seen[choose_few_shot(5, 2, derive_seed(1, std::to_string(seed)), 4)];
    }
    ASSERT_EQ(seen.size(), 12);
    double chi_squared = 0;
    for (const auto& [places, count] : seen) {
        const double expected = kDraws / 12.0;
        chi_squared += (count - expected) * (count - expected) / expected;
    }
    EXPECT_LT(chi_squared, 31.3);  // 99.9 % point with 11 degrees of freedom
}

TEST(FewShot, NoneAndAllAreFine) {
    EXPECT_TRUE(choose_few_shot(0, 0, 1).empty());
    EXPECT_TRUE(choose_few_shot(1, 0, 1, 0).empty());
    Places all = choose_few_shot(20, 20, 3);
    std::ranges::sort(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i], i);
    }
    EXPECT_EQ(choose_few_shot(2, 1, 9, 0), Places{1});
}

TEST(FewShot, ALargePoolCostsNoMore) {
    const Places places = choose_few_shot(1ULL << 60, 8, 5);
    EXPECT_EQ(std::set<std::size_t>(places.begin(), places.end()).size(), 8);
}

TEST(FewShotDeathTest, MoreThanThereAreIsOurBug) {
    EXPECT_DEATH(choose_few_shot(3, 3, 1, 0), "more examples");
}

}  // namespace
}  // namespace lab::science
