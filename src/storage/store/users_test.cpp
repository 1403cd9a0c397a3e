#include "storage/store/users.h"

#include "storage/store/impl/test_store.h"
#include "storage/store/tokens.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using domain::Role;
using Names = std::vector<std::string>;

class UsersContract : public test::StoreTest {
  protected:
    static User make(const std::string& id, const std::string& email) {
        User out;
        out.id = id;
        out.email = email;
        out.name = "Name of " + id;
        out.roles = {Role::researcher};
        out.created_at = out.updated_at = "2026-01-02T03:04:05.00000" + id.substr(2) + "Z";
        return out;
    }
    User create(const std::string& id, const std::string& email, std::vector<Role> roles = {}) {
        User out = make(id, email);
        out.roles = std::move(roles);
        EXPECT_TRUE(users_.create(ctx_, out));
        return out;
    }
    Names ids(const UserFilter& filter, const ResourcePage& page = {}) {
        Names out;
        for (const User& one : users_.list(ctx_, 1, filter, page).value()) {
            out.push_back(one.id);
        }
        return out;
    }
    Users users_{*session_};
};

TEST_P(UsersContract, ComeBackAsTheyWere) {
    User made = make("u-1", "ann@example.org");
    made.roles = {Role::viewer, Role::admin};
    made.tier = domain::Tier::enterprise;
    made.password_hash = "$argon2id$...";
    ASSERT_TRUE(users_.create(ctx_, made));
    for (const auto& found :
         {users_.find(ctx_, 1, "u-1").value(), users_.find_by_email(ctx_, made.email).value()}) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->key, made.key);
        EXPECT_EQ(found->id, "u-1");
        EXPECT_EQ(found->org_id, "00000000-0000-4000-8000-000000000001");
        EXPECT_EQ(found->email, made.email);
        EXPECT_EQ(found->name, made.name);
        EXPECT_EQ(found->roles, (std::vector{Role::admin, Role::viewer}));
        EXPECT_EQ(found->tier, domain::Tier::enterprise);
        EXPECT_EQ(found->password_hash, made.password_hash);
        EXPECT_TRUE(found->is_active);
        EXPECT_EQ(found->revision, 1);
        EXPECT_EQ(found->last_login_at, "");
        EXPECT_EQ(found->created_at, made.created_at);
    }
    EXPECT_FALSE(users_.find(ctx_, 2, "u-1").value()) << "other tenants do not see them";
    EXPECT_FALSE(users_.find_by_email(ctx_, "bob@example.org").value());
}

TEST_P(UsersContract, AnAddressIsOfOneUserInAllTenants) {
    create("u-1", "ann@example.org");
    User again = make("u-2", "ann@example.org");
    EXPECT_EQ(users_.create(ctx_, again).error().code, Code::conflict);
    User bob = create("u-3", "bob@example.org");
    bob.email = "ann@example.org";
    EXPECT_EQ(users_.update(ctx_, bob).error().code, Code::conflict);
    User lost = make("u-4", "zoe@example.org");
    lost.org = 7;
    EXPECT_EQ(users_.create(ctx_, lost).error().code, Code::conflict) << "there is no such tenant";
}

TEST_P(UsersContract, ALateWriterChangesNothing) {
    User first = create("u-1", "ann@example.org");
    User second = first;
    first.is_active = false;
    first.name = "Ann";
    first.password_hash = "new";
    EXPECT_TRUE(users_.update(ctx_, first).value());
    EXPECT_EQ(first.revision, 2);
    second.name = "Late";
    EXPECT_FALSE(users_.update(ctx_, second).value());
    User foreign = first;
    foreign.org = 2;
    EXPECT_FALSE(users_.update(ctx_, foreign).value());
    const User stored = *users_.find(ctx_, 1, "u-1").value();
    EXPECT_EQ(stored.name, "Ann");
    EXPECT_FALSE(stored.is_active);
    EXPECT_EQ(stored.password_hash, "new");
}

TEST_P(UsersContract, ALoginIsNoChange) {
    User user = create("u-1", "ann@example.org");
    user.password_hash = "old";
    ASSERT_TRUE(users_.update(ctx_, user).value());
    ASSERT_TRUE(users_.note_login(ctx_, 1, "u-1", "2026-02-01T00:00:00.000000Z", ""));
    User stored = *users_.find(ctx_, 1, "u-1").value();
    EXPECT_EQ(stored.last_login_at, "2026-02-01T00:00:00.000000Z");
    EXPECT_EQ(stored.password_hash, "old");
    EXPECT_EQ(stored.revision, 2);
    ASSERT_TRUE(users_.note_login(ctx_, 1, "u-1", "2026-02-02T00:00:00.000000Z", "rehashed"));
    ASSERT_TRUE(users_.note_login(ctx_, 2, "u-1", "2026-02-03T00:00:00.000000Z", "foreign"));
    stored = *users_.find(ctx_, 1, "u-1").value();
    EXPECT_EQ(stored.last_login_at, "2026-02-02T00:00:00.000000Z");
    EXPECT_EQ(stored.password_hash, "rehashed");
}

TEST_P(UsersContract, EveryFilterHolds) {
    create("u-1", "ann@example.org", {Role::admin, Role::viewer});
    create("u-2", "bob_b@example.org", {Role::viewer});
    User gone = create("u-3", "cy@example.org", {Role::admin});
    gone.is_active = false;
    ASSERT_TRUE(users_.update(ctx_, gone).value());
    EXPECT_EQ(ids({}), (Names{"u-3", "u-2", "u-1"}));
    EXPECT_EQ(ids({.is_active = true}), (Names{"u-2", "u-1"}));
    EXPECT_EQ(ids({.role = Role::admin}), (Names{"u-3", "u-1"}));
    EXPECT_EQ(ids({.is_active = true, .role = Role::admin}), Names{"u-1"});
    EXPECT_EQ(ids({.text = "ann@"}), Names{"u-1"});
    EXPECT_EQ(ids({.text = "name of u-2"}), Names{"u-2"});
    EXPECT_EQ(ids({.text = "b_b"}), Names{"u-2"});
    EXPECT_EQ(ids({.text = "%"}), Names{}) << "no wildcard";
    EXPECT_EQ(users_.count(ctx_, 1, {.role = Role::admin}).value(), 2);
    EXPECT_EQ(users_.count(ctx_, 2, {}).value(), 0);
    EXPECT_EQ(users_.list(ctx_, 2, {}, {}).value().size(), 0U);
}

TEST_P(UsersContract, PagesFollowEachOther) {
    for (int i = 1; i <= 5; ++i) {
        create("u-" + std::to_string(i), std::to_string(i) + "@example.org");
    }
    EXPECT_EQ(ids({}, {.limit = 2, .offset = 1}), (Names{"u-4", "u-3"}));
    const User third = *users_.find(ctx_, 1, "u-3").value();
    const ResourceCursor behind{third.created_at, third.id};
    EXPECT_EQ(ids({}, {.after = behind}), (Names{"u-2", "u-1"}));
    EXPECT_EQ(ids({}, {.descending = false, .after = behind}), (Names{"u-4", "u-5"}));
}

TEST_P(UsersContract, ATokenStandsAndFallsWithUserLoginAndItself) {
    create("u-1", "ann@example.org");
    create("u-2", "bob@example.org");
    LoginSessions logins(*session_);
    ASSERT_TRUE(logins.create(
        ctx_, {.family = "f-1", .user_id = "u-1", .expires_at = "9", .created_at = "1"}
    ));
    TokenState state = *users_.find_for_token(ctx_, "u-1", "j-1", "f-1").value();
    EXPECT_EQ(state.user.email, "ann@example.org");
    EXPECT_FALSE(state.is_revoked);
    EXPECT_TRUE(state.session_alive);
    EXPECT_FALSE(users_.find_for_token(ctx_, "u-2", "j-1", "f-1").value()->session_alive)
        << "the login is another user's";
    EXPECT_FALSE(users_.find_for_token(ctx_, "u-1", "j-1", "").value()->session_alive);
    EXPECT_FALSE(users_.find_for_token(ctx_, "u-9", "j-1", "f-1").value());
    ASSERT_TRUE(RevokedTokens(*session_).add(ctx_, "j-1", "9"));
    EXPECT_TRUE(users_.find_for_token(ctx_, "u-1", "j-1", "f-1").value()->is_revoked);
    EXPECT_FALSE(users_.find_for_token(ctx_, "u-1", "j-2", "f-1").value()->is_revoked);
    ASSERT_TRUE(logins.end(ctx_, "u-1", "f-1", "2", "logout").value());
    EXPECT_FALSE(users_.find_for_token(ctx_, "u-1", "j-2", "f-1").value()->session_alive);
}

TEST_P(UsersContract, KnowWhetherThereIsAny) {
    EXPECT_FALSE(users_.any(ctx_).value());
    create("u-1", "ann@example.org");
    EXPECT_TRUE(users_.any(ctx_).value());
    EXPECT_TRUE(users_.lock(ctx_, 1));
}

LAB_ALL_BACKENDS(UsersContract);

}  // namespace
}  // namespace lab::storage
