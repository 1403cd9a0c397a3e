#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Who may do what: permissions, the roles that grant them, the scopes of keys that narrow them,
/// and the rules of single objects.
namespace lab::domain {

enum class Permission : std::uint8_t {
    create_experiment,
    update_experiment,
    read_experiment,
    delete_experiment,
    run_experiment,
    create_dataset,
    update_dataset,
    delete_dataset,
    read_dataset,
    create_model,
    update_model,
    delete_model,
    read_model,
    create_prompt,
    update_prompt,
    delete_prompt,
    read_prompt,
    read_metrics,
    export_data,
    manage_users,
    manage_api_keys,
    view_audit_logs,
};
inline constexpr std::size_t kPermissions = 22;
using PermissionSet = std::bitset<kPermissions>;

enum class Role : std::uint8_t {
    admin,
    researcher,
    analyst,
    data_engineer,
    model_engineer,
    viewer,
    service_account,  ///< grants what the key's scopes say and nothing else
};
inline constexpr std::size_t kRoles = 7;

/// "CreateExperiment"
std::string_view to_string(Permission permission);
/// What a key must carry for it: "experiments:write". `metrics:write` is a scope of its own.
std::string_view scope_of(Permission permission);
/// "Admin", "DataEngineer"; case and "_" do not matter when read.
std::string_view to_string(Role role);
std::optional<Role> role_from(std::string_view text);
std::vector<std::string> role_names();

/// Every scope a key may have, "*" first.
std::span<const std::string_view> all_scopes();
bool is_scope(std::string_view text);

PermissionSet permissions_of(std::span<const Role> roles);
/// "*" grants everything.
PermissionSet permissions_of_scopes(std::span<const std::string> scopes);

/// How many requests a caller may make in an hour, and at once.
enum class Tier : std::uint8_t { free, standard, professional, enterprise, unlimited };
std::string_view to_string(Tier tier);
/// Also basic (standard), pro and premium (professional).
std::optional<Tier> tier_from(std::string_view text);
struct TierLimits {
    std::int64_t requests_per_hour;  ///< 0 = no limit
    std::int64_t burst;              ///< caps the bucket of the short window; 0 = no cap
};
TierLimits limits_of(Tier tier);

enum class Visibility : std::uint8_t { private_, team, org };
/// private, team, org
std::string_view to_string(Visibility visibility);
std::optional<Visibility> visibility_from(std::string_view text);

/// What of an object decides about access to it. Users are ids.
struct ObjectAccess {
    std::string owner;
    std::vector<std::string> collaborators;
    Visibility visibility = Visibility::org;
};
enum class Deed : std::uint8_t { read, update, run, remove };
/// Whether the object lets this user do it, when a role already does: the owner and admins
/// everything, collaborators all but remove, others everything while it is visible to the whole org
/// (then their roles alone decide). `team` means the collaborators.
bool object_allows(const ObjectAccess& object, std::string_view user, bool is_admin, Deed deed);

}  // namespace lab::domain
