#include "storage/store/tokens.h"

#include "storage/store/impl/test_store.h"
#include "storage/store/users.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lab::storage {
namespace {

class Tokens : public test::StoreTest {
  protected:
    Tokens() {
        for (const char* const id : {"u-1", "u-2"}) {
            User user;
            user.id = id;
            user.email = std::string(id) + "@example.org";
            user.created_at = user.updated_at = "2026-01-01T00:00:00.000000Z";
            EXPECT_TRUE(Users(*session_).create(ctx_, user));
        }
    }
    void log_in(const std::string& family, const std::string& user = "u-1") {
        EXPECT_TRUE(logins_.create(
            ctx_,
            {.family = family,
             .user_id = user,
             .refresh_jti = family + "-1",
             .expires_at = "2026-01-08",
             .created_at = "2026-01-01"}
        ));
    }
    LoginSessions logins_{*session_};
    RevokedTokens revoked_{*session_};
};

TEST_P(Tokens, ALoginComesBackAsItWas) {
    log_in("f");
    const LoginSession found = *logins_.find(ctx_, "u-1", "f").value();
    EXPECT_EQ(found.family, "f");
    EXPECT_EQ(found.org, 1);
    EXPECT_EQ(found.user_id, "u-1");
    EXPECT_EQ(found.refresh_jti, "f-1");
    EXPECT_EQ(found.expires_at, "2026-01-08");
    EXPECT_EQ(found.ended_at, "");
    EXPECT_EQ(found.created_at, "2026-01-01");
    EXPECT_FALSE(logins_.find(ctx_, "u-2", "f").value()) << "it is another user's";
    const Status again = logins_.create(ctx_, {.family = "f", .user_id = "u-1"});
    EXPECT_EQ(again.error().code, Code::conflict);
    const Status nobody = logins_.create(ctx_, {.family = "g", .user_id = "u-9"});
    EXPECT_EQ(nobody.error().code, Code::conflict);
}

TEST_P(Tokens, ARefreshTokenIsUsedOnce) {
    log_in("f");
    EXPECT_FALSE(logins_.rotate(ctx_, "u-2", "f", "f-1", "f-2", "2026-01-09").value());
    EXPECT_FALSE(logins_.rotate(ctx_, "u-1", "f", "f-0", "f-2", "2026-01-09").value());
    EXPECT_TRUE(logins_.rotate(ctx_, "u-1", "f", "f-1", "f-2", "2026-01-09").value());
    EXPECT_FALSE(logins_.rotate(ctx_, "u-1", "f", "f-1", "f-3", "2026-01-09").value());
    EXPECT_EQ(logins_.find(ctx_, "u-1", "f").value()->refresh_jti, "f-2");
    EXPECT_EQ(logins_.find(ctx_, "u-1", "f").value()->expires_at, "2026-01-09");
}

TEST_P(Tokens, ALoginWithoutRefreshTokenHasNoneToUse) {
    ASSERT_TRUE(logins_.create(ctx_, {.family = "f", .user_id = "u-1"}));
    EXPECT_FALSE(logins_.rotate(ctx_, "u-1", "f", "", "f-1", "2026-01-09").value());
}

TEST_P(Tokens, OfManyWhoComeWithOneTokenOneGetsThrough) {
    log_in("f");
    constexpr int kThreads = 4;
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < kThreads; ++i) {
        sessions.push_back(another_session());
    }
    std::atomic<int> through = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            LoginSessions mine(*sessions[static_cast<std::size_t>(i)]);
            const auto rotated =
                mine.rotate(ctx_, "u-1", "f", "f-1", "new-" + std::to_string(i), "2026-01-09");
            ASSERT_TRUE(rotated) << rotated.error().message;
            through += *rotated ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(through.load(), 1);
}

TEST_P(Tokens, WhatHasEndedStaysEnded) {
    log_in("f");
    EXPECT_FALSE(logins_.end(ctx_, "u-2", "f", "2026-01-02", "logout").value());
    EXPECT_TRUE(logins_.end(ctx_, "u-1", "f", "2026-01-02", "logout").value());
    EXPECT_FALSE(logins_.end(ctx_, "u-1", "f", "2026-01-03", "again").value());
    EXPECT_FALSE(logins_.rotate(ctx_, "u-1", "f", "f-1", "f-2", "2026-01-09").value());
    const LoginSession found = *logins_.find(ctx_, "u-1", "f").value();
    EXPECT_EQ(found.ended_at, "2026-01-02");
    EXPECT_EQ(found.end_reason, "logout");
}

TEST_P(Tokens, AllLoginsOfAUserEndAtOnce) {
    log_in("f");
    log_in("g");
    log_in("h", "u-2");
    EXPECT_EQ(logins_.end_all(ctx_, 2, "u-1", "2026-01-02", "tenant").value(), 0);
    EXPECT_EQ(logins_.end_all(ctx_, 1, "u-1", "2026-01-02", "password").value(), 2);
    EXPECT_EQ(logins_.end_all(ctx_, 1, "u-1", "2026-01-02", "password").value(), 0);
    EXPECT_EQ(logins_.find(ctx_, "u-2", "h").value()->ended_at, "");
}

TEST_P(Tokens, WhatHasExpiredIsForgottenBitByBit) {
    log_in("f");
    log_in("g");
    EXPECT_EQ(logins_.purge(ctx_, "2026-01-08", 10).value(), 0) << "not yet";
    EXPECT_EQ(logins_.purge(ctx_, "2026-01-09", 1).value(), 1);
    EXPECT_EQ(logins_.purge(ctx_, "2026-01-09", 10).value(), 1);
    ASSERT_TRUE(revoked_.add(ctx_, "j-1", "2026-01-01"));
    ASSERT_TRUE(revoked_.add(ctx_, "j-1", "2026-01-05")) << "twice is no error";
    ASSERT_TRUE(revoked_.add(ctx_, "j-2", "2026-01-02"));
    EXPECT_EQ(revoked_.purge(ctx_, "2026-01-02", 10).value(), 1);
    EXPECT_FALSE(revoked_.contains(ctx_, "j-1").value());
    EXPECT_TRUE(revoked_.contains(ctx_, "j-2").value());
}

LAB_ALL_BACKENDS(Tokens);

}  // namespace
}  // namespace lab::storage
