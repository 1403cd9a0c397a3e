#include "domain/access.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace lab::domain {
namespace {

/// The table of the contract: for each role the permissions it has, as a person would write it.
const std::map<Role, std::set<std::string_view>>& contract() {
    static const std::set<std::string_view> kReads{
        "ReadExperiment", "ReadDataset", "ReadModel", "ReadPrompt", "ReadMetrics"
    };
    static const auto with = [](std::set<std::string_view> more) {
        more.insert(kReads.begin(), kReads.end());
        return more;
    };
    static const std::map<Role, std::set<std::string_view>> kTable{
        {Role::researcher,
         with(
             {"CreateExperiment",
              "UpdateExperiment",
              "DeleteExperiment",
              "RunExperiment",
              "CreatePrompt",
              "UpdatePrompt",
              "DeletePrompt",
              "ExportData"}
         )},
        {Role::analyst, with({"ExportData"})},
        {Role::data_engineer,
         with({"CreateDataset", "UpdateDataset", "DeleteDataset", "ExportData"})},
        {Role::model_engineer, with({"CreateModel", "UpdateModel", "DeleteModel"})},
        {Role::viewer, with({})},
    };
    return kTable;
}

TEST(Access, RolesGrantWhatTheContractSays) {
    for (const auto& [role, names] : contract()) {
        const PermissionSet granted = permissions_of(std::vector{role});
        for (std::size_t i = 0; i < kPermissions; ++i) {
            const std::string_view name = to_string(static_cast<Permission>(i));
            EXPECT_EQ(granted[i], names.contains(name)) << to_string(role) << " " << name;
        }
    }
    EXPECT_TRUE(permissions_of(std::vector{Role::admin}).all());
    EXPECT_TRUE(permissions_of(std::vector<Role>{}).none());
}

TEST(Access, SeveralRolesAddUp) {
    const PermissionSet both = permissions_of(std::vector{Role::analyst, Role::model_engineer});
    EXPECT_TRUE(both[static_cast<std::size_t>(Permission::export_data)]);
    EXPECT_TRUE(both[static_cast<std::size_t>(Permission::create_model)]);
    EXPECT_FALSE(both[static_cast<std::size_t>(Permission::create_dataset)]);
}

TEST(Access, ScopesNarrowAndEveryPermissionHasOne) {
    for (std::size_t i = 0; i < kPermissions; ++i) {
        EXPECT_TRUE(is_scope(scope_of(static_cast<Permission>(i))));
    }
    const PermissionSet one = permissions_of_scopes(std::vector<std::string>{"experiments:write"});
    EXPECT_EQ(one.count(), 2U);
    EXPECT_TRUE(permissions_of_scopes(std::vector<std::string>{"*"}).all());
    EXPECT_TRUE(permissions_of_scopes(std::vector<std::string>{"experiments:*", ""}).none());
    EXPECT_FALSE(is_scope("experiments"));
}

TEST(Access, NamesAreReadLeniently) {
    EXPECT_EQ(role_from("data_engineer"), Role::data_engineer);
    EXPECT_EQ(role_from("ADMIN"), Role::admin);
    EXPECT_FALSE(role_from("System"));
    EXPECT_EQ(tier_from("premium"), Tier::professional);
    EXPECT_EQ(tier_from("basic"), Tier::standard);
    EXPECT_FALSE(tier_from("gold"));
    EXPECT_EQ(visibility_from("private"), Visibility::private_);
}

TEST(Access, ObjectsBelongToSomebody) {
    ObjectAccess object{.owner = "ann", .collaborators = {"bob"}, .visibility = Visibility::org};
    for (const Deed deed : {Deed::read, Deed::update, Deed::run, Deed::remove}) {
        EXPECT_TRUE(object_allows(object, "ann", false, deed));
        EXPECT_TRUE(object_allows(object, "zoe", true, deed));
        EXPECT_EQ(object_allows(object, "bob", false, deed), deed != Deed::remove);
        EXPECT_TRUE(object_allows(object, "zoe", false, deed)) << "what all see, roles decide on";
    }
    for (const Visibility hidden : {Visibility::private_, Visibility::team}) {
        object.visibility = hidden;
        EXPECT_FALSE(object_allows(object, "zoe", false, Deed::read));
        EXPECT_FALSE(object_allows(object, "", false, Deed::read)) << "nobody is not the owner";
        EXPECT_TRUE(object_allows(object, "zoe", true, Deed::remove));
        EXPECT_TRUE(object_allows(object, "bob", false, Deed::run));
        EXPECT_FALSE(object_allows(object, "bob", false, Deed::remove));
    }
    object.owner = "";
    EXPECT_FALSE(object_allows(object, "", false, Deed::update));
}

}  // namespace
}  // namespace lab::domain
