#include "platform/crypto/random.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace lab {
namespace {

/// 0, 1, 2, ... 255, 0, ...
class CountingRandom final : public RandomSource {
  public:
    void fill(std::span<unsigned char> bytes) override {
        for (unsigned char& b : bytes) {
            b = next_++;
        }
    }

  private:
    unsigned char next_ = 0;
};

TEST(Random, IsWhatTheSourceGives) {
    CountingRandom counting;
    EXPECT_EQ(random_bytes(counting, 4), std::string("\0\1\2\3", 4));
    EXPECT_EQ(random_bytes(counting, 0), "");
    EXPECT_EQ(random_bytes(counting, 2), "\4\5");
}

TEST(Random, LettersCarryAtLeastTheBitsAskedFor) {
    CountingRandom counting;
    const std::pair<int, std::size_t> lengths[] = {{1, 1}, {5, 1}, {6, 2}, {128, 22}, {256, 43}};
    for (const auto& [bits, length] : lengths) {
        EXPECT_EQ(random_base62(counting, bits).size(), length) << bits;
    }
}

TEST(Random, EveryLetterIsEquallyLikely) {
    // 4096 bits are 688 letters. Two rounds of all bytes, without the eight that would make the
    // first letters likelier, give each letter eight times: 496 letters; the next 192 cover
    // each letter three times and the first six once more.
    CountingRandom counting;
    std::map<char, int> counts;
    const std::string text = random_base62(counting, 4096);
    ASSERT_EQ(text.size(), 688U);
    for (const char c : text) {
        ++counts[c];
    }
    ASSERT_EQ(counts.size(), 62U);
    for (const auto& [letter, count] : counts) {
        EXPECT_TRUE(count == 11 || count == 12) << letter << count;
    }
}

TEST(Random, TheSystemDoesNotRepeatItself) {
    SystemRandom system;
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(seen.insert(random_bytes(system, 16)).second);
        EXPECT_TRUE(seen.insert(random_base62(system, 96)).second);
    }
}

}  // namespace
}  // namespace lab
