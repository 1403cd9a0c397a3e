#include "storage/store/api_keys.h"

#include "storage/store/impl/queries.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using domain::Role;
using Names = std::vector<std::string>;

class ApiKeysContract : public test::StoreTest {
  protected:
    ApiKeysContract() {
        for (const char* const id : {"u-1", "u-2"}) {
            User user;
            user.id = id;
            user.email = std::string(id) + "@example.org";
            user.roles = {Role::researcher};
            user.created_at = user.updated_at = "2026-01-01T00:00:00.000000Z";
            EXPECT_TRUE(Users(*session_).create(ctx_, user));
        }
    }
    static ApiKey make(const std::string& id, const std::string& owner = "u-1") {
        ApiKey out;
        out.id = id;
        out.owner_id = owner;
        out.name = "key " + id;
        out.key_prefix = "prefix" + id.substr(1);
        out.key_hash = std::string("\0\xff hash", 7) + id;
        out.scopes = {"experiments:read"};
        out.roles = {Role::researcher};
        out.created_at = "2026-01-01T00:00:00.00000" + id.substr(2) + "Z";
        return out;
    }
    ApiKey create(const std::string& id, const std::string& owner = "u-1") {
        ApiKey out = make(id, owner);
        EXPECT_TRUE(keys_.create(ctx_, out));
        return out;
    }
    Names ids(const ApiKeyFilter& filter, const ResourcePage& page = {}) {
        Names out;
        for (const ApiKey& one : keys_.list(ctx_, 1, filter, page).value()) {
            out.push_back(one.id);
        }
        EXPECT_GE(keys_.count(ctx_, 1, filter).value().rows, std::ssize(out));
        return out;
    }
    ApiKeys keys_{*session_};
};

TEST_P(ApiKeysContract, ComeBackAsTheyWere) {
    ApiKey made = make("k-1");
    made.scopes = {"models:read", "*"};
    made.roles = {Role::viewer, Role::service_account};
    made.tier = domain::Tier::unlimited;
    made.expires_at = "2027-01-01T00:00:00.000000Z";
    ASSERT_TRUE(keys_.create(ctx_, made));
    const ApiKey found = *keys_.find(ctx_, 1, "k-1").value();
    EXPECT_EQ(found.key, made.key);
    EXPECT_EQ(found.owner_id, "u-1");
    EXPECT_EQ(found.name, "key k-1");
    EXPECT_EQ(found.key_prefix, made.key_prefix);
    EXPECT_EQ(found.key_hash, made.key_hash);
    EXPECT_EQ(found.scopes, (Names{"*", "models:read"}));
    EXPECT_EQ(found.roles, (std::vector{Role::service_account, Role::viewer}));
    EXPECT_EQ(found.tier, domain::Tier::unlimited);
    EXPECT_TRUE(found.is_active);
    EXPECT_EQ(found.expires_at, made.expires_at);
    EXPECT_EQ(found.last_used_at, "");
    EXPECT_EQ(found.created_at, made.created_at);
    EXPECT_FALSE(keys_.find(ctx_, 2, "k-1").value()) << "other tenants do not see it";
    ApiKey same = make("k-2");
    same.key_prefix = made.key_prefix;
    EXPECT_EQ(keys_.create(ctx_, same).error().code, Code::conflict);
    ApiKey nobodys = make("k-3", "u-9");
    EXPECT_EQ(keys_.create(ctx_, nobodys).error().code, Code::conflict);
}

TEST_P(ApiKeysContract, ACheckAlwaysHasARowToCompareWith) {
    EXPECT_FALSE(keys_.find_for_check(ctx_, "prefix-1").value()) << "there are none";
    create("k-1");
    create("k-2", "u-2");
    const KeyAndOwner found = *keys_.find_for_check(ctx_, "prefix-2").value();
    EXPECT_EQ(found.key.id, "k-2");
    EXPECT_EQ(found.owner.id, "u-2");
    EXPECT_EQ(found.owner.org_id, "00000000-0000-4000-8000-000000000001");
    const KeyAndOwner decoy = *keys_.find_for_check(ctx_, "unknown").value();
    EXPECT_NE(decoy.key.key_prefix, "unknown");
    EXPECT_FALSE(decoy.key.id.empty());
    for (const std::string_view attack :
         {"' OR 1=1 --", "prefix-%", "prefix_1", "", "prefix-1'; DROP TABLE api_keys; --"}) {
        EXPECT_NE(keys_.find_for_check(ctx_, attack).value()->key.key_prefix, attack);
    }
    EXPECT_EQ(keys_.count(ctx_, 1, {}).value(), 2);
}

TEST_P(ApiKeysContract, AreListedByOwnerAndState) {
    create("k-1");
    create("k-2", "u-2");
    create("k-3");
    ASSERT_TRUE(keys_.revoke(ctx_, 1, "k-3").value());
    EXPECT_EQ(ids({}), (Names{"k-3", "k-2", "k-1"}));
    EXPECT_EQ(ids({.is_active = true}), (Names{"k-2", "k-1"}));
    EXPECT_EQ(ids({.owner = "u-1"}), (Names{"k-3", "k-1"}));
    EXPECT_EQ(ids({.is_active = false, .owner = "u-1"}), Names{"k-3"});
    EXPECT_EQ(keys_.list(ctx_, 2, {}, {}).value().size(), 0U);
    EXPECT_EQ(ids({}, {.limit = 1, .offset = 1}), Names{"k-2"});
    const ApiKey second = *keys_.find(ctx_, 1, "k-2").value();
    EXPECT_EQ(ids({}, {.after = ResourceCursor{second.created_at, "k-2"}}), Names{"k-1"});
    EXPECT_EQ(
        ids({}, {.descending = false, .after = ResourceCursor{second.created_at, "k-2"}}),
        Names{"k-3"}
    );
}

TEST_P(ApiKeysContract, EndOnceAndForAll) {
    create("k-1");
    EXPECT_FALSE(keys_.revoke(ctx_, 2, "k-1").value());
    EXPECT_TRUE(keys_.revoke(ctx_, 1, "k-1").value());
    EXPECT_FALSE(keys_.revoke(ctx_, 1, "k-1").value());
    EXPECT_FALSE(keys_.expire(ctx_, 1, "k-1", "2026-02-01T00:00:00.000000Z").value());
    create("k-2");
    EXPECT_FALSE(keys_.expire(ctx_, 2, "k-2", "2026-02-01T00:00:00.000000Z").value());
    EXPECT_TRUE(keys_.expire(ctx_, 1, "k-2", "2026-03-01T00:00:00.000000Z").value());
    EXPECT_TRUE(keys_.expire(ctx_, 1, "k-2", "2026-02-01T00:00:00.000000Z").value());
    EXPECT_TRUE(keys_.expire(ctx_, 1, "k-2", "2026-04-01T00:00:00.000000Z").value());
    EXPECT_EQ(keys_.find(ctx_, 1, "k-2").value()->expires_at, "2026-02-01T00:00:00.000000Z")
        << "never later than it would";
}

TEST_P(ApiKeysContract, RememberTheLatestUse) {
    create("k-1");
    ASSERT_TRUE(keys_.note_used(ctx_, 1, "k-1", "2026-02-02T00:00:00.000000Z"));
    ASSERT_TRUE(keys_.note_used(ctx_, 1, "k-1", "2026-02-01T00:00:00.000000Z"));
    ASSERT_TRUE(keys_.note_used(ctx_, 2, "k-1", "2026-02-03T00:00:00.000000Z"));
    EXPECT_EQ(keys_.find(ctx_, 1, "k-1").value()->last_used_at, "2026-02-02T00:00:00.000000Z");
}

// Asked for every request that the cache does not know.
TEST_P(ApiKeysContract, ChecksGoByIndexes) {
    auto transaction = Transaction::begin(ctx_, *session_);
    ASSERT_TRUE(transaction);
    if (!test::is_sqlite(GetParam())) {
        // Of an empty table every plan is as good as another.
        constexpr Query kNoScans{"no_scans", "SET LOCAL enable_seqscan = off"};
        ASSERT_TRUE(session_->exec(ctx_, kNoScans, {}));
    }
    for (const auto& family : {api_key_queries(), user_queries()}) {
        for (const Query* query : family) {
            if (!query->name.ends_with("_for_check") && !query->name.ends_with("_for_token")) {
                continue;
            }
            const bool is_sqlite = test::is_sqlite(GetParam());
            const std::string sql =
                (is_sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN ") + std::string(query->sql);
            const Query explain{"explain", sql};
            const std::size_t parameters = query->name.ends_with("_for_check") ? 1 : 3;
            const std::vector<Value> values(parameters, Value(std::string_view("x")));
            ASSERT_TRUE(session_->query(ctx_, explain, values, [&](const Row& row) {
                // SQLite reads MIN(key) from the first row; the plan calls it a search all the
                // same.
                const std::string_view plan = row.text(is_sqlite ? 3 : 0);
                EXPECT_FALSE(plan.starts_with("SCAN ")) << query->name << plan;
                EXPECT_EQ(plan.find("Seq Scan"), plan.npos) << query->name << plan;
                return ok();
            }));
        }
    }
}

LAB_ALL_BACKENDS(ApiKeysContract);

}  // namespace
}  // namespace lab::storage
