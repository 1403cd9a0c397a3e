#include "platform/redis/client.h"

#include "support/fake_redis.h"

namespace lab::redis {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::FakeServer;
using test::kHello;
using test::text_of;
using test::wait_until;

/// As a server of today: HELLO, PING, and what `more` says.
FakeServer::Answer modern(FakeServer::Answer more) {
    return [more = std::move(more)](const std::vector<std::string>& words) -> std::string {
        return words[0] == "HELLO" ? kHello : words[0] == "PING" ? "+PONG\r\n" : more(words);
    };
}

const FakeServer::Answer kOk = [](const auto&) { return "+OK\r\n"; };

class RedisClient : public testing::Test {
  protected:
    SystemClock clock_;
};

TEST_F(RedisClient, LogsInWithOneCommand) {
    std::vector<std::string> seen;
    std::mutex mutex;
    FakeServer server([&](const std::vector<std::string>& words) -> std::string {
        const std::lock_guard lock(mutex);
        seen.insert(seen.end(), words.begin(), words.end());
        return words[0] == "HELLO" ? kHello : "+OK\r\n";
    });
    ClientOptions options = test::options_for(server.address());
    options.endpoint.password = "pw";
    options.endpoint.database = 2;
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    EXPECT_EQ(text_of(ask(*client, {"GET", "a"})), "OK");
    const std::lock_guard lock(mutex);
    EXPECT_EQ(
        seen,
        (std::vector<std::string>{"HELLO", "3", "AUTH", "default", "pw", "SELECT", "2", "GET", "a"})
    );
}

TEST_F(RedisClient, SpeaksTheOldVersionToAServerThatKnowsNoOther) {
    std::vector<std::string> logins;
    std::mutex mutex;
    FakeServer server([&](const std::vector<std::string>& words) -> std::string {
        if (words[0] == "HELLO") {
            return "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n";
        }
        const std::lock_guard lock(mutex);
        logins.insert(logins.end(), words.begin(), words.end());
        return words[0] == "GET" ? "$-1\r\n" : "+OK\r\n";
    });
    ClientOptions options = test::options_for(server.address());
    options.endpoint.user = "ann";
    options.endpoint.password = "pw";
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    const auto reply = ask(*client, {"GET", "a"});
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->kind, Value::Kind::null);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(logins, (std::vector<std::string>{"AUTH", "ann", "pw", "GET", "a"}));
}

TEST_F(RedisClient, ARefusedLoginIsTroubleWithoutTheSecret) {
    FakeServer server([](const auto&) { return "-WRONGPASS invalid username-password pair\r\n"; });
    ClientOptions options = test::options_for(server.address());
    options.endpoint.password = "hunter2";
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(wait_until([&] { return client->state().trouble.contains("WRONGPASS"); }));
    EXPECT_FALSE(client->state().trouble.contains("hunter2"));
    EXPECT_EQ(ask(*client, {"PING"}).error().code, Code::unavailable);
}

TEST_F(RedisClient, AnswersComeInTheOrderOfQuestions) {
    FakeServer server(modern([](const auto& words) { return "+" + words[1] + "\r\n"; }));
    const auto client = test::start(clock_, test::options_for(server.address()));
    ASSERT_TRUE(client->wait_until_usable(20s));
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) {
                const std::string word = std::to_string(t) + "-" + std::to_string(i);
                wrong += text_of(ask(*client, {"GET", word})) == word ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(server.connections(), 1);
}

TEST_F(RedisClient, AServerThatIsNotThereFailsCallsAtOnce) {
    Address nobody;
    {
        const FakeServer gone(kOk);
        nobody = gone.address();
    }
    const auto client = test::start(clock_, test::options_for(nobody));
    ASSERT_TRUE(wait_until([&] { return !client->state().trouble.empty(); }));
    EXPECT_EQ(ask(*client, {"GET", "a"}).error().code, Code::unavailable);
}

TEST_F(RedisClient, AConnectionThatEndsFailsWhatWaitsAndIsMadeAnew) {
    std::atomic<bool> hangs = false;
    FakeServer server(modern([&](const auto& words) -> std::string {
        hangs = hangs || words[0] == "HANG";
        return words[0] == "HANG" ? "" : "+OK\r\n";
    }));
    ClientOptions options = test::options_for(server.address());
    options.silence_max = 60s;
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    std::thread waits([&] {
        const auto reply = client->call({{"HANG"}, ""}, 60s);
        EXPECT_FALSE(reply);
        EXPECT_EQ(text_of(reply), "Redis cannot be reached");
    });
    EXPECT_TRUE(wait_until([&] { return hangs.load(); }));
    server.cut();
    waits.join();
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, {"GET", "a"})) == "OK"; }));
    EXPECT_EQ(server.connections(), 2);
}

TEST_F(RedisClient, ASlowServerIsLeftAloneUntilAPingIsAnsweredInTime) {
    std::atomic<bool> slow = true;
    FakeServer server([&](const std::vector<std::string>& words) -> std::string {
        if (words[0] == "HELLO") {
            return kHello;
        }
        return slow ? "" : words[0] == "PING" ? "+PONG\r\n" : "+OK\r\n";
    });
    ClientOptions options = test::options_for(server.address());
    options.silence_max = 60s;
    options.patience = 20s;  // a PING in time is any PING
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    EXPECT_EQ(client->call({{"GET", "a"}, ""}, 10ms).error().code, Code::timed_out);
    ASSERT_TRUE(wait_until([&] { return !client->is_usable(); }));
    EXPECT_EQ(client->call({{"GET", "a"}, ""}, 20s).error().code, Code::unavailable)
        << "at once, not after twenty seconds";
    EXPECT_TRUE(client->state().trouble.contains("slowly"));
    slow = false;
    server.say("+OK\r\n+PONG\r\n");  // of GET and of the PING, late
    ASSERT_TRUE(wait_until([&] { return client->is_usable(); }));
    EXPECT_EQ(text_of(ask(*client, {"GET", "a"})), "OK");
    EXPECT_EQ(server.connections(), 1);
}

TEST_F(RedisClient, AServerThatFallsSilentIsGivenUp) {
    std::atomic<bool> silent = true;
    FakeServer server([&](const std::vector<std::string>& words) -> std::string {
        return words[0] == "HELLO" ? kHello : silent ? "" : "+OK\r\n";
    });
    ClientOptions options = test::options_for(server.address());
    options.silence_max = 50ms;
    options.patience = 10ms;
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    EXPECT_FALSE(client->call({{"GET", "a"}, ""}, 10ms));
    ASSERT_TRUE(wait_until([&] { return server.connections() > 1; }));
    silent = false;
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, {"GET", "a"})) == "OK"; }));
}

TEST_F(RedisClient, NonsenseEndsTheConnection) {
    std::atomic<int> asked = 0;
    FakeServer server(modern([&](const auto&) { return asked++ == 0 ? "what?\r\n" : "+OK\r\n"; }));
    const auto client = test::start(clock_, test::options_for(server.address()));
    ASSERT_TRUE(client->wait_until_usable(20s));
    EXPECT_EQ(ask(*client, {"GET", "a"}).error().code, Code::unavailable);
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, {"GET", "a"})) == "OK"; }));
    EXPECT_GE(server.connections(), 2);
    server.say("+unasked\r\n");
    EXPECT_TRUE(wait_until([&] { return server.connections() >= 3; }));
}

TEST_F(RedisClient, AnotherHostOfTheUrlIsAskedWhenTheFirstIsAway) {
    Address nobody;
    {
        const FakeServer gone(kOk);
        nobody = gone.address();
    }
    FakeServer server(modern(kOk));
    ClientOptions options = test::options_for(nobody);
    options.endpoint.hosts.push_back(server.address());
    const auto client = test::start(clock_, options);
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, {"GET", "a"})) == "OK"; }));
}

TEST_F(RedisClient, AServerThatHasBecomeAReplicaIsLeft) {
    FakeServer replica(modern([](const auto&) {
        return "-READONLY You can't write against a read only replica.\r\n";
    }));
    FakeServer master(modern(kOk));
    ClientOptions options = test::options_for(replica.address());
    options.endpoint.hosts.push_back(master.address());
    const auto client = test::start(clock_, options);
    ASSERT_TRUE(client->wait_until_usable(20s));
    const auto refused = ask(*client, {"SET", "a", "b"});
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->is_error("READONLY")) << "nothing is sent twice";
    ASSERT_TRUE(wait_until([&] { return text_of(ask(*client, {"SET", "a", "b"})) == "OK"; }));
    ASSERT_TRUE(wait_until([&] { return replica.connections() == 2; }));
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(text_of(ask(*client, {"SET", "a", "b"})), "OK") << "also when that is back";
    }
}

TEST_F(RedisClient, ANameThatLeadsToANewMasterIsLookedUpAgain) {
    std::atomic<int> sessions = 0;  // the second one is with the new master
    FakeServer server([&](const std::vector<std::string>& words) -> std::string {
        sessions += words[0] == "HELLO" ? 1 : 0;
        return words[0] == "HELLO" ? kHello : sessions == 1 ? "-READONLY no\r\n" : "+OK\r\n";
    });
    const auto client = test::start(clock_, test::options_for(server.address()));
    ASSERT_TRUE(client->wait_until_usable(20s));
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, {"SET", "a", "b"})) == "OK"; }));
    EXPECT_EQ(server.connections(), 2);
}

TEST_F(RedisClient, CallsFailWhilePausedAndWhenItEnds) {
    FakeServer server(modern(kOk));
    auto client = test::start(clock_, test::options_for(server.address()));
    ASSERT_TRUE(client->wait_until_usable(20s));
    client->set_paused(true);
    EXPECT_EQ(ask(*client, {"GET", "a"}).error().code, Code::unavailable);
    client->set_paused(false);
    EXPECT_EQ(text_of(ask(*client, {"GET", "a"})), "OK");
    client.reset();
}

/// "MOVED" until `to` is set, as a cluster whose nodes are two fakes.
class FakeCluster : public RedisClient {
  protected:
    static std::string slots(const Address& all) {
        return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + std::to_string(all.port) +
               "\r\n";
    }
    static std::string redirect(const char* kind, const Address& to) {
        return "-" + std::string(kind) + " 12182 127.0.0.1:" + std::to_string(to.port) + "\r\n";
    }
    std::unique_ptr<BlockingClient> cluster(const Address& seed, int redirects_max = 6) {
        ClientOptions options = test::options_for(seed);
        options.cluster = true;
        options.redirects_max = redirects_max;
        options.patience = 20s;
        auto out = test::start(clock_, options);
        EXPECT_TRUE(wait_until([&] { return out->state().whole; }));
        return out;
    }
};

TEST_F(FakeCluster, AskHoldsForOneCallAndGoesWithAsking) {
    std::mutex mutex;
    std::vector<std::string> seen;
    FakeServer second(modern([&](const std::vector<std::string>& words) -> std::string {
        const std::lock_guard lock(mutex);
        seen.push_back(words[0]);
        return "+second\r\n";
    }));
    Address first_address;
    FakeServer first(modern([&](const std::vector<std::string>& words) -> std::string {
        return words[0] == "CLUSTER" ? slots(first_address) : redirect("ASK", second.address());
    }));
    first_address = first.address();
    const auto client = cluster(first.address());
    EXPECT_EQ(text_of(ask(*client, {"GET", "foo"}, "foo")), "second");
    EXPECT_EQ(text_of(ask(*client, {"GET", "foo"}, "foo")), "second");
    const std::lock_guard lock(mutex);
    EXPECT_EQ(seen, (std::vector<std::string>{"ASKING", "GET", "ASKING", "GET"}));
}

TEST_F(FakeCluster, NodesThatSendEachOthersWayAreNotAskedForEver) {
    Address one;
    Address other;
    FakeServer first(modern([&](const std::vector<std::string>& words) -> std::string {
        return words[0] == "CLUSTER" ? slots(one) : redirect("MOVED", other);
    }));
    FakeServer second(modern([&](const std::vector<std::string>& words) -> std::string {
        return words[0] == "CLUSTER" ? slots(one) : redirect("MOVED", one);
    }));
    one = first.address();
    other = second.address();
    const auto client = cluster(one, 3);
    EXPECT_EQ(ask(*client, {"GET", "foo"}, "foo").error().code, Code::upstream_error);
    EXPECT_TRUE(wait_until([&] { return client->state().failed == 1; }));
    EXPECT_EQ(client->state().moved, 4U);
}

TEST_F(FakeCluster, ASlotOnItsWayIsTriedAgainWithinTheDeadline) {
    std::atomic<int> asked = 0;
    Address own;
    FakeServer server(modern([&](const std::vector<std::string>& words) -> std::string {
        if (words[0] == "CLUSTER") {
            return slots(own);
        }
        const int turn = asked++;
        return words[0] == "HANG" ? "-TRYAGAIN\r\n"
               : turn == 0        ? "-TRYAGAIN Multiple keys request during rehashing of slot\r\n"
               : turn == 1        ? "-CLUSTERDOWN The cluster is down\r\n"
                                  : "+OK\r\n";
    }));
    own = server.address();
    const auto client = cluster(own);
    EXPECT_EQ(text_of(ask(*client, {"GET", "foo"}, "foo")), "OK");
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(client->call({{"HANG"}, "foo"}, 20s).error().code, Code::unavailable);
    EXPECT_LE(asked, 3 + 8) << "a few times, not for twenty seconds";
}

}  // namespace
}  // namespace lab::redis
