#include "platform/redis/blocking_client.h"

#include "support/fake_redis.h"
#include "support/redis_servers.h"

// Against a real server.
namespace lab::redis {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::text_of;
using test::wait_until;

class RealRedis : public testing::Test {
  protected:
    void SetUp() override {
        if (lab::test::redis_url().empty()) {
            GTEST_SKIP() << lab::test::kNoRedis;
        }
    }
    static ClientOptions secure(const std::string& ca_file) {
        ClientOptions out;
        auto endpoint = parse_url(lab::test::redis_tls_url());
        LAB_ASSERT(endpoint, "the test has a URL");
        out.endpoint = *std::move(endpoint);
        out.ca_file = ca_file;
        out.patience = 2s;
        return out;
    }
    SystemClock clock_;
};

TEST_F(RealRedis, AUserKeepsAndReads) {
    const auto client = test::connected(clock_, lab::test::redis_url());
    const std::string value("a\r\n\0b", 5);
    EXPECT_EQ(text_of(ask(*client, {"SET", "test:bytes", value})), "OK");
    EXPECT_EQ(text_of(ask(*client, {"GET", "test:bytes"})), value);
    EXPECT_EQ(text_of(ask(*client, {"SET", "test:large", std::string(3 << 20, 'x')})), "OK");
    const auto large = ask(*client, {"GET", "test:large"});
    ASSERT_TRUE(large);
    EXPECT_EQ(large->text.size(), 3U << 20);
    const auto pushed = ask(*client, {"HGETALL", "test:nothing"});
    ASSERT_TRUE(pushed);
    EXPECT_EQ(pushed->kind, Value::Kind::map) << "RESP3";
}

TEST_F(RealRedis, AUserMayNotTouchWhatTheServerForbids) {
    const auto client = test::connected(clock_, lab::test::redis_url());
    const auto key = ask(*client, {"GET", "other"});
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->is_error("NOPERM")) << key->text;
    const auto command = ask(*client, {"FLUSHALL"});
    ASSERT_TRUE(command);
    EXPECT_TRUE(command->is_error("NOPERM")) << command->text;
    EXPECT_TRUE(client->is_usable()) << "a refusal is an answer";
}

TEST_F(RealRedis, ADatabaseIsSelected) {
    const auto third = test::connected(clock_, lab::test::redis_url() + "/3");
    const auto first = test::connected(clock_, lab::test::redis_url());
    EXPECT_EQ(text_of(ask(*third, {"SET", "test:database", "3"})), "OK");
    EXPECT_EQ(text_of(ask(*third, {"GET", "test:database"})), "3");
    const auto absent = ask(*first, {"GET", "test:database"});
    ASSERT_TRUE(absent);
    EXPECT_EQ(absent->kind, Value::Kind::null);
}

TEST_F(RealRedis, AWrongPasswordIsNotTried) {
    auto endpoint = parse_url(lab::test::redis_url());
    ASSERT_TRUE(endpoint);
    ClientOptions options;
    options.endpoint = *endpoint;
    options.endpoint.password = "wrong";
    const auto client = test::start(clock_, options);
    EXPECT_TRUE(wait_until([&] { return client->state().trouble.contains("WRONGPASS"); }));
    EXPECT_FALSE(client->is_usable());
}

TEST_F(RealRedis, TlsIsSpokenToACertificateThatSomebodyVouchesFor) {
    const auto client = test::start(clock_, secure(lab::test::redis_ca()));
    ASSERT_TRUE(client->wait_until_usable(20s)) << client->state().trouble;
    EXPECT_EQ(text_of(ask(*client, {"PING"})), "PONG");
    EXPECT_EQ(text_of(ask(*client, {"SET", "a", std::string(100'000, 'x')})), "OK");
    const auto large = ask(*client, {"GET", "a"});
    ASSERT_TRUE(large);
    EXPECT_EQ(large->text, std::string(100'000, 'x'));
}

TEST_F(RealRedis, ACertificateThatNobodyVouchesForIsRefused) {
    const auto client = test::start(clock_, secure(""));
    EXPECT_TRUE(wait_until([&] { return client->state().trouble.contains("certificate"); }))
        << client->state().trouble;
    EXPECT_FALSE(client->is_usable());
}

TEST_F(RealRedis, ACertificateOfAnotherNameIsRefused) {
    ClientOptions options = secure(lab::test::redis_ca());
    options.endpoint.hosts[0].host = "127.0.0.1";  // it is for "localhost"
    const auto client = test::start(clock_, options);
    EXPECT_TRUE(wait_until([&] { return client->state().trouble.contains("certificate"); }))
        << client->state().trouble;
    EXPECT_FALSE(client->is_usable());
}

TEST_F(RealRedis, CertificatesThatCannotBeReadAreNamedAtTheStart) {
    const auto client = BlockingClient::start(clock_, secure("/nowhere/ca.pem"));
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Code::io);
}

TEST_F(RealRedis, MessagesOfAChannelAreHeard) {
    const auto hears = test::connected(clock_, lab::test::redis_url());
    const auto speaks = test::connected(clock_, lab::test::redis_url());
    std::mutex mutex;
    std::vector<std::string> heard;
    std::atomic<int> began = 0;
    hears->listen(
        {"test:a", "test:b"},
        [&](const std::string* channel, const std::string* message) {
            if (channel == nullptr) {
                ++began;
                return;
            }
            const std::lock_guard lock(mutex);
            heard.push_back(*channel + " " + *message);
        }
    );
    ASSERT_TRUE(wait_until([&] { return began == 1; }));
    speaks->tell({{"PUBLISH", "test:b", "one"}, ""});
    EXPECT_EQ(ask(*speaks, {"PUBLISH", "test:a", "two"}).value_or(Value()).integer, 1);
    EXPECT_TRUE(wait_until([&] {
        const std::lock_guard lock(mutex);
        return heard == std::vector<std::string>{"test:b one", "test:a two"};
    }));
}

}  // namespace
}  // namespace lab::redis
