#include "service/api_keys.h"

#include "service/impl/test_identity.h"

namespace lab::service {
namespace {

using domain::Permission;
using namespace std::chrono_literals;
using domain::Role;

class KeyCases : public test::IdentityTest {
  protected:
    KeyCases() {
        admin_id_ = add_user("root@example.org", {Role::admin});
        admin_ = logged_in("root@example.org");
    }
    Result<Json> create(const Json& body, const Caller& by) {
        return create_key(as(by), *identity_, body);
    }
    Result<Json> create(const Json& body) { return create(body, admin_); }
    static Json reading(const Json& more = Json::object()) {
        Json out = {{"name", "key"}, {"scopes", {"experiments:read"}}};
        out.update(more);
        return out;
    }
    static std::string id_of(const Json& key) { return key.value("id", ""); }
    static std::string text_of(const Json& key) { return key.value("key", ""); }
    Caller use(const Json& key) {
        auto caller = with_key(text_of(key));
        EXPECT_TRUE(caller) << (caller ? "" : caller.error().cause);
        return caller ? *std::move(caller) : Caller{};
    }
    template <class T>
    static Code code(const Result<T>& got) {
        return got ? Code::internal : got.error().code;
    }
    static std::string permission(const Result<Json>& got) {
        EXPECT_EQ(code(got), Code::forbidden);
        return got || got.error().details.empty() ? "" : got.error().details[0].message;
    }
    std::string admin_id_;
    Caller admin_;
};

TEST_F(KeyCases, AreSeenWholeOnce) {
    const Json made = create(reading()).value();
    EXPECT_EQ(made["owner_id"], admin_id_);
    EXPECT_EQ(made["scopes"], Json({"experiments:read"}));
    EXPECT_EQ(made["roles"], Json({"Admin"})) << "those of the owner";
    EXPECT_EQ(made["rate_limit_tier"], "standard");
    EXPECT_EQ(made["is_active"], true);
    EXPECT_TRUE(made["expires_at"].is_null());
    EXPECT_TRUE(made["last_used_at"].is_null());
    Json shown = made;
    shown.erase("key");
    EXPECT_EQ(get_key(as(admin_), id_of(made)).value(), shown);
    const NounList listed = list_keys(as(admin_), {}, {}).value();
    EXPECT_EQ(listed.rows, std::vector<Json>{shown});
    const std::string secret = text_of(made).substr(21);
    EXPECT_EQ(dump_json(shown).find(secret), std::string::npos);
    for (const storage::AuditRow& row : audit_rows()) {
        EXPECT_EQ((row.details + row.outcome + row.resource).find(secret), std::string::npos);
    }
    EXPECT_EQ(code(get_key(as(admin_), "no-such-id")), Code::not_found);
}

TEST_F(KeyCases, EveryMistakeIsTold) {
    for (const auto& [member, value] : std::vector<std::pair<std::string, Json>>{
             {"name", ""},
             {"name", "two\nlines"},
             {"scopes", Json::array()},
             {"scopes", {"experiments:red"}},
             {"scopes", {"System"}},
             {"scopes", "*"},
             {"roles", {"Admn"}},
             {"roles", {"Viewer"}},
             {"rate_limit_tier", "platinum"},
             {"owner_id", "11111111-1111-4111-8111-111111111111"},
             {"expires_at", "tomorrow"},
             {"expires_at", "2020-01-01T00:00:00Z"},
             {"expires_in_days", 0},
             {"expires_in_days", 3651},
             {"key", "llm-research_mine"},
             {"key_hash", "x"},
             {"key_prefix", "aaaaaaaa"},
             {"is_active", true},
             {"org", 2},
         }) {
        const auto got = create(reading({{member, value}}));
        ASSERT_EQ(code(got), Code::validation) << member;
        EXPECT_EQ(got.error().details[0].field.substr(0, member.size()), member);
    }
    const auto near = create(reading({{"scopes", {"experiments:red"}}}));
    EXPECT_NE(near.error().details[0].message.find("\"experiments:read\"?"), std::string::npos);
    EXPECT_EQ(
        code(create(reading({{"expires_at", "2030-01-01T00:00:00Z"}, {"expires_in_days", 3}}))),
        Code::validation
    );
    EXPECT_EQ(list_keys(as(admin_), {}, {})->total, 0);
}

TEST_F(KeyCases, ExpireWhenToldTo) {
    Json made = create(reading({{"expires_at", "2030-01-02T03:04:05+01:00"}})).value();
    EXPECT_EQ(made["expires_at"], "2030-01-02T02:04:05.000000Z");
    made = create(reading({{"expires_in_days", 90}})).value();
    EXPECT_EQ(made["expires_at"], format_rfc3339(clock_.wall() + 90 * 24h));
    made = create(reading({{"expires_at", nullptr}})).value();
    EXPECT_TRUE(made["expires_at"].is_null());
}

TEST_F(KeyCases, SomebodyOwnsThem) {
    Caller operator_key;
    operator_key.kind = Caller::Kind::admin_key;
    operator_key.roles = {Role::admin};
    operator_key.granted.set();
    for (const Caller* const nobody : {&operator_key, &local_}) {
        const auto got = create(reading(), *nobody);
        ASSERT_EQ(code(got), Code::validation);
        EXPECT_EQ(got.error().details[0].field, "owner_id");
        EXPECT_TRUE(create(reading({{"owner_id", admin_id_}}), *nobody));
    }
    const std::string gone = add_user("gone@example.org");
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, gone));
    EXPECT_EQ(code(create(reading({{"owner_id", gone}}))), Code::validation);
    const std::string ann = add_user("ann@example.org");
    EXPECT_EQ(use(create(reading({{"owner_id", ann}})).value()).user_id, ann);
}

TEST_F(KeyCases, NeedThePermission) {
    const std::string id = id_of(create(reading()).value());
    add_user("ann@example.org");
    const Caller ann = logged_in("ann@example.org");
    EXPECT_EQ(permission(create(reading(), ann)), "api_keys:manage");
    EXPECT_EQ(code(create(reading(), stranger_)), Code::unauthorized);
    EXPECT_EQ(code(list_keys(as(ann), {}, {})), Code::forbidden);
    EXPECT_EQ(code(get_key(as(ann), id)), Code::forbidden);
    EXPECT_EQ(code(revoke_key(as(ann), *identity_, id)), Code::forbidden);
    EXPECT_EQ(code(rotate_key(as(ann), *identity_, id, Json::object())), Code::forbidden);
}

// Otherwise a key that manages keys would be worth every other key.
TEST_F(KeyCases, NobodyMakesOrTakesOneThatMayDoMore) {
    const Json strong = create(reading({{"scopes", {"*"}}})).value();
    const Json weak = create(reading()).value();
    const Json manager =
        create(reading({{"scopes", {"api_keys:manage", "experiments:read", "metrics:write"}}})
        ).value();
    const Caller by = use(manager);
    EXPECT_EQ(permission(create(reading({{"scopes", {"*"}}}), by)), "*");
    EXPECT_EQ(
        permission(create(reading({{"scopes", {"experiments:read", "users:manage"}}}), by)),
        "users:manage"
    );
    EXPECT_EQ(
        permission(create(reading({{"scopes", {"experiments:write"}}}), by)), "experiments:write"
    );
    EXPECT_EQ(permission(create(reading({{"scopes", {"metrics:delete"}}}), by)), "metrics:delete");
    EXPECT_TRUE(create(reading({{"scopes", {"metrics:write"}}}), by));
    EXPECT_TRUE(create(reading(), by));
    EXPECT_EQ(permission(rotate_key(as(by), *identity_, id_of(strong), Json::object())), "*");
    EXPECT_TRUE(with_key(text_of(strong))) << "nothing happened to it";
    EXPECT_TRUE(rotate_key(as(by), *identity_, id_of(weak), Json::object()));
}

TEST_F(KeyCases, AServiceAccountMakesNoAdministrator) {
    const Json account = create(reading({
                                    {"scopes", {"api_keys:manage", "experiments:read"}},
                                    {"roles", {"ServiceAccount"}},
                                }))
                             .value();
    const Caller by = use(account);
    ASSERT_FALSE(by.is_admin());
    EXPECT_EQ(permission(create(reading(), by)), "users:manage") << "roles of its owner";
    const Json made = create(reading({{"roles", {"ServiceAccount"}}}), by).value();
    EXPECT_FALSE(use(made).is_admin());
    EXPECT_EQ(
        permission(
            create(reading({{"roles", {"ServiceAccount"}}, {"rate_limit_tier", "unlimited"}}), by)
        ),
        "users:manage"
    );
    const std::string ann = add_user("ann@example.org", {Role::viewer});
    EXPECT_EQ(permission(create(reading({{"owner_id", ann}}), by)), "users:manage");
    const Json admins = create(reading()).value();
    EXPECT_EQ(
        permission(rotate_key(as(by), *identity_, id_of(admins), Json::object())), "users:manage"
    );
}

TEST_F(KeyCases, AreRevokedOnceAndAtOnce) {
    const Json made = create(reading()).value();
    ASSERT_TRUE(with_key(text_of(made)));
    ASSERT_TRUE(revoke_key(as(admin_), *identity_, id_of(made)));
    expect_refused(with_key(text_of(made)), "revoked");
    EXPECT_TRUE(revoke_key(as(admin_), *identity_, id_of(made))) << "again is no error";
    EXPECT_EQ(
        audited({.action = "api_key_revoked"}),
        std::vector<std::string>{"security api_key_revoked success"}
    );
    EXPECT_EQ(code(revoke_key(as(admin_), *identity_, "no-such-id")), Code::not_found);
    EXPECT_FALSE(get_key(as(admin_), id_of(made)).value().value("is_active", true));
}

TEST_F(KeyCases, ARotatedKeyDoesWhatTheOldOneDid) {
    const std::string ann = add_user("ann@example.org", {Role::researcher});
    const Json old = create(reading({
                                {"owner_id", ann},
                                {"rate_limit_tier", "enterprise"},
                                {"expires_in_days", 90},
                            }))
                         .value();
    ASSERT_TRUE(with_key(text_of(old)));
    clock_.advance(30 * 24h);
    const Json fresh = rotate_key(as(admin_), *identity_, id_of(old), Json::object()).value();
    EXPECT_NE(id_of(fresh), id_of(old));
    EXPECT_NE(fresh["key_prefix"], old["key_prefix"]);
    for (const char* const same : {"name", "owner_id", "scopes", "roles", "rate_limit_tier"}) {
        EXPECT_EQ(fresh[same], old[same]) << same;
    }
    EXPECT_EQ(fresh["expires_at"], format_rfc3339(clock_.wall() + 90 * 24h)) << "as long a life";
    expect_refused(with_key(text_of(old)), "no overlap");
    EXPECT_EQ(use(fresh).user_id, ann);
    EXPECT_EQ(
        code(rotate_key(as(admin_), *identity_, id_of(old), Json::object())), Code::invalid_state
    );
}

TEST_F(KeyCases, BothAreGoodForTheOverlap) {
    const Json old = create(reading()).value();
    const auto rotate = [&](const Json& hours) {
        return rotate_key(as(admin_), *identity_, id_of(old), {{"overlap_hours", hours}});
    };
    EXPECT_EQ(code(rotate(24.1)), Code::validation);
    EXPECT_EQ(code(rotate(-1)), Code::validation);
    EXPECT_EQ(code(rotate("1")), Code::validation);
    const Json fresh = rotate(1.5).value();
    EXPECT_TRUE(fresh["expires_at"].is_null());
    EXPECT_TRUE(with_key(text_of(old)));
    EXPECT_TRUE(with_key(text_of(fresh)));
    clock_.advance(90min);
    expect_refused(with_key(text_of(old)), "the overlap is over");
    EXPECT_TRUE(with_key(text_of(fresh)));
    EXPECT_EQ(code(rotate(0)), Code::invalid_state) << "expired";
}

TEST_F(KeyCases, OfAnotherTenantDoNotExist) {
    const Json made = create(reading()).value();
    Caller foreign = admin_;
    foreign.org = 2;
    EXPECT_EQ(code(get_key(as(foreign), id_of(made))), Code::not_found);
    EXPECT_EQ(code(revoke_key(as(foreign), *identity_, id_of(made))), Code::not_found);
    EXPECT_EQ(
        code(rotate_key(as(foreign), *identity_, id_of(made), Json::object())), Code::not_found
    );
    EXPECT_EQ(list_keys(as(foreign), {}, {})->total, 0);
    EXPECT_TRUE(with_key(text_of(made)));
}

TEST_F(KeyCases, AreListedPageByPage) {
    const std::string ann = add_user("ann@example.org");
    for (int i = 0; i < 5; ++i) {
        clock_.advance(1s);
        ASSERT_TRUE(create(
            reading({{"name", std::to_string(i)}, {"owner_id", i % 2 == 0 ? ann : admin_id_}})
        ));
    }
    storage::ResourcePage page{.limit = 3};
    const NounList first = list_keys(as(admin_), {}, page).value();
    EXPECT_EQ(first.total, 5);
    EXPECT_TRUE(first.more);
    EXPECT_EQ(first.rows.back()["name"], "2");
    page.after = first.last;
    const NounList last = list_keys(as(admin_), {}, page).value();
    EXPECT_FALSE(last.more);
    EXPECT_EQ(last.rows.size(), 2U);
    EXPECT_EQ(list_keys(as(admin_), {.owner = ann}, {})->total, 3);
}

TEST_F(KeyCases, WithoutItsRecordThereIsNoKey) {
    const storage::Query block{
        "block",
        "CREATE TRIGGER block BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'full'); END"
    };
    ASSERT_TRUE(session_->exec(ctx_, block, {}));
    EXPECT_FALSE(create(reading()));
    EXPECT_EQ(list_keys(as(admin_), {}, {})->total, 0);
}

}  // namespace
}  // namespace lab::service
