#include "app/platform.h"
#include "app/serve.h"
#include "base/text.h"
#include "base/time_text.h"
#include "service/api_keys.h"
#include "service/audit.h"
#include "service/maintenance.h"
#include "service/users.h"
#include "storage/store/orgs.h"
#include "storage/store/users.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::app {
namespace {

using cli::AdminRequest;

constexpr std::size_t kOrgNameMax = 100;

Result<Json> create_user(
    const service::Request& request, service::Identity& identity, const AdminRequest& wanted
) {
    service::NewUser user;
    user.email = wanted.email;
    user.name = wanted.name.empty() ? wanted.email : wanted.name;
    user.password = wanted.password;
    for (const std::string& name : wanted.roles) {
        const auto role = domain::role_from(name);
        if (!role) {
            const std::string near = nearest(name, domain::role_names());
            return Error(
                Code::validation,
                "there is no role \"" + shorten(name, 40) + "\"" +
                    (near.empty() ? ": use one of " + join(domain::role_names(), ", ")
                                  : ", did you mean \"" + near + "\"?")
            );
        }
        user.roles.push_back(*role);
    }
    const auto tier = domain::tier_from(wanted.tier);
    if (!tier) {
        return Error(
            Code::validation,
            "there is no tier \"" + shorten(wanted.tier, 40) +
                "\": use free, standard, professional, enterprise or unlimited"
        );
    }
    user.tier = *tier;
    LAB_TRY(service::Shown made, service::create_user(request, identity, user));
    return std::move(made.json);
}

/// Errors: not_found.
Result<storage::User> user_of(const Ctx& ctx, storage::Session& session, const std::string& email) {
    LAB_TRY(auto user, storage::Users(session).find_by_email(ctx, to_lower(email)));
    if (!user) {
        return Error(Code::not_found, "there is no user with the e-mail address " + email);
    }
    return *std::move(user);
}

/// The tenant that is meant: of a new user the one that is named, else that of the user.
Result<std::int64_t> org_of(
    const Ctx& ctx, service::Deps& deps, storage::Session& session, const AdminRequest& wanted
) {
    const bool of_user = wanted.what == AdminRequest::What::create_token ||
                         wanted.what == AdminRequest::What::create_key;
    if (of_user) {
        LAB_TRY(const storage::User user, user_of(ctx, session, wanted.email));
        return user.org;
    }
    if (wanted.org.empty()) {
        return service::local_caller().org;
    }
    const std::string_view trimmed = trim(wanted.org);
    const bool plain = std::ranges::none_of(trimmed, [](unsigned char c) { return c < 0x20; });
    if (trimmed.empty() || trimmed.size() > kOrgNameMax || !plain || trimmed != wanted.org) {
        return Error(
            Code::validation, "the name of an organisation has 1 to 100 bytes in one line"
        );
    }
    LAB_TRY(
        const storage::Org org,
        storage::Orgs(session).ensure(
            ctx, wanted.org, deps.uuids->next(), format_rfc3339(deps.clock->wall())
        )
    );
    return org.key;
}

Result<Json> create_key(
    const service::Request& request, service::Identity& identity, const AdminRequest& wanted
) {
    LAB_TRY(const storage::User owner, user_of(request.ctx, request.session, wanted.email));
    const Json body = {{"name", wanted.name}, {"scopes", wanted.scopes}, {"owner_id", owner.id}};
    return service::create_key(request, identity, body);
}

/// Stands or falls with its record.
Result<Json> switch_maintenance(
    const service::Request& request, bool on, const std::string& reason
) {
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Json before, service::maintenance_status(request.ctx, request.session));
    LAB_TRY(Json after, service::set_maintenance(request, on, reason));
    service::AuditEvent event = service::audit_event(
        request.caller,
        service::AuditType::configuration,
        service::AuditAction::config_change,
        "system",
        ""
    );
    event.details = service::AuditDetails(service::audit_changes(before, after));
    LAB_CHECK(service::write_audit(request, event));
    LAB_CHECK(transaction.commit(request.ctx));
    return after;
}

}  // namespace

Result<Json> administer(
    const Settings& settings, const EnvLookup& env, const AdminRequest& wanted
) {
    LAB_TRY(Configuration configuration, read_configuration(env));
    configuration.settings.database.connections_min = 0;  // one is enough
    LAB_TRY(const auto platform, Platform::open(settings, std::move(configuration), env));
    const Ctx ctx = Ctx(*platform->deps().clock).within(std::chrono::seconds(60));
    LAB_TRY(const auto session, platform->sessions().acquire(ctx));
    service::Caller caller = service::local_caller();
    LAB_TRY(caller.org, org_of(ctx, platform->deps(), *session, wanted));
    const service::Request request{ctx, platform->deps(), *session, caller};
    switch (wanted.what) {
        case AdminRequest::What::create_user:
            return create_user(request, platform->identity(), wanted);
        case AdminRequest::What::create_token:
            return platform->identity().create_token(request, wanted.email, wanted.life);
        case AdminRequest::What::create_key:
            return create_key(request, platform->identity(), wanted);
        case AdminRequest::What::maintenance_on:
            return switch_maintenance(request, true, wanted.reason);
        case AdminRequest::What::maintenance_off:
            return switch_maintenance(request, false, wanted.reason);
        case AdminRequest::What::maintenance_status:
            return service::maintenance_status(ctx, *session);
    }
    return Error(Code::internal, "an unknown deed");
}

Result<std::vector<std::vector<std::string>>> show_server_settings(const EnvLookup& env) {
    LAB_TRY(const Configuration configuration, read_configuration(env));
    std::vector<std::vector<std::string>> rows;
    for (const SettingRow& row : configuration.settings.rows) {
        rows.push_back({row.key, row.value, row.from});
    }
    return rows;
}

}  // namespace lab::app
