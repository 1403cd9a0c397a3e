#include "storage/store/idempotency.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lab::storage {
namespace {

const std::string kHash(32, '\x7f');
const std::string kOtherHash(32, '\0');

class IdempotencyContract : public test::StoreTest {
  protected:
    static IdempotentRequest request(const std::string& key = "key") {
        return {.caller = "u-1", .key = key, .hash = kHash};
    }
    /// At minute `at` of a day on which answers expire after 30 minutes and processes are given
    /// up after 5.
    Result<std::optional<IdempotentAnswer>> claim(int at, const IdempotentRequest& what) {
        return keys_.claim(ctx_, what, minute(at), minute(at - 30), minute(at - 5));
    }
    static std::string minute(int at) { return "2026-01-01T00:" + std::to_string(100 + at); }
    IdempotencyKeys keys_{*session_};
};

TEST_P(IdempotencyContract, TheFirstAnswerIsGivenAgain) {
    EXPECT_FALSE(claim(40, request()).value()) << "ours";
    EXPECT_EQ(claim(41, request()).value()->status, 0) << "under way";
    EXPECT_TRUE(keys_.finish(ctx_, request(), 201, R"({"id":1})").value());
    const IdempotentAnswer found = *claim(42, request()).value();
    EXPECT_EQ(found.status, 201);
    EXPECT_EQ(found.response, R"({"id":1})");
    EXPECT_EQ(found.hash, kHash);
    EXPECT_FALSE(keys_.finish(ctx_, request(), 500, "late").value());
}

TEST_P(IdempotencyContract, KeysAreOfOneCallerAndTenant) {
    ASSERT_FALSE(claim(40, request()).value());
    IdempotentRequest other = request();
    other.caller = "u-2";
    EXPECT_FALSE(claim(40, other).value());
    other = request();
    other.org = 2;
    EXPECT_FALSE(claim(40, other).value());
    EXPECT_FALSE(claim(40, request("another")).value());
}

TEST_P(IdempotencyContract, AnotherBodyIsSeenByItsHash) {
    ASSERT_FALSE(claim(40, request()).value());
    IdempotentRequest other = request();
    other.hash = kOtherHash;
    EXPECT_EQ(claim(41, other).value()->hash, kHash);
    EXPECT_FALSE(keys_.finish(ctx_, other, 200, "not mine").value());
    ASSERT_TRUE(keys_.release(ctx_, other));
    EXPECT_EQ(claim(41, request()).value()->status, 0) << "nor was it mine to give back";
}

TEST_P(IdempotencyContract, WhatCameToNothingMayBeTriedAgain) {
    ASSERT_FALSE(claim(40, request()).value());
    ASSERT_TRUE(keys_.release(ctx_, request()));
    EXPECT_FALSE(claim(40, request()).value());
    ASSERT_TRUE(keys_.finish(ctx_, request(), 200, "done").value());
    ASSERT_TRUE(keys_.release(ctx_, request()));
    EXPECT_EQ(claim(41, request()).value()->status, 200) << "an answer is not given back";
}

TEST_P(IdempotencyContract, TheOldAndTheAbandonedMakeWay) {
    ASSERT_FALSE(claim(40, request()).value());
    EXPECT_TRUE(claim(45, request()).value());
    IdempotentRequest other = request();
    other.hash = kOtherHash;
    EXPECT_FALSE(claim(46, other).value()) << "its process died";
    EXPECT_FALSE(keys_.finish(ctx_, request(), 200, "late").value());
    ASSERT_TRUE(keys_.finish(ctx_, other, 200, "done").value());
    EXPECT_TRUE(claim(76, request()).value());
    EXPECT_FALSE(claim(77, request()).value()) << "expired";
}

TEST_P(IdempotencyContract, OfManyAtOnceOneGoesAhead) {
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 4; ++i) {
        sessions.push_back(another_session());
    }
    std::atomic<int> ahead = 0;
    std::vector<std::thread> threads;
    for (const auto& session : sessions) {
        threads.emplace_back([&] {
            IdempotencyKeys mine(*session);
            const auto found = mine.claim(ctx_, request(), minute(40), minute(10), minute(35));
            ASSERT_TRUE(found) << found.error().message;
            ahead += *found ? 0 : 1;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(ahead.load(), 1);
}

TEST_P(IdempotencyContract, OldOnesAreForgottenBitByBit) {
    for (const char* const key : {"a", "b", "c"}) {
        ASSERT_FALSE(claim(40, request(key)).value());
    }
    EXPECT_EQ(keys_.purge(ctx_, minute(40), 10).value(), 0);
    EXPECT_EQ(keys_.purge(ctx_, minute(41), 2).value(), 2);
    EXPECT_EQ(keys_.purge(ctx_, minute(41), 10).value(), 1);
}

LAB_ALL_BACKENDS(IdempotencyContract);

}  // namespace
}  // namespace lab::storage
