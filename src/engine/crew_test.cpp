#include "engine/crew.h"

#include <gtest/gtest.h>

namespace lab::engine {
namespace {

TEST(CutIntoBlocks, CoversEveryLaneOnce) {
    for (const std::int64_t samples : {0LL, 1LL, 7LL, 8LL, 9LL, 500LL, 100'000LL, 1'000'003LL}) {
        const std::vector<Block> blocks = cut_into_blocks({samples, 3, samples}, 8);
        std::int64_t next[] = {0, 0, 0};
        int shard = 0;
        for (const Block& block : blocks) {
            EXPECT_EQ(block.shard, shard++);
            EXPECT_EQ(block.next, next[block.lane]);
            EXPECT_GT(block.end, block.next);
            EXPECT_LE(block.end - block.next, 1024);
            next[block.lane] = block.end;
        }
        EXPECT_EQ(next[0], samples);
        EXPECT_EQ(next[1], 3);
        EXPECT_EQ(next[2], samples);
    }
}

TEST(CutIntoBlocks, NoBlockIsSmallerThanTheSlots) {
    EXPECT_EQ(cut_into_blocks({100}, 8).size(), 13U);
    EXPECT_EQ(cut_into_blocks({6400}, 8).size(), 64U);
    EXPECT_EQ(cut_into_blocks({6400}, 200).size(), 32U);
    EXPECT_EQ(cut_into_blocks({1'000'000}, 8).size(), 977U);
    EXPECT_TRUE(cut_into_blocks({}, 8).empty());
}

}  // namespace
}  // namespace lab::engine
