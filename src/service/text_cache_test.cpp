#include "service/text_cache.h"

#include "support/manual_clock.h"

#include <gtest/gtest.h>

#include <map>

namespace lab::service {
namespace {

std::string found(TextCache& cache, const std::string& name) {
    const auto text = cache.find(name);
    return text ? *text : "-";
}

TEST(TextCache, KeepsWhatWasUsedLast) {
    const lab::test::ManualClock clock;
    TextCache cache({.entries_max = 2}, clock);
    cache.put("a", "1");
    cache.put("b", "2");
    EXPECT_EQ(found(cache, "a"), "1");
    cache.put("c", "3");
    EXPECT_EQ(found(cache, "b"), "-");
    EXPECT_EQ(found(cache, "a"), "1");
    EXPECT_EQ(found(cache, "c"), "3");
    const TextCache::Stats stats = cache.stats();
    EXPECT_EQ(stats.hits, 3U);
    EXPECT_EQ(stats.misses, 1U);
    EXPECT_EQ(stats.evictions, 1U);
    EXPECT_EQ(stats.entries, 2U);
}

TEST(TextCache, HasBoundsInBytes) {
    const lab::test::ManualClock clock;
    TextCache cache({.bytes_max = 100, .text_bytes_max = 60}, clock);
    cache.put("long", std::string(61, 'x'));
    EXPECT_EQ(found(cache, "long"), "-");
    cache.put("a", std::string(60, 'x'));
    cache.put("b", std::string(30, 'x'));
    EXPECT_EQ(cache.stats().bytes, 92U);
    cache.put("c", std::string(30, 'x'));
    EXPECT_EQ(found(cache, "a"), "-");
    EXPECT_EQ(cache.stats().bytes, 62U);
    cache.put("b", "short");
    EXPECT_EQ(cache.stats().bytes, 37U);
}

TEST(TextCache, ForgetsWithAgeAndWhenTold) {
    lab::test::ManualClock clock;
    TextCache cache({.lifetime = std::chrono::seconds(10)}, clock);
    cache.put("a", "1");
    clock.advance(std::chrono::seconds(9));
    EXPECT_EQ(found(cache, "a"), "1");
    clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(found(cache, "a"), "-");
    EXPECT_EQ(cache.stats().entries, 0U);
    cache.put("a", "1");
    EXPECT_EQ(cache.clear(), 1U);
    EXPECT_EQ(found(cache, "a"), "-");
    EXPECT_EQ(cache.stats().bytes, 0U);
}

TEST(TextCache, ThatMayHoldNothingHoldsNothing) {
    const lab::test::ManualClock clock;
    TextCache cache({.entries_max = 0}, clock);
    cache.put("a", "1");
    EXPECT_EQ(found(cache, "a"), "-");
}

class Second final : public storage::Texts {
  public:
    std::optional<std::string> find(const std::string& name) override {
        const auto at = texts.find(name);
        return at == texts.end() ? std::nullopt : std::optional(at->second);
    }
    void put(const std::string& name, const std::string& text) override { texts[name] = text; }
    void clear() override { texts.clear(); }
    std::map<std::string, std::string> texts;
};

TEST(TextCache, AsksTheSecondLevelForWhatItHasNot) {
    lab::test::ManualClock clock;
    Second second;
    TextCache one({.lifetime = std::chrono::seconds(10)}, clock);
    TextCache other({}, clock);
    one.share(second);
    other.share(second);
    EXPECT_EQ(found(other, "a"), "-");
    one.put("a", "1");
    EXPECT_EQ(found(other, "a"), "1");
    second.texts["a"] = "2";
    EXPECT_EQ(found(other, "a"), "1") << "it has that now";
    clock.advance(std::chrono::seconds(10));
    EXPECT_EQ(found(one, "a"), "2") << "its own is too old";
    const TextCache::Stats stats = other.stats();
    EXPECT_EQ(stats.shared_hits, 1U);
    EXPECT_EQ(stats.shared_misses, 1U);
    EXPECT_EQ(stats.hits, 1U);
    EXPECT_EQ(stats.misses, 2U);
    one.clear();
    EXPECT_TRUE(second.texts.empty());
    EXPECT_EQ(found(other, "a"), "1") << "until it is told";
    EXPECT_EQ(other.clear_here(), 1U);
    EXPECT_EQ(found(other, "a"), "-");
}

TEST(TextCache, ThatMayHoldNothingSharesNothing) {
    const lab::test::ManualClock clock;
    Second second;
    TextCache cache({.entries_max = 0}, clock);
    cache.share(second);
    cache.put("a", "1");
    EXPECT_TRUE(second.texts.empty());
    second.texts["a"] = "1";
    EXPECT_EQ(found(cache, "a"), "-");
}

}  // namespace
}  // namespace lab::service
