#include "service/users.h"

#include "service/impl/test_identity.h"

namespace lab::service {
namespace {

using domain::Permission;
using test::kPassword;
using namespace std::chrono_literals;
using domain::Role;

constexpr std::string_view kOther = "another long password";

class UserCases : public test::IdentityTest {
  protected:
    Result<Shown> create(const Json& body) { return create_user(as(local_), *identity_, body); }
    Result<Shown> update(const std::string& id, const Json& changes, const Caller& by) {
        return update_user(as(by), *identity_, id, changes);
    }
    Result<Shown> update(const std::string& id, const Json& changes) {
        return update(id, changes, local_);
    }
    static Json ann() {
        return {
            {"email", "Ann@Example.org"},
            {"name", "Ann"},
            {"password", kPassword},
            {"roles", {"Researcher", "Viewer"}}
        };
    }
    static Json with(Json body, const std::string& member, const Json& value) {
        body[member] = value;
        return body;
    }
    /// A key that may manage users and nothing else, whatever roles it has.
    static Caller manager() {
        Caller out;
        out.kind = Caller::Kind::api_key;
        out.key_id = "manager";
        out.user_id = "somebody";
        out.roles = {Role::admin};
        out.granted.set(static_cast<std::size_t>(Permission::manage_users));
        return out;
    }
    template <class T>
    static std::string problems(const Result<T>& got) {
        EXPECT_FALSE(got);
        std::string out;
        if (!got) {
            EXPECT_EQ(got.error().code, Code::validation) << got.error().message;
            for (const Detail& detail : got.error().details) {
                out += detail.field + ": " + detail.message + "\n";
            }
        }
        return out;
    }
    template <class T>
    static Code code(const Result<T>& got) {
        return got ? Code::internal : got.error().code;
    }
};

TEST_F(UserCases, AreShownWithoutSecrets) {
    const Shown made = create(ann()).value();
    EXPECT_EQ(made.json["email"], "ann@example.org");
    EXPECT_EQ(made.json["roles"], Json({"Researcher", "Viewer"}));
    EXPECT_EQ(made.json["rate_limit_tier"], "professional");
    EXPECT_EQ(made.json["is_active"], true);
    EXPECT_TRUE(made.json["last_login_at"].is_null());
    EXPECT_EQ(made.revision, 1);
    const std::string id = made.json.value("id", "");
    EXPECT_EQ(get_user(as(local_), id)->json, made.json);
    for (const auto& [name, value] : made.json.items()) {
        EXPECT_EQ(name.find("password"), std::string::npos);
    }
    EXPECT_EQ(dump_json(made.json).find("argon2"), std::string::npos);
    EXPECT_EQ(code(get_user(as(local_), "no-such-id")), Code::not_found);
}

TEST_F(UserCases, EveryMistakeIsTold) {
    EXPECT_NE(
        problems(create(with(ann(), "roles", {"Reseacher"}))).find("\"Researcher\"?"),
        std::string::npos
    );
    for (const auto& [member, value] : std::vector<std::pair<std::string, Json>>{
             {"roles", Json::array()},
             {"roles", "Admin"},
             {"roles", {"System"}},
             {"email", "no address"},
             {"email", "@example.org"},
             {"email", "ann@"},
             {"email", "a b@example.org"},
             {"email", "ann@example.org\nBcc: x"},
             {"email", "ann@bob@example.org"},
             {"email", std::string(250, 'a') + "@b.de"},
             {"name", ""},
             {"name", std::string(256, 'a')},
             {"name", "two\nlines"},
             {"rate_limit_tier", "platinum"},
             {"password", "short"},
             {"password", "PasswordPassword"},
             {"password", "ann@EXAMPLE.org"},
             {"password", std::string(1025, 'x')},
             {"is_active", true},
             {"id", "11111111-1111-4111-8111-111111111111"},
             {"org", 2},
             {"password_hash", "x"},
             {"revision", 7},
         }) {
        const std::string told = problems(create(with(ann(), member, value)));
        EXPECT_NE(told.find(member), std::string::npos) << member << ": " << told;
    }
    EXPECT_NE(problems(create(Json::object())).find("roles"), std::string::npos);
    EXPECT_EQ(list_users(as(local_), {}, {})->total, 0);
}

TEST_F(UserCases, ASmallCharacterCountsByItsBytes) {
    std::string many;
    for (int i = 0; i < 600; ++i) {
        many += "ü";
    }
    EXPECT_NE(problems(create(with(ann(), "password", many))).find("bytes"), std::string::npos);
}

TEST_F(UserCases, AnAddressIsTakenWhateverItsCase) {
    const std::string id = create(ann()).value().json.value("id", "");
    const auto again = create(with(ann(), "email", "aNN@example.org"));
    EXPECT_EQ(code(again), Code::conflict);
    EXPECT_EQ(again.error().details, (std::vector<Detail>{{"existing_id", id}}));
    const std::string bob = add_user("bob@example.org");
    const auto renamed = update(bob, {{"email", "ANN@example.org"}});
    EXPECT_EQ(code(renamed), Code::conflict);
    EXPECT_EQ(renamed.error().details, (std::vector<Detail>{{"existing_id", id}}));
    EXPECT_TRUE(update(bob, {{"email", "BOB@example.org"}})) << "his own";
}

TEST_F(UserCases, ChangesReplaceWhatIsGiven) {
    const std::string id = create(ann()).value().json.value("id", "");
    const Shown changed = update(id, {{"name", "Anna"}, {"rate_limit_tier", "pro"}}).value();
    EXPECT_EQ(changed.json["name"], "Anna");
    EXPECT_EQ(changed.json["email"], "ann@example.org");
    EXPECT_EQ(changed.json["roles"], Json({"Researcher", "Viewer"}));
    EXPECT_EQ(changed.json["rate_limit_tier"], "professional");
    EXPECT_EQ(changed.revision, 2);
    EXPECT_EQ((*changed.before)["name"], "Ann");
    const auto late = update_user(as(local_), *identity_, id, Json{{"name", "x"}}, 1);
    EXPECT_EQ(code(late), Code::precondition_failed);
    EXPECT_TRUE(update_user(as(local_), *identity_, id, Json{{"name", "Ann"}}, 2));
    EXPECT_EQ(code(update("no-such-id", {{"name", "x"}})), Code::not_found);
    for (const char* const member : {"id", "created_at", "last_login_at", "org", "password_hash"}) {
        EXPECT_NE(problems(update(id, {{member, "x"}})).find(member), std::string::npos);
    }
}

TEST_F(UserCases, ANewPasswordEndsAllLogins) {
    const std::string id = add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    ASSERT_TRUE(with_token(tokens.access));
    ASSERT_TRUE(update(id, {{"name", "Anna"}}));
    ASSERT_TRUE(with_token(tokens.access)) << "a new name does not";
    ASSERT_TRUE(update(id, {{"password", kOther}}));
    expect_refused(with_token(tokens.access), "access");
    EXPECT_EQ(code(identity_->refresh(as(stranger_), tokens.refresh)), Code::unauthorized);
    EXPECT_EQ(
        code(identity_->login(as(stranger_), "ann@example.org", kPassword)), Code::unauthorized
    );
    EXPECT_TRUE(with_token(log_in("ann@example.org", kOther).access));
    EXPECT_NE(
        problems(update(id, {{"email", "new@example.org"}, {"password", "new@example.org"}}))
            .find("e-mail"),
        std::string::npos
    );
}

TEST_F(UserCases, WhoHasLoggedInChangesTheOwnPassword) {
    add_user("ann@example.org");
    const auto tokens = log_in("ann@example.org");
    const Caller caller = with_token(tokens.access).value();
    const auto change = [&](std::string_view current, std::string_view next) {
        return change_password(as(caller), *identity_, current, next);
    };
    EXPECT_EQ(code(change("wrong", kOther)), Code::unauthorized);
    EXPECT_NE(problems(change(kPassword, "short")).find("12 to 1024"), std::string::npos);
    EXPECT_NE(problems(change(kPassword, kPassword)).find("another"), std::string::npos);
    ASSERT_TRUE(change(kPassword, kOther));
    expect_refused(with_token(tokens.access), "this login too");
    EXPECT_TRUE(with_token(log_in("ann@example.org", kOther).access));
    EXPECT_EQ(
        audited({.action = "password_change"}),
        std::vector<std::string>{"security password_change success"}
    );
    Caller key = caller;
    key.kind = Caller::Kind::api_key;
    EXPECT_EQ(code(change_password(as(key), *identity_, kOther, kPassword)), Code::forbidden);
}

TEST_F(UserCases, GuessingTheOwnPasswordIsThrottledToo) {
    add_user("ann@example.org");
    const Caller caller = logged_in("ann@example.org");
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(
            code(change_password(as(caller), *identity_, "wrong", kOther)), Code::unauthorized
        );
    }
    EXPECT_EQ(code(change_password(as(caller), *identity_, kPassword, kOther)), Code::rate_limited);
}

TEST_F(UserCases, TheLastAdministratorStays) {
    const std::string root = add_user("root@example.org", {Role::admin});
    const std::string second = add_user("second@example.org", {Role::admin, Role::viewer});
    ASSERT_TRUE(update(second, {{"roles", {"Viewer"}}}));
    EXPECT_EQ(code(update(root, {{"roles", {"Viewer"}}})), Code::conflict);
    EXPECT_EQ(code(update(root, {{"is_active", false}})), Code::conflict);
    EXPECT_EQ(code(deactivate_user(as(local_), *identity_, root)), Code::conflict);
    EXPECT_TRUE(update(root, {{"roles", {"Admin", "Viewer"}}}));
    ASSERT_TRUE(update(second, {{"roles", {"Admin"}}}));
    ASSERT_TRUE(update(second, {{"is_active", false}}));
    EXPECT_EQ(code(deactivate_user(as(local_), *identity_, root)), Code::conflict)
        << "one who is not active does not count";
    ASSERT_TRUE(update(second, {{"is_active", true}}));
    ASSERT_TRUE(deactivate_user(as(local_), *identity_, root));
    EXPECT_EQ(code(deactivate_user(as(local_), *identity_, second)), Code::conflict);
    EXPECT_FALSE(get_user(as(local_), root)->json.value("is_active", true));
}

TEST_F(UserCases, NeedThePermission) {
    const std::string id = add_user("ann@example.org");
    const Caller ann = logged_in("ann@example.org");
    for (const Caller* const caller : std::vector<const Caller*>{&ann, &stranger_}) {
        const Code expected = caller == &ann ? Code::forbidden : Code::unauthorized;
        EXPECT_EQ(code(create_user(as(*caller), *identity_, UserCases::ann())), expected);
        EXPECT_EQ(code(list_users(as(*caller), {}, {})), expected);
        EXPECT_EQ(code(get_user(as(*caller), id)), expected);
        EXPECT_EQ(code(update(id, {{"roles", {"Admin"}}}, *caller)), expected);
        EXPECT_EQ(code(deactivate_user(as(*caller), *identity_, id)), expected);
    }
    const auto refused = list_users(as(ann), {}, {});
    EXPECT_EQ(refused.error().details[0], (Detail{"required_permission", "users:manage"}));
}

// A key that manages users could otherwise make itself an administrator, or a new password for one.
TEST_F(UserCases, NobodyGivesOrTakesMoreThanTheyMayDo) {
    const std::string root = add_user("root@example.org", {Role::admin});
    const std::string ann = add_user("ann@example.org", {Role::viewer});
    const Caller by = manager();
    EXPECT_EQ(code(create_user(as(by), *identity_, UserCases::ann())), Code::forbidden);
    EXPECT_EQ(
        code(create_user(as(by), *identity_, with(UserCases::ann(), "roles", {"Admin"}))),
        Code::forbidden
    );
    EXPECT_EQ(
        code(create_user(as(by), *identity_, with(UserCases::ann(), "roles", {"ServiceAccount"}))),
        Code::forbidden
    );
    EXPECT_EQ(code(update(root, {{"password", kOther}}, by)), Code::forbidden);
    EXPECT_EQ(code(update(root, {{"email", "mine@example.org"}}, by)), Code::forbidden);
    EXPECT_EQ(code(update(root, {{"is_active", false}}, by)), Code::forbidden);
    EXPECT_EQ(code(update(ann, {{"password", kOther}}, by)), Code::forbidden);
    EXPECT_EQ(code(update(ann, {{"roles", {"Admin"}}}, by)), Code::forbidden);
    Caller reader = by;
    reader.granted |= domain::permissions_of(std::vector{Role::viewer});
    EXPECT_TRUE(update(ann, {{"password", kOther}}, reader));
    EXPECT_EQ(code(update(ann, {{"roles", {"Analyst"}}}, reader)), Code::forbidden);
    EXPECT_TRUE(create_user(
        as(reader),
        *identity_,
        with(with(UserCases::ann(), "roles", {"Viewer"}), "email", "new@example.org")
    ));
}

TEST_F(UserCases, OfAnotherTenantDoNotExist) {
    const std::string id = add_user("ann@example.org");
    Caller foreign = local_;
    foreign.org = 2;
    EXPECT_EQ(code(get_user(as(foreign), id)), Code::not_found);
    EXPECT_EQ(code(update(id, {{"name", "x"}}, foreign)), Code::not_found);
    EXPECT_EQ(code(deactivate_user(as(foreign), *identity_, id)), Code::not_found);
    EXPECT_EQ(list_users(as(foreign), {}, {})->total, 0);
    EXPECT_EQ(code(identity_->create_token(as(foreign), "ann@example.org", 1h)), Code::not_found);
}

TEST_F(UserCases, AreListedPageByPage) {
    for (int i = 0; i < 5; ++i) {
        clock_.advance(1s);
        add_user(std::to_string(i) + "@example.org", {i % 2 == 0 ? Role::viewer : Role::analyst});
    }
    storage::ResourcePage page{.limit = 2};
    const NounList first = list_users(as(local_), {}, page).value();
    EXPECT_EQ(first.total, 5);
    EXPECT_TRUE(first.more);
    ASSERT_EQ(first.rows.size(), 2U);
    EXPECT_EQ(first.rows[0]["email"], "4@example.org");
    page.after = first.last;
    const NounList second = list_users(as(local_), {}, page).value();
    EXPECT_EQ(second.rows[0]["email"], "2@example.org");
    page.after = second.last;
    const NounList last = list_users(as(local_), {}, page).value();
    EXPECT_FALSE(last.more);
    EXPECT_FALSE(last.last);
    ASSERT_EQ(last.rows.size(), 1U);
    EXPECT_EQ(list_users(as(local_), {.role = Role::analyst}, {})->total, 2);
    EXPECT_EQ(list_users(as(local_), {.text = "3@EXAMPLE"}, {})->total, 1);
}

TEST_F(UserCases, EveryChangeIsWrittenDown) {
    const std::string id = create(ann()).value().json.value("id", "");
    ASSERT_TRUE(update(id, {{"roles", {"Viewer", "Analyst"}}, {"password", kOther}}));
    const std::vector<std::string> expected{
        "data_modification create success",
        "security permission_granted success",
        "data_modification update success",
        "security permission_granted success",
        "security permission_revoked success",
        "security password_reset success",
    };
    EXPECT_EQ(audited({.resource_id = id}), expected);
    const auto rows = audit_rows({.resource_id = id});
    const Json change = Json::parse(rows[2].details);
    EXPECT_EQ(change["before"]["roles"], Json({"Researcher", "Viewer"}));
    EXPECT_EQ(change["after"]["roles"], Json({"Analyst", "Viewer"}));
    EXPECT_FALSE(change["after"].contains("name")) << "what has not changed";
    EXPECT_EQ(Json::parse(rows[3].details)["roles"], Json({"Analyst"}));
    EXPECT_EQ(Json::parse(rows[4].details)["roles"], Json({"Researcher"}));
    EXPECT_EQ(Json::parse(rows[0].actor)["id"], "command_line");
    for (const storage::AuditRow& row : rows) {
        EXPECT_EQ(row.details.find(kOther), std::string::npos);
        EXPECT_EQ(row.details.find("argon2"), std::string::npos);
        EXPECT_EQ(row.details.find("ann@example.org"), std::string::npos);
    }
}

// The change and its record are one.
TEST_F(UserCases, WithoutItsRecordNothingHappens) {
    const std::string id = add_user("ann@example.org");
    const storage::Query block{
        "block",
        "CREATE TRIGGER block BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'full'); END"
    };
    ASSERT_TRUE(session_->exec(ctx_, block, {}));
    EXPECT_FALSE(update(id, {{"roles", {"Admin"}}}));
    EXPECT_FALSE(create(ann()));
    EXPECT_FALSE(identity_->login(as(stranger_), "ann@example.org", kPassword));
    const storage::Query unblock{"unblock", "DROP TRIGGER block"};
    ASSERT_TRUE(session_->exec(ctx_, unblock, {}));
    EXPECT_EQ(get_user(as(local_), id)->json["roles"], Json({"Researcher"}));
    EXPECT_EQ(list_users(as(local_), {}, {})->total, 1);
}

TEST(Passwords, AreRefusedWhenTheyAreEasy) {
    const auto problem = [](std::string_view password) {
        const auto all = password_problems(password, "ann.longname@example.org");
        return all.empty() ? "" : all.front();
    };
    EXPECT_EQ(problem("elevenbytes"), "must have 12 to 1024 bytes");
    EXPECT_EQ(problem("twelve bytes"), "");
    EXPECT_EQ(problem(std::string(1024, 'x')), "");
    EXPECT_EQ(problem(std::string(1025, 'x')), "must have 12 to 1024 bytes");
    EXPECT_EQ(problem("Ann.LongName@example.org"), "must not be the e-mail address");
    EXPECT_EQ(problem(" CorrectHorseBatteryStaple "), "is one of the most common passwords");
    EXPECT_EQ(problem("QWERTYUIOP123"), "is one of the most common passwords");
}

}  // namespace
}  // namespace lab::service
