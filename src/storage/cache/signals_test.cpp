#include "storage/cache/redis_signals.h"
#include "support/fake_redis.h"
#include "support/redis_servers.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using What = Signal::What;

TEST(Signals, AreReadAsTheyAreWritten) {
    for (const What what : {What::user, What::key, What::login, What::switches, What::cache}) {
        const auto read = RedisSignals::read(RedisSignals::write({what, "0f1e 2"}));
        ASSERT_TRUE(read);
        EXPECT_EQ(read->what, what);
        EXPECT_EQ(read->about, "0f1e 2");
    }
    const std::string long_one = "user " + std::string(129, 'x');
    for (const std::string& bad :
         {std::string(), std::string("user"), std::string("users a"), std::string(" a"), long_one
         }) {
        EXPECT_FALSE(RedisSignals::read(bad)) << bad;
    }
}

TEST(Signals, ReachOtherProcesses) {
    if (lab::test::redis_url().empty()) {
        GTEST_SKIP() << lab::test::kNoRedis;
    }
    const SystemClock clock;
    const auto here = redis::test::connected(clock, lab::test::redis_url());
    const auto there = redis::test::connected(clock, lab::test::redis_url());
    RedisSignals sender(*here, "test:signals");
    RedisSignals listener(*there, "test:signals");
    std::mutex mutex;
    std::vector<std::string> heard;
    listener.listen([&](const Signal* signal) {
        const std::lock_guard lock(mutex);
        heard.push_back(signal == nullptr ? "begin" : RedisSignals::write(*signal));
    });
    const auto has = [&](std::size_t count) {
        return redis::test::wait_until([&] {
            const std::lock_guard lock(mutex);
            return heard.size() >= count;
        });
    };
    ASSERT_TRUE(has(1));
    sender.send({What::key, "k1"});
    here->tell({{"PUBLISH", "test:signals", "nonsense"}, ""});
    sender.send({What::switches, ""});
    ASSERT_TRUE(has(3));
    const std::lock_guard lock(mutex);
    EXPECT_EQ(heard, (std::vector<std::string>{"begin", "key k1", "switches "}));
}

}  // namespace
}  // namespace lab::storage
