#include "service/audit.h"

#include "service/impl/test_identity.h"

namespace lab::service {
namespace {

using namespace std::chrono_literals;
using domain::Role;

class Audit : public test::IdentityTest {
  protected:
    Status write(
        const Caller& by,
        AuditType type,
        AuditAction action,
        const std::string& kind,
        const std::string& id
    ) {
        clock_.advance(1s);
        return write_audit(as(by), audit_event(by, type, action, kind, id));
    }
    NounList list(const storage::AuditFilter& filter, const storage::ResourcePage& page = {}) {
        auto got = list_audit(as(local_), {.filter = filter, .page = page});
        EXPECT_TRUE(got) << (got ? "" : got.error().message);
        return got ? *std::move(got) : NounList{};
    }
};

Json hidden(const Json& details) { return Json::parse(AuditDetails(details).text()); }

TEST(AuditDetailsOf, HideWhatMustNotBeTold) {
    const Json shown = hidden({
        {"name", "an experiment"},
        {"count", 3},
        {"password", "hunter2hunter2"},
        {"new_password", 12345},
        {"api_key", {{"value", "x"}}},
        {"tokens", {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}},
        {"total_tokens", 1234},
        {"has_password", true},
        {"nested", {{"client_secret", "s"}, {"deep", {{{"credential", "c"}, {"ok", 1}}}}}},
        {"note", "write to ann@example.org with Bearer abcdefghijklmnop"},
        {"url", "postgres://user:hunter2@db/lab"},
        {"key_prefix", "aB3dE6gH"},
        {"scopes", {"api_keys:manage", "experiments:read", "*"}},
    });
    EXPECT_EQ(shown["name"], "an experiment");
    EXPECT_EQ(shown["count"], 3);
    EXPECT_EQ(shown["password"], "[redacted]");
    EXPECT_EQ(shown["new_password"], "[redacted]");
    EXPECT_EQ(shown["api_key"], "[redacted]");
    EXPECT_EQ(shown["tokens"], "[redacted]");
    EXPECT_EQ(shown["total_tokens"], 1234);
    EXPECT_EQ(shown["has_password"], true);
    EXPECT_EQ(shown["nested"]["client_secret"], "[redacted]");
    EXPECT_EQ(shown["nested"]["deep"][0]["credential"], "[redacted]");
    EXPECT_EQ(shown["nested"]["deep"][0]["ok"], 1);
    EXPECT_EQ(shown["key_prefix"], "aB3dE6gH");
    EXPECT_EQ(shown["scopes"], Json({"api_keys:manage", "experiments:read", "*"}));
    const std::string all = dump_json(shown);
    for (const char* const secret : {"hunter2", "ann@example.org", "abcdefghijklmnop", "eyJ"}) {
        EXPECT_EQ(all.find(secret), std::string::npos) << secret;
    }
}

TEST(AuditDetailsOf, TellHowLongATextWasNotWhatItSaid) {
    const Json shown = hidden({
        {"template", "Answer {{question}}"},
        {"system_prompt", "You are the secret sauce"},
        {"after", {{"messages", {{{"role", "user"}, {"content", "sauce"}}}}}},
        {"output", nullptr},
    });
    EXPECT_EQ(shown["template"], "[21 bytes]");
    EXPECT_EQ(dump_json(shown).find("sauce"), std::string::npos);
    EXPECT_TRUE(shown["output"].is_null());
}

TEST(AuditDetailsOf, HaveAnEnd) {
    const Json cut = hidden({{"name", std::string(5000, 'a')}});
    EXPECT_LE(cut["name"].get<std::string>().size(), 1024U);
    Json many = Json::object();
    for (int i = 0; i < 500; ++i) {
        many["member" + std::to_string(i)] = std::string(100, 'a');
    }
    EXPECT_GT(hidden(many)["omitted_bytes"].get<int>(), 50'000);
    EXPECT_EQ(hidden({{"broken", "\xff\xfe"}})["broken"], "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(AuditChanges, AreWhatDiffers) {
    const Json before = {{"a", 1}, {"b", 2}, {"gone", 3}};
    const Json after = {{"a", 1}, {"b", 5}, {"new", 4}};
    EXPECT_EQ(
        audit_changes(before, after),
        Json({{"before", {{"b", 2}, {"gone", 3}}}, {"after", {{"b", 5}, {"new", 4}}}})
    );
}

TEST(AuditWords, AreReadAsTheyAreWritten) {
    for (int i = 0; i <= static_cast<int>(AuditAction::config_change); ++i) {
        const auto action = static_cast<AuditAction>(i);
        EXPECT_EQ(audit_action_from(to_string(action)), action);
    }
    for (int i = 0; i <= static_cast<int>(AuditType::system_event); ++i) {
        EXPECT_EQ(audit_type_from(to_string(static_cast<AuditType>(i))), static_cast<AuditType>(i));
    }
    EXPECT_EQ(to_string(AuditAction::delete_), "delete");
    EXPECT_EQ(to_string(AuditAction::export_), "export");
    EXPECT_EQ(audit_outcome_from("denied"), AuditOutcome::denied);
    EXPECT_FALSE(audit_type_from("Security"));
    EXPECT_FALSE(audit_action_from(""));
    EXPECT_FALSE(audit_outcome_from("denie"));
}

TEST_F(Audit, ARowHasTheDocumentedShape) {
    const std::string id = add_user("ann@example.org");
    Caller ann = logged_in("ann@example.org");
    ann.ip = "10.0.0.7";
    ann.user_agent = "curl/8 password=hunter2";
    ann.request_id = "r-1";
    AuditEvent event =
        audit_event(ann, AuditType::data_modification, AuditAction::update, "experiment", "e-1");
    event.outcome = AuditOutcome::denied;
    event.reason = "not yours";
    event.duration = 1500us;
    event.details = AuditDetails(Json{{"a", 1}});
    ASSERT_TRUE(write_audit(as(ann), event));
    const Json row = list({.request_id = "r-1"}).rows.at(0);
    EXPECT_EQ(row["event_type"], Json({{"type", "data_modification"}}));
    EXPECT_EQ(row["actor"], Json({{"type", "user"}, {"id", id}, {"email", "ann@example.org"}}));
    EXPECT_EQ(row["resource"], Json({{"type", "experiment"}, {"id", "e-1"}}));
    EXPECT_EQ(row["action"], "update");
    EXPECT_EQ(row["outcome"], Json({{"status", "denied"}, {"reason", "not yours"}}));
    EXPECT_EQ(row["details"], Json({{"a", 1}}));
    EXPECT_EQ(row["ip_address"], "10.0.0.7");
    EXPECT_EQ(row["user_agent"], "curl/8 password=[redacted]");
    EXPECT_EQ(row["duration_ms"], 1);
    EXPECT_EQ(row["timestamp"], format_rfc3339(clock_.wall()));
    EXPECT_EQ(row["created_at"], row["timestamp"]);
}

TEST_F(Audit, EveryKindOfCallerIsAnActor) {
    Caller key;
    key.kind = Caller::Kind::api_key;
    key.key_id = "k-1";
    key.user_id = "u-1";
    Caller operator_key;
    operator_key.kind = Caller::Kind::admin_key;
    const auto actor = [&](const Caller& by) {
        EXPECT_TRUE(write(by, AuditType::security, AuditAction::read, "system", "x"));
        return list({}).rows.at(0)["actor"];
    };
    EXPECT_EQ(actor(key), Json({{"type", "api_key"}, {"id", "k-1"}, {"owner_id", "u-1"}}));
    EXPECT_EQ(
        actor(operator_key), Json({{"type", "system"}, {"id", "admin_key"}, {"name", "admin key"}})
    );
    EXPECT_EQ(
        actor(local_), Json({{"type", "system"}, {"id", "command_line"}, {"name", "command line"}})
    );
    EXPECT_EQ(actor(stranger_), Json({{"type", "anonymous"}, {"id", nullptr}, {"ip", "10.0.0.9"}}));
}

TEST_F(Audit, IsAskedByFilterAndPage) {
    for (int i = 0; i < 5; ++i) {
        const std::string id = "e-" + std::to_string(i);
        ASSERT_TRUE(
            write(local_, AuditType::data_modification, AuditAction::create, "experiment", id)
        );
    }
    ASSERT_TRUE(write(stranger_, AuditType::security, AuditAction::read, "system", "s"));
    EXPECT_EQ(list({}).total, 6);
    EXPECT_EQ(list({.event_type = "security"}).rows.size(), 1U);
    EXPECT_EQ(list({.actor_type = "anonymous"}).rows.size(), 1U);
    EXPECT_EQ(list({.resource_type = "experiment", .resource_id = "e-3"}).rows.size(), 1U);
    const NounList first = list({.action = "create"}, {.limit = 2});
    EXPECT_EQ(first.total, 5);
    EXPECT_TRUE(first.more);
    EXPECT_EQ(first.rows[0]["resource"]["id"], "e-4");
    const NounList next = list({.action = "create"}, {.limit = 3, .after = first.last});
    EXPECT_EQ(next.rows[0]["resource"]["id"], "e-2");
    EXPECT_FALSE(next.more);
    EXPECT_FALSE(next.last);
    const Json all = audit_statistics(as(local_), {}).value();
    EXPECT_EQ(
        all,
        Json({{"total", 6}, {"successful", 6}, {"failed", 0}, {"denied", 0}, {"unique_ips", 1}})
    );
}

TEST_F(Audit, TimesAreReadInEveryForm) {
    ASSERT_TRUE(write(local_, AuditType::security, AuditAction::read, "system", "1"));
    const std::string at = format_rfc3339(clock_.wall());
    const std::string offset = format_rfc3339(clock_.wall() + 1h).substr(0, 19) + "+01:00";
    ASSERT_TRUE(write(local_, AuditType::security, AuditAction::read, "system", "2"));
    EXPECT_EQ(list({.after = at}).rows.size(), 2U);
    EXPECT_EQ(list({.after = offset}).rows.size(), 2U);
    EXPECT_EQ(list({.before = offset}).rows.size(), 0U);
}

TEST_F(Audit, UnknownWordsAreTold) {
    const auto got = list_audit(
        as(local_),
        {.filter =
             {
                 .event_type = "securty",
                 .actor_type = "root",
                 .resource_type = "experimnt",
                 .action = "creat",
                 .outcome = "ok",
                 .after = "yesterday",
             }}
    );
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::validation);
    EXPECT_EQ(got.error().details.size(), 6U);
    EXPECT_EQ(
        got.error().details[0], (Detail{"event_type", "is unknown, did you mean \"security\"?"})
    );
    EXPECT_FALSE(audit_statistics(as(local_), {.outcome = "ok"}));
    EXPECT_EQ(list({.actor_id = "' OR 1=1 --"}).total, 0);
}

TEST_F(Audit, IsForThoseWhoMayRead) {
    add_user("ann@example.org");
    const Caller ann = logged_in("ann@example.org");
    EXPECT_EQ(list_audit(as(ann), {}).error().code, Code::forbidden);
    EXPECT_EQ(audit_statistics(as(ann), {}).error().code, Code::forbidden);
    EXPECT_EQ(list_audit(as(stranger_), {}).error().code, Code::unauthorized);
    Caller foreign = local_;
    foreign.org = 2;
    EXPECT_EQ(list_audit(as(foreign), {})->total, 0) << "of the own tenant";
}

}  // namespace
}  // namespace lab::service
