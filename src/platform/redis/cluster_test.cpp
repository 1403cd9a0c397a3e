#include "base/rng.h"
#include "platform/redis/slots.h"
#include "support/fake_redis.h"
#include "support/redis_servers.h"

#include <array>
#include <map>
#include <set>

// Against a real cluster of three masters with a replica each.
namespace lab::redis {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::text_of;
using test::wait_until;

/// One of each master at first.
constexpr std::array<std::uint16_t, 3> kSomeSlots{0, 8000, 16'000};

class RealCluster : public testing::Test {
  protected:
    void SetUp() override {
        if (lab::test::redis_cluster_url().empty()) {
            GTEST_SKIP() << lab::test::kNoRedis;
        }
        client_ = test::connected(clock_, lab::test::redis_cluster_url(), true);
        ASSERT_TRUE(wait_until([&] { return client_->state().whole; })) << client_->state().trouble;
    }

    /// A client of one node alone, which follows nothing.
    BlockingClient& node(std::uint16_t port) {
        auto& out = nodes_[port];
        if (!out) {
            ClientOptions options;
            auto endpoint = parse_url(lab::test::redis_cluster_url());
            LAB_ASSERT(endpoint, "the test has a URL");
            options.endpoint = *std::move(endpoint);
            options.endpoint.hosts = {{"127.0.0.1", port}};
            options.patience = 2s;
            out = test::start(clock_, std::move(options));
            EXPECT_TRUE(out->wait_until_usable(20s));
        }
        return *out;
    }
    std::string id(std::uint16_t port) { return text_of(ask(node(port), {"CLUSTER", "MYID"})); }

    /// The master of a slot and its replica, as the cluster says now.
    std::pair<std::uint16_t, std::uint16_t> owners(std::uint16_t slot) {
        const auto all = ask(*client_, {"CLUSTER", "SLOTS"});
        EXPECT_TRUE(all);
        for (const Value& range : all ? all->items : std::vector<Value>()) {
            if (range.items[0].integer <= slot && slot <= range.items[1].integer) {
                const auto port = [&](std::size_t i) {
                    return range.items.size() > i
                               ? static_cast<std::uint16_t>(range.items[i].items[1].integer)
                               : std::uint16_t{0};
                };
                return {port(2), port(3)};
            }
        }
        return {0, 0};
    }

    /// Some master that is not `port`.
    std::uint16_t another_master(std::uint16_t port) {
        for (const std::uint16_t slot : kSomeSlots) {
            if (const std::uint16_t other = owners(slot).first; other != port) {
                return other;
            }
        }
        return 0;
    }

    SystemClock clock_;
    std::unique_ptr<BlockingClient> client_;
    std::map<std::uint16_t, std::unique_ptr<BlockingClient>> nodes_;
};

TEST_F(RealCluster, KeysAreAskedForWhereTheyAre) {
    std::set<std::uint16_t> masters;
    for (int i = 0; i < 60; ++i) {
        const std::string key = "test:spread:" + std::to_string(i);
        EXPECT_EQ(text_of(ask(*client_, {"SET", key, std::to_string(i)}, key)), "OK");
        masters.insert(owners(slot_of(key)).first);
        const auto slot = ask(*client_, {"CLUSTER", "KEYSLOT", key});
        ASSERT_TRUE(slot);
        EXPECT_EQ(slot->integer, slot_of(key)) << key;
    }
    EXPECT_EQ(masters.size(), 3U);
    for (int i = 0; i < 60; ++i) {
        const std::string key = "test:spread:" + std::to_string(i);
        EXPECT_EQ(text_of(ask(*client_, {"GET", key}, key)), std::to_string(i));
    }
    EXPECT_EQ(client_->state().moved, 0U) << "the map was right";
}

// What redis-cli does when it moves a slot, a step at a time.
TEST_F(RealCluster, ASlotThatMovesIsFollowed) {
    const std::string tag = "test:{" + std::to_string(entropy()) + "}:";
    const std::string there = tag + "there";
    const std::string fresh = tag + "fresh";
    const std::uint16_t slot = slot_of(there);
    const std::string number = std::to_string(slot);
    const std::uint16_t from = owners(slot).first;
    const std::uint16_t to = another_master(from);
    ASSERT_NE(to, 0);
    ASSERT_EQ(text_of(ask(*client_, {"SET", there, "old"}, there)), "OK");
    ASSERT_EQ(text_of(ask(node(to), {"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)})), "OK");
    ASSERT_EQ(text_of(ask(node(from), {"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)})), "OK");

    EXPECT_EQ(text_of(ask(*client_, {"GET", there}, there)), "old") << "where it still is";
    const std::uint64_t before = client_->state().moved;
    EXPECT_EQ(text_of(ask(*client_, {"SET", fresh, "new"}, fresh)), "OK") << "by ASK";
    EXPECT_EQ(text_of(ask(*client_, {"GET", fresh}, fresh)), "new");
    EXPECT_TRUE(wait_until([&] { return client_->state().moved >= before + 2; }));

    auto endpoint = parse_url(lab::test::redis_cluster_url());
    ASSERT_TRUE(endpoint);
    ASSERT_EQ(
        text_of(
            ask(node(from),
                {"MIGRATE",
                 "127.0.0.1",
                 std::to_string(to),
                 "",
                 "0",
                 "5000",
                 "AUTH",
                 endpoint->password,
                 "KEYS",
                 there})
        ),
        "OK"
    );
    EXPECT_EQ(text_of(ask(*client_, {"GET", there}, there)), "old") << "by ASK";
    ASSERT_EQ(text_of(ask(node(to), {"CLUSTER", "SETSLOT", number, "NODE", id(to)})), "OK");
    ASSERT_EQ(text_of(ask(node(from), {"CLUSTER", "SETSLOT", number, "NODE", id(to)})), "OK");
    EXPECT_EQ(text_of(ask(*client_, {"GET", there}, there)), "old") << "by MOVED";
    EXPECT_EQ(text_of(ask(*client_, {"GET", fresh}, fresh)), "new");
    EXPECT_TRUE(wait_until([&] { return client_->state().whole; }));
}

TEST_F(RealCluster, AReplicaThatTakesOverIsFound) {
    const std::string key = "test:takeover";
    const auto [master, replica] = owners(slot_of(key));
    ASSERT_NE(replica, 0);
    ASSERT_EQ(text_of(ask(*client_, {"SET", key, "kept"}, key)), "OK");
    const auto kept = ask(node(master), {"WAIT", "1", "10000"});
    ASSERT_TRUE(kept);
    ASSERT_EQ(text_of(ask(node(replica), {"CLUSTER", "FAILOVER"})), "OK");
    int failed = 0;
    EXPECT_TRUE(wait_until([&] {
        const auto reply = ask(*client_, {"GET", key}, key);
        failed += reply && reply->text == "kept" ? 0 : 1;
        return owners(slot_of(key)).first == replica;
    }));
    EXPECT_EQ(failed, 0) << "a hand-over between two that live loses nothing";
    EXPECT_EQ(text_of(ask(*client_, {"SET", key, "after"}, key)), "OK");
    EXPECT_TRUE(wait_until([&] { return client_->state().whole; }));
}

TEST_F(RealCluster, MessagesAreHeardWhereverTheyArePublished) {
    std::atomic<bool> began = false;
    std::mutex mutex;
    std::set<std::string> heard;
    client_->listen({"test:all"}, [&](const std::string* channel, const std::string* message) {
        const std::lock_guard lock(mutex);
        if (channel == nullptr) {
            began = true;
        } else {
            heard.insert(*message);
        }
    });
    ASSERT_TRUE(wait_until([&] { return began.load(); }));
    for (const std::uint16_t slot : kSomeSlots) {
        const std::uint16_t port = owners(slot).first;
        ASSERT_TRUE(ask(node(port), {"PUBLISH", "test:all", std::to_string(port)}));
    }
    EXPECT_TRUE(wait_until([&] {
        const std::lock_guard lock(mutex);
        return heard.size() == 3;
    }));
}

}  // namespace
}  // namespace lab::redis
