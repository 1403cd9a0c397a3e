#include "base/rng.h"
#include "storage/cache/redis_texts.h"
#include "support/fake_redis.h"
#include "support/redis_servers.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using namespace std::chrono_literals;
using redis::test::wait_until;

class SharedTexts : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        const std::string& url =
            GetParam() ? lab::test::redis_cluster_url() : lab::test::redis_url();
        if (url.empty()) {
            GTEST_SKIP() << lab::test::kNoRedis;
        }
        client_ = redis::test::connected(clock_, url, GetParam());
        ASSERT_TRUE(wait_until([&] { return client_->state().whole; }));
    }
    RedisTexts texts(Duration lifetime = 60s) {
        return {
            *client_,
            {.prefix = prefix_, .lifetime = lifetime, .patience = 10s, .text_bytes_max = 100}
        };
    }
    SystemClock clock_;
    const std::string prefix_ = "test:text:" + std::to_string(entropy()) + ":";
    std::unique_ptr<redis::BlockingClient> client_;
};

TEST_P(SharedTexts, AreFoundByEverybodyUntilTheyAreCleared) {
    RedisTexts one = texts();
    RedisTexts other = texts();
    EXPECT_EQ(one.find("a b\n"), std::nullopt);
    one.put("a b\n", "text of a");
    ASSERT_TRUE(wait_until([&] { return other.find("a b\n").has_value(); }));
    EXPECT_EQ(other.find("a b\n"), "text of a");
    EXPECT_EQ(other.find("a b"), std::nullopt);
    other.clear();
    ASSERT_TRUE(wait_until([&] { return !one.find("a b\n").has_value(); }));
    one.put("a b\n", "");
    EXPECT_TRUE(wait_until([&] { return other.find("a b\n") == ""; }));
}

TEST_P(SharedTexts, AreNotKeptWhenTheyAreLongAndNotForEver) {
    RedisTexts some = texts(50ms);
    some.put("long", std::string(101, 'x'));
    some.put("short", std::string(100, 'x'));
    EXPECT_TRUE(wait_until([&] { return some.find("short").has_value(); }));
    EXPECT_EQ(some.find("long"), std::nullopt);
    EXPECT_TRUE(wait_until([&] { return !some.find("short").has_value(); }));
}

INSTANTIATE_TEST_SUITE_P(Servers, SharedTexts, testing::Values(false, true), [](const auto& info) {
    return std::string(info.param ? "cluster" : "single");
});

TEST(RedisTexts, NobodyToAskIsNothingFound) {
    const SystemClock clock;
    redis::Address nobody;
    {
        const redis::test::FakeServer gone([](const auto&) { return ""; });
        nobody = gone.address();
    }
    const auto client = redis::test::start(clock, redis::test::options_for(nobody));
    RedisTexts texts(*client, {.prefix = "a"});
    texts.put("a", "b");
    texts.clear();
    EXPECT_EQ(texts.find("a"), std::nullopt);
}

}  // namespace
}  // namespace lab::storage
