#pragma once
#include "service/nouns.h"
#include "storage/objects/impl/test_folder.h"
#include "storage/store/sqlite.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

/// For the tests of nouns.
namespace lab::service::test {

class NumberedUuids final : public UuidSource {
  public:
    std::string next() override {
        ++count_;
        return make_uuid(count_ << 32U, count_);
    }

  private:
    std::uint64_t count_ = 0;
};

/// A store, a folder of objects, and some people: ann and bob are researchers and data engineers
/// and may write prompts and datasets, vic may only look, root is an administrator, eve is ann of
/// another tenant.
class PlatformTest : public testing::Test {
  protected:
    PlatformTest() {
        auto opened = storage::open_sqlite(ctx_, {.path = ":memory:"});
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        database_ = *std::move(opened);
        EXPECT_TRUE(database_->migrate(ctx_));
        auto session = database_->open_session(ctx_);
        EXPECT_TRUE(session);
        session_ = *std::move(session);
        static constexpr storage::Query kAddOrg{
            "add_org_of_test",
            "INSERT INTO orgs (key, id, name, created_at) VALUES (2, 'other', 'other', '2026')"
        };
        EXPECT_TRUE(session_->exec(ctx_, kAddOrg, {}));
        deps_.clock = &clock_;
        deps_.uuids = &uuids_;
        deps_.scratch_folder = home_.path();
        deps_.objects = [this]() -> Result<storage::ObjectFolder*> { return &objects_; };
        using domain::Role;
        ann_ =
            person("aaaaaaaa-0000-4000-8000-000000000001", {Role::researcher, Role::data_engineer});
        bob_ =
            person("bbbbbbbb-0000-4000-8000-000000000002", {Role::researcher, Role::data_engineer});
        vic_ = person("cccccccc-0000-4000-8000-000000000003", {Role::viewer});
        root_ = person("dddddddd-0000-4000-8000-000000000004", {Role::admin});
        eve_ = ann_;
        eve_.org = 2;
    }
    static Caller person(const std::string& id, std::initializer_list<domain::Role> roles) {
        Caller out;
        out.kind = Caller::Kind::user;
        out.user_id = id;
        out.roles = roles;
        out.granted = domain::permissions_of(out.roles);
        return out;
    }
    Request as(const Caller& caller) { return {ctx_, deps_, *session_, caller}; }

    /// As it is shown.
    Json create(const Caller& caller, const Noun& noun, const char* body) {
        const auto made = create_noun(as(caller), noun, Json::parse(body));
        EXPECT_TRUE(made) << (made ? "" : words(made.error()));
        return made ? made->json : Json::object();
    }
    Json update(const Caller& caller, const Noun& noun, const std::string& id, const char* body) {
        const auto made = update_noun(as(caller), noun, id, Json::parse(body), std::nullopt);
        EXPECT_TRUE(made) << (made ? "" : words(made.error()));
        return made ? made->json : Json::object();
    }
    Json get(const Caller& caller, const Noun& noun, const std::string& id) {
        const auto found = get_noun(as(caller), noun, id);
        EXPECT_TRUE(found) << (found ? "" : words(found.error()));
        return found ? found->json : Json::object();
    }
    /// Of any kind, past all checks: something that names something else.
    std::string plant(
        storage::ResourceKind kind, const Caller& owner, const std::string& name, const Json& body
    ) {
        storage::Resource one;
        one.id = uuids_.next();
        one.name = name;
        one.access.owner = owner.user_id;
        one.body = dump_json(body);
        one.created_at = one.updated_at = format_rfc3339(clock_.wall());
        EXPECT_TRUE(storage::Resources(*session_, kind).create(ctx_, one));
        return one.id;
    }
    /// "VALIDATION_ERROR: message | field: message | ..."
    static std::string words(const Error& error) {
        std::string out(info(error.code).wire_name);
        out += ": " + error.message;
        for (const Detail& detail : error.details) {
            out += " | " + detail.field + ": " + detail.message;
        }
        return out;
    }
    template <class T>
    static std::string refusal(const Result<T>& result) {
        EXPECT_FALSE(result) << "it was not refused";
        return result ? "" : words(result.error());
    }
    template <class T>
    static Code code_of(const Result<T>& result) {
        EXPECT_FALSE(result) << "it was not refused";
        return result ? Code::internal : result.error().code;
    }

    lab::test::ManualClock clock_;
    Ctx ctx_{clock_};
    storage::test::TestFolder home_;
    storage::ObjectFolder objects_{home_.file("objects")};
    NumberedUuids uuids_;
    std::unique_ptr<storage::Database> database_;
    std::unique_ptr<storage::Session> session_;
    Deps deps_;
    Caller ann_, bob_, vic_, root_, eve_;
};

}  // namespace lab::service::test
