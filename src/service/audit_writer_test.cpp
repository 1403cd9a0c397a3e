#include "platform/process/worker.h"
#include "service/audit.h"
#include "service/impl/test_identity.h"

#include <atomic>
#include <thread>

namespace lab::service {
namespace {

using namespace std::chrono_literals;

constexpr auto kOptional = AuditDuty::optional;
constexpr auto kRequired = AuditDuty::required;

class AuditWriter : public test::IdentityTest {
  protected:
    std::unique_ptr<AuditLog> open(AuditLimits limits = {}) {
        return std::make_unique<AuditLog>(worker_, sessions_, clock_, uuids_, limits);
    }
    AuditEvent event(const std::string& id = "x") {
        return audit_event(local_, AuditType::data_access, AuditAction::read, "run", id);
    }
    std::int64_t stored() {
        storage::AuditTable table(*session_);
        return table.statistics(ctx_, 1, {})->total;
    }
    /// Nothing can be written until it is given back.
    std::unique_ptr<storage::Session> block() {
        auto blocker = another_session();
        EXPECT_TRUE(blocker->begin(ctx_));
        return blocker;
    }
    storage::SessionPool sessions_{*database_, 2, 1s};
    ThreadWorker worker_;
};

TEST_F(AuditWriter, WritesInTheBackground) {
    const auto log = open();
    clock_.advance(1s);
    const std::string then = format_rfc3339(clock_.wall());
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(log->record(ctx_, event(std::to_string(i)), kOptional));
    }
    ASSERT_TRUE(log->flush(ctx_));
    EXPECT_EQ(stored(), 1000);
    EXPECT_EQ(audit_rows().at(0).timestamp, then);
    EXPECT_EQ(log->stats().written, 1000U);
    EXPECT_EQ(log->stats().waiting, 0U);
    EXPECT_EQ(log->stats().dropped, 0U);
}

TEST_F(AuditWriter, ManyThreadsLoseNothing) {
    const auto log = open();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
                ASSERT_TRUE(log->record(ctx_, event(), i % 2 == 0 ? kOptional : kRequired));
            }
            ASSERT_TRUE(log->flush(ctx_));
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(stored(), 1200);
    EXPECT_TRUE(log->stop(5s));
}

TEST_F(AuditWriter, WhatMayBeLostGoesFirst) {
    const auto blocker = block();
    const auto log = open({.queue_max = 8, .batch_max = 4, .wait_max = 5ms, .retry_after = 1ms});
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(log->record(ctx_, event(), kOptional)) << "never an error";
    }
    EXPECT_EQ(log->stats().dropped, 12U);
    EXPECT_EQ(log->stats().waiting, 8U);
    const Status refused = log->record(ctx_, event(), kRequired);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_EQ(log->stats().refused, 1U);
    blocker->rollback();
    ASSERT_TRUE(log->flush(ctx_));
    EXPECT_EQ(stored(), 8);
}

TEST_F(AuditWriter, WhatMustBeWrittenWaitsForRoom) {
    const auto blocker = block();
    const auto log = open({.queue_max = 2, .wait_max = 30s, .retry_after = 1ms});
    ASSERT_TRUE(log->record(ctx_, event(), kOptional));
    ASSERT_TRUE(log->record(ctx_, event(), kOptional));
    std::atomic<bool> recorded = false;
    std::thread waiting([&] {
        EXPECT_TRUE(log->record(ctx_, event(), kRequired));
        recorded = true;
    });
    EXPECT_FALSE(recorded);
    blocker->rollback();
    waiting.join();
    EXPECT_TRUE(recorded);
    ASSERT_TRUE(log->flush(ctx_));
    EXPECT_EQ(stored(), 3);
}

TEST_F(AuditWriter, ADeadlineEndsTheWait) {
    const auto blocker = block();
    const auto log = open({.queue_max = 1, .wait_max = 60s, .retry_after = 1ms});
    ASSERT_TRUE(log->record(ctx_, event(), kOptional));
    const CancelToken token;
    const Ctx ctx(clock_, token);
    std::thread impatient([&] { token.cancel(CancelReason::deadline); });
    EXPECT_FALSE(log->record(ctx, event(), kRequired));
    EXPECT_FALSE(log->flush(ctx));
    impatient.join();
}

TEST_F(AuditWriter, TheBytesAreBoundedToo) {
    const auto blocker = block();
    const auto log = open({.queue_max = 1'000'000, .queue_bytes_max = 200'000, .retry_after = 1ms});
    AuditEvent large = event();
    large.details = AuditDetails(Json{
        {"a", std::string(1000, 'a')},
        {"b", std::string(1000, 'b')},
        {"c", std::string(1000, 'c')},
        {"d", std::string(1000, 'd')},
    });
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(log->record(ctx_, large, kOptional));
    }
    EXPECT_LT(log->stats().waiting, 60U);
    EXPECT_GT(log->stats().dropped, 40U);
    blocker->rollback();
    ASSERT_TRUE(log->flush(ctx_));
    ASSERT_TRUE(log->record(ctx_, large, kRequired)) << "there is room again";
}

TEST_F(AuditWriter, OneThatTheStoreRefusesDoesNotHoldUpTheOthers) {
    const storage::Query refuse{
        "refuse",
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_log WHEN NEW.resource_id = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    };
    ASSERT_TRUE(session_->exec(ctx_, refuse, {}));
    const auto log = open();
    for (const char* const id : {"good", "bad", "good", "good"}) {
        ASSERT_TRUE(log->record(ctx_, event(id), kOptional));
    }
    ASSERT_TRUE(log->flush(ctx_));
    EXPECT_EQ(stored(), 3);
    EXPECT_EQ(log->stats().lost, 1U);
    EXPECT_EQ(log->stats().written, 3U);
}

TEST_F(AuditWriter, StoppingWritesWhatIsThere) {
    auto log = open();
    for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(log->record(ctx_, event(), kOptional));
    }
    EXPECT_TRUE(log->stop(30s));
    EXPECT_EQ(stored(), 500);
    EXPECT_FALSE(log->record(ctx_, event(), kRequired)) << "too late";
    EXPECT_TRUE(log->record(ctx_, event(), kOptional));
    EXPECT_EQ(log->stats().dropped, 1U);
    EXPECT_TRUE(log->stop(1s)) << "again is no error";
    log.reset();
    EXPECT_EQ(stored(), 500);
}

TEST_F(AuditWriter, StoppingDoesNotWaitForAStoreThatIsAway) {
    const auto blocker = block();
    const auto log = open({.retry_after = 1h});
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(log->record(ctx_, event(), kOptional));
    }
    EXPECT_FALSE(log->stop(1ms)) << "something is lost, and that is said";
    EXPECT_EQ(log->stats().lost, 5U);
    EXPECT_EQ(log->stats().waiting, 0U);
    EXPECT_TRUE(log->flush(ctx_)) << "nothing is waited for any more";
}

TEST_F(AuditWriter, GoesOnWhenTheStoreIsBack) {
    auto blocker = block();
    const auto log = open({.retry_after = 1ms});
    ASSERT_TRUE(log->record(ctx_, event(), kRequired));
    // In memory a writer does not wait: it fails, and tries again.
    blocker->rollback();
    ASSERT_TRUE(log->flush(ctx_));
    EXPECT_EQ(stored(), 1);
    EXPECT_EQ(log->stats().lost, 0U);
}

}  // namespace
}  // namespace lab::service
