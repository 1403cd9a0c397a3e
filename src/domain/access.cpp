#include "domain/access.h"

#include <algorithm>

namespace lab::domain {
namespace {

struct PermissionInfo {
    std::string_view name;
    std::string_view scope;
};
constexpr std::array<PermissionInfo, kPermissions> kPermissionTable{{
    {"CreateExperiment", "experiments:write"},
    {"UpdateExperiment", "experiments:write"},
    {"ReadExperiment", "experiments:read"},
    {"DeleteExperiment", "experiments:delete"},
    {"RunExperiment", "experiments:execute"},
    {"CreateDataset", "datasets:write"},
    {"UpdateDataset", "datasets:write"},
    {"DeleteDataset", "datasets:delete"},
    {"ReadDataset", "datasets:read"},
    {"CreateModel", "models:write"},
    {"UpdateModel", "models:write"},
    {"DeleteModel", "models:delete"},
    {"ReadModel", "models:read"},
    {"CreatePrompt", "prompts:write"},
    {"UpdatePrompt", "prompts:write"},
    {"DeletePrompt", "prompts:delete"},
    {"ReadPrompt", "prompts:read"},
    {"ReadMetrics", "metrics:read"},
    {"ExportData", "data:export"},
    {"ManageUsers", "users:manage"},
    {"ManageApiKeys", "api_keys:manage"},
    {"ViewAuditLogs", "audit:read"},
}};

constexpr std::string_view kScopes[] = {
    "*",
    "experiments:read",
    "experiments:write",
    "experiments:delete",
    "experiments:execute",
    "models:read",
    "models:write",
    "models:delete",
    "datasets:read",
    "datasets:write",
    "datasets:delete",
    "metrics:read",
    "metrics:write",
    "metrics:delete",
    "prompts:read",
    "prompts:write",
    "prompts:delete",
    "data:export",
    "users:manage",
    "api_keys:manage",
    "audit:read",
};

constexpr std::array<std::string_view, kRoles> kRoleNames{
    "Admin", "Researcher", "Analyst", "DataEngineer", "ModelEngineer", "Viewer", "ServiceAccount"
};

using enum Permission;
constexpr Permission kReads[] = {
    read_experiment, read_dataset, read_model, read_prompt, read_metrics
};
constexpr Permission kResearcher[] = {
    create_experiment,
    update_experiment,
    delete_experiment,
    run_experiment,
    create_prompt,
    update_prompt,
    delete_prompt,
    export_data,
};
constexpr Permission kAnalyst[] = {export_data};
constexpr Permission kDataEngineer[] = {
    create_dataset, update_dataset, delete_dataset, export_data
};
constexpr Permission kModelEngineer[] = {create_model, update_model, delete_model};

void add(PermissionSet& to, std::span<const Permission> permissions) {
    for (const Permission permission : permissions) {
        to.set(static_cast<std::size_t>(permission));
    }
}

PermissionSet permissions_of_role(Role role) {
    PermissionSet out;
    switch (role) {
        case Role::admin:
            return out.set();
        case Role::service_account:
            return out.set();  // the key's scopes are the only limit
        case Role::researcher:
            add(out, kResearcher);
            break;
        case Role::analyst:
            add(out, kAnalyst);
            break;
        case Role::data_engineer:
            add(out, kDataEngineer);
            break;
        case Role::model_engineer:
            add(out, kModelEngineer);
            break;
        case Role::viewer:
            break;
    }
    add(out, kReads);
    return out;
}

/// Lower case without "_".
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c != '_') {
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return out;
}

template <class Enum, std::size_t n>
std::optional<Enum> find_name(const std::array<std::string_view, n>& names, std::string_view text) {
    const auto at = std::ranges::find(names, text);
    return at == names.end() ? std::nullopt : std::optional(static_cast<Enum>(at - names.begin()));
}

constexpr std::array<std::string_view, 5> kTierNames{
    "free", "standard", "professional", "enterprise", "unlimited"
};
constexpr std::array<TierLimits, 5> kTierLimits{
    {{100, 10}, {1'000, 50}, {10'000, 200}, {100'000, 0}, {0, 0}}
};
constexpr std::array<std::string_view, 3> kVisibilityNames{"private", "team", "org"};

}  // namespace

std::string_view to_string(Permission permission) {
    return kPermissionTable[static_cast<std::size_t>(permission)].name;
}
std::string_view scope_of(Permission permission) {
    return kPermissionTable[static_cast<std::size_t>(permission)].scope;
}

std::string_view to_string(Role role) { return kRoleNames[static_cast<std::size_t>(role)]; }

std::optional<Role> role_from(std::string_view text) {
    const std::string wanted = plain(text);
    for (std::size_t i = 0; i < kRoles; ++i) {
        if (plain(kRoleNames[i]) == wanted) {
            return static_cast<Role>(i);
        }
    }
    return std::nullopt;
}

std::vector<std::string> role_names() { return {kRoleNames.begin(), kRoleNames.end()}; }

std::span<const std::string_view> all_scopes() { return kScopes; }

bool is_scope(std::string_view text) {
    return std::ranges::find(kScopes, text) != std::end(kScopes);
}

PermissionSet permissions_of(std::span<const Role> roles) {
    PermissionSet out;
    for (const Role role : roles) {
        out |= permissions_of_role(role);
    }
    return out;
}

PermissionSet permissions_of_scopes(std::span<const std::string> scopes) {
    PermissionSet out;
    for (std::size_t i = 0; i < kPermissions; ++i) {
        out[i] = std::ranges::any_of(scopes, [&](const std::string& scope) {
            return scope == "*" || scope == kPermissionTable[i].scope;
        });
    }
    return out;
}

std::string_view to_string(Tier tier) { return kTierNames[static_cast<std::size_t>(tier)]; }

std::optional<Tier> tier_from(std::string_view text) {
    const std::string lower = plain(text);
    if (lower == "basic") {
        return Tier::standard;
    }
    if (lower == "pro" || lower == "premium") {
        return Tier::professional;
    }
    return find_name<Tier>(kTierNames, lower);
}

TierLimits limits_of(Tier tier) { return kTierLimits[static_cast<std::size_t>(tier)]; }

std::string_view to_string(Visibility visibility) {
    return kVisibilityNames[static_cast<std::size_t>(visibility)];
}

std::optional<Visibility> visibility_from(std::string_view text) {
    return find_name<Visibility>(kVisibilityNames, text);
}

bool object_allows(const ObjectAccess& object, std::string_view user, bool is_admin, Deed deed) {
    if (is_admin || (!user.empty() && user == object.owner)) {
        return true;
    }
    const bool collaborates = !user.empty() && std::ranges::find(object.collaborators, user) !=
                                                   object.collaborators.end();
    if (collaborates) {
        return deed != Deed::remove;
    }
    return object.visibility == Visibility::org;
}

}  // namespace lab::domain
