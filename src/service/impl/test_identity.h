#pragma once
#include "service/identity.h"
#include "service/users.h"
#include "storage/store/audit_log.h"
#include "storage/store/sqlite.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

/// For the tests of this room.
namespace lab::service::test {

using namespace std::chrono_literals;
using domain::Role;
using lab::test::ManualClock;

/// What follows itself on and on, so that tests can be repeated. Thread-safe.
class CountingRandom final : public RandomSource {
  public:
    void fill(std::span<unsigned char> bytes) override {
        for (unsigned char& byte : bytes) {
            std::uint64_t x = 0x9e3779b97f4a7c15ULL * ++count_;
            x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
            byte = static_cast<unsigned char>(x >> 56U);
        }
    }

  private:
    std::atomic<std::uint64_t> count_{0};
};

class CountingUuids final : public UuidSource {
  public:
    std::string next() override {
        const std::uint64_t count = ++count_;
        return make_uuid(count << 32U, count);
    }

  private:
    std::atomic<std::uint64_t> count_{0};
};

inline constexpr std::string_view kPassword = "a long and quiet river";
inline constexpr std::string_view kAdminKey = "the operator's key of this test";
inline const std::string kPepper(32, 'p');
inline const std::string kSecret(32, 's');

/// A store with an identity over it, on a clock that stands still.
class IdentityTest : public testing::Test {
  protected:
    IdentityTest() {
        auto opened = storage::open_sqlite(ctx_, {.path = ":memory:"});
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        database_ = *std::move(opened);
        EXPECT_TRUE(database_->migrate(ctx_));
        session_ = another_session();
        deps_.clock = &clock_;
        deps_.uuids = &uuids_;
        identity_ = make_identity();
        local_ = local_caller();
        stranger_.ip = "10.0.0.9";
    }
    std::unique_ptr<storage::Session> another_session() {
        auto session = database_->open_session(ctx_);
        EXPECT_TRUE(session) << (session ? "" : session.error().message);
        return *std::move(session);
    }
    Jwt make_jwt(const std::string& secret = kSecret) {
        JwtConfig config;
        config.secret = secret;
        config.issuer = "llm-research-api";
        config.audience = "llm-research-users";
        return *Jwt::create(config, clock_);
    }
    /// Cheap to hash with: what is tested is not Argon2.
    IdentityConfig config() {
        IdentityConfig out{
            .jwt = make_jwt(),
            .hasher = *PasswordHasher::create({.passes = 1, .memory_bytes = 8192}),
            .pepper = kPepper,
            .admin_key = std::string(kAdminKey),
        };
        return out;
    }
    std::unique_ptr<Identity> make_identity(IdentityConfig config) {
        auto made = Identity::create(std::move(config), clock_, random_, uuids_);
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return *std::move(made);
    }
    std::unique_ptr<Identity> make_identity() { return make_identity(config()); }

    Request as(const Caller& caller) { return {ctx_, deps_, *session_, caller}; }

    /// Its id.
    std::string add_user(
        const std::string& email,
        std::vector<Role> roles = {Role::researcher},
        std::string_view password = kPassword
    ) {
        const auto made = create_user(
            as(local_),
            *identity_,
            NewUser{
                .email = email,
                .name = "Name",
                .password = std::string(password),
                .roles = std::move(roles)
            }
        );
        EXPECT_TRUE(made) << (made ? "" : made.error().message);
        return made ? made->json.value("id", "") : "";
    }
    struct Tokens {
        std::string access;
        std::string refresh;
    };
    static Tokens tokens_of(const Result<Json>& reply) {
        EXPECT_TRUE(reply) << (reply ? "" : reply.error().message + reply.error().cause);
        return reply ? Tokens{reply->value("access_token", ""), reply->value("refresh_token", "")}
                     : Tokens{};
    }
    Tokens log_in(const std::string& email, std::string_view password = kPassword) {
        return tokens_of(identity_->login(as(stranger_), email, password));
    }
    Result<Caller> with_token(const std::string& token) { return with_header("Bearer " + token); }
    Result<Caller> with_header(const std::string& header) {
        return identity_->authenticate(
            ctx_, *session_, {.authorization = header, .ip = "10.0.0.1"}
        );
    }
    Result<Caller> with_key(const std::string& key) {
        return identity_->authenticate(ctx_, *session_, {.api_key = key, .ip = "10.0.0.1"});
    }
    Caller logged_in(const std::string& email) {
        auto caller = with_token(log_in(email).access);
        EXPECT_TRUE(caller) << (caller ? "" : caller.error().cause);
        return caller ? *std::move(caller) : Caller{};
    }
    static void expect_refused(const Result<Caller>& got, const std::string& what) {
        ASSERT_FALSE(got) << what;
        EXPECT_EQ(got.error().code, Code::unauthorized) << what;
        EXPECT_EQ(got.error().message, "the credential is not valid") << what;
        EXPECT_TRUE(got.error().details.empty()) << what;
        EXPECT_FALSE(got.error().cause.empty()) << what;
    }
    /// "type action outcome" of what was written, oldest first.
    std::vector<std::string> audited(const storage::AuditFilter& filter = {}) {
        std::vector<std::string> out;
        for (const storage::AuditRow& row : audit_rows(filter)) {
            out.push_back(
                Json::parse(row.event_type).value("type", "") + " " +
                Json::parse(row.action).get<std::string>() + " " +
                Json::parse(row.outcome).value("status", "")
            );
        }
        return out;
    }
    std::vector<storage::AuditRow> audit_rows(const storage::AuditFilter& filter = {}) {
        storage::AuditTable table(*session_);
        return *table.list(ctx_, 1, filter, {.descending = false, .limit = 1000});
    }

    ManualClock clock_;
    Ctx ctx_{clock_};
    CountingRandom random_;
    CountingUuids uuids_;
    std::unique_ptr<storage::Database> database_;
    std::unique_ptr<storage::Session> session_;
    Deps deps_;
    std::unique_ptr<Identity> identity_;
    Caller local_;
    Caller stranger_;  ///< anonymous, from somewhere
};

}  // namespace lab::service::test
