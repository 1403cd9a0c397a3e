#include "storage/store/audit_log.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using Names = std::vector<std::string>;

class AuditContract : public test::StoreTest {
  protected:
    static AuditRow make(const std::string& id) {
        AuditRow out;
        out.id = id;
        out.timestamp = "2026-01-0" + id.substr(2) + "T00:00:00.000000Z";
        out.event_type = R"({"type":"security"})";
        out.actor = R"({"type":"user","id":"u-1","email":"ann@example.org"})";
        out.resource = R"({"type":"api_key","id":"k-1"})";
        out.action = R"("api_key_created")";
        out.outcome = R"({"status":"success"})";
        out.details = "{}";
        out.ip_address = "10.0.0.1";
        out.user_agent = "curl/8";
        out.request_id = "r-" + id;
        out.duration_ms = 12;
        out.created_at = "2026-02-01T00:00:00.000000Z";
        return out;
    }
    static AuditWords words() {
        return {"security", "user", "u-1", "api_key", "k-1", "api_key_created", "success"};
    }
    void add(const std::string& id, const AuditWords& as = words()) {
        EXPECT_TRUE(table_.add(ctx_, make(id), as));
    }
    Names ids(const AuditFilter& filter, const ResourcePage& page = {}) {
        Names out;
        for (const AuditRow& row : table_.list(ctx_, 1, filter, page).value()) {
            out.push_back(row.id);
        }
        EXPECT_GE(table_.statistics(ctx_, 1, filter).value().total, std::ssize(out));
        return out;
    }
    AuditTable table_{*session_};
};

TEST_P(AuditContract, ComesBackAsItWas) {
    const AuditRow made = make("a-1");
    add("a-1");
    const auto rows = table_.list(ctx_, 1, {}, {}).value();
    ASSERT_EQ(rows.size(), 1U);
    const AuditRow& got = rows[0];
    EXPECT_EQ(got.id, "a-1");
    EXPECT_EQ(got.org, 1);
    EXPECT_EQ(got.timestamp, made.timestamp);
    EXPECT_EQ(got.event_type, made.event_type);
    EXPECT_EQ(got.actor, made.actor);
    EXPECT_EQ(got.resource, made.resource);
    EXPECT_EQ(got.action, made.action);
    EXPECT_EQ(got.outcome, made.outcome);
    EXPECT_EQ(got.details, made.details);
    EXPECT_EQ(got.ip_address, made.ip_address);
    EXPECT_EQ(got.user_agent, made.user_agent);
    EXPECT_EQ(got.request_id, made.request_id);
    EXPECT_EQ(got.duration_ms, 12);
    EXPECT_EQ(got.created_at, made.created_at);
    EXPECT_TRUE(table_.list(ctx_, 2, {}, {}).value().empty()) << "other tenants do not see it";
}

TEST_P(AuditContract, WhatIsWrittenStaysAsItIs) {
    add("a-1");
    AuditRow again = make("a-1");
    again.request_id = "forged";
    EXPECT_TRUE(table_.add(ctx_, again, words())) << "again is no error";
    const auto rows = table_.list(ctx_, 1, {}, {}).value();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].request_id, "r-a-1");
    const Query edit{"edit", "UPDATE audit_log SET outcome = '{}' WHERE id = 'a-1'"};
    EXPECT_FALSE(session_->exec(ctx_, edit, {}));
}

TEST_P(AuditContract, EveryFilterHolds) {
    add("a-1");
    const auto with = [](std::string AuditWords::* member, const char* value) {
        AuditWords out = words();
        out.*member = value;
        return out;
    };
    add("a-2", with(&AuditWords::event_type, "authentication"));
    add("a-3", with(&AuditWords::actor_type, "anonymous"));
    add("a-4", with(&AuditWords::actor_id, "u-2"));
    add("a-5", with(&AuditWords::resource_type, "user"));
    add("a-6", with(&AuditWords::resource_id, "k-2"));
    add("a-7", with(&AuditWords::action, "login"));
    add("a-8", with(&AuditWords::outcome, "denied"));
    EXPECT_EQ(ids({}).size(), 8U);
    EXPECT_EQ(ids({.event_type = "authentication"}), Names{"a-2"});
    EXPECT_EQ(ids({.actor_type = "anonymous"}), Names{"a-3"});
    EXPECT_EQ(ids({.actor_id = "u-2"}), Names{"a-4"});
    EXPECT_EQ(ids({.resource_type = "user"}), Names{"a-5"});
    EXPECT_EQ(ids({.resource_id = "k-2"}), Names{"a-6"});
    EXPECT_EQ(ids({.action = "login"}), Names{"a-7"});
    EXPECT_EQ(ids({.outcome = "denied"}), Names{"a-8"});
    EXPECT_EQ(ids({.request_id = "r-a-3"}), Names{"a-3"});
    EXPECT_EQ(ids({.ip = "10.0.0.2"}), Names{});
    EXPECT_EQ(ids({.ip = "10.0.0.1"}).size(), 8U);
    EXPECT_EQ(
        ids({.after = "2026-01-03T00:00:00.000000Z", .before = "2026-01-05T00:00:00.000000Z"}),
        (Names{"a-4", "a-3"})
    );
    EXPECT_EQ(
        ids({.event_type = "security", .outcome = "success", .request_id = "r-a-8"}), Names{}
    );
}

TEST_P(AuditContract, StatisticsCountWhatTheFilterTakes) {
    add("a-1");
    AuditRow other = make("a-2");
    other.ip_address = "10.0.0.2";
    AuditWords failed = words();
    failed.outcome = "failure";
    ASSERT_TRUE(table_.add(ctx_, other, failed));
    AuditRow local = make("a-3");
    local.ip_address = "";
    AuditWords denied = words();
    denied.outcome = "denied";
    ASSERT_TRUE(table_.add(ctx_, local, denied));
    AuditStatistics all = table_.statistics(ctx_, 1, {}).value();
    EXPECT_EQ(all.total, 3);
    EXPECT_EQ(all.successful, 1);
    EXPECT_EQ(all.failed, 1);
    EXPECT_EQ(all.denied, 1);
    EXPECT_EQ(all.unique_ips, 2);
    EXPECT_EQ(table_.statistics(ctx_, 1, {.ip = "10.0.0.2"}).value().total, 1);
    EXPECT_EQ(table_.statistics(ctx_, 2, {}).value().total, 0);
    EXPECT_EQ(table_.count(ctx_, 1, {.ip = "10.0.0.2"}).value(), 1);
    EXPECT_EQ(table_.count(ctx_, 2, {}).value(), 0);
}

TEST_P(AuditContract, PagesFollowEachOther) {
    for (int i = 1; i <= 5; ++i) {
        add("a-" + std::to_string(i));
    }
    EXPECT_EQ(ids({}, {.limit = 2, .offset = 1}), (Names{"a-4", "a-3"}));
    const ResourceCursor behind{"2026-01-03T00:00:00.000000Z", "a-3"};
    EXPECT_EQ(ids({}, {.after = behind}), (Names{"a-2", "a-1"}));
    EXPECT_EQ(ids({}, {.descending = false, .after = behind}), (Names{"a-4", "a-5"}));
}

LAB_ALL_BACKENDS(AuditContract);

}  // namespace
}  // namespace lab::storage
