#include "api/users.h"

#include "api/lists.h"
#include "api/nouns.h"
#include "service/api_keys.h"
#include "service/audit.h"
#include "service/users.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

using domain::Permission;

Route route(
    std::string_view method,
    std::string_view path,
    std::string_view summary,
    Permission permission,
    Handler handler
) {
    Route out;
    out.method = method;
    out.path = path;
    out.summary = summary;
    out.tag = permission == Permission::view_audit_logs ? "Audit"
              : permission == Permission::manage_users  ? "Users"
                                                        : "API keys";
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

/// A list of anything that is listed like a noun.
template <class ListRows>
Handler list_handler(const SigningKeys& signing, std::string_view resource, ListRows rows) {
    return [&signing, resource, rows](Call& call) -> Result<Reply> {
        const auto source = [rows](const Call& asked, const ListQuery& query) -> Result<ListPage> {
            LAB_TRY(service::NounList found, rows(asked, page_of(query)));
            return page_shown(std::move(found));
        };
        return reply_list(call, signing, {.resource = resource, .source = source});
    };
}

void add_users(std::vector<Route>& out, service::Identity& identity, const SigningKeys& signing) {
    Route create = route(
        "POST",
        "/admin/users",
        "Make a user",
        Permission::manage_users,
        [&identity](Call& call) -> Result<Reply> {
            LAB_TRY(auto made, service::create_user(call.request(), identity, call.body()));
            return reply_shown(std::move(made), 201);
        }
    );
    create.body = BodyKind::json;
    create.any_content_type = true;
    create.request_schema = &service::new_user_schema();
    create.success = 201;
    create.errors = {409};
    out.push_back(std::move(create));
    Route list = route(
        "GET",
        "/admin/users",
        "List the users",
        Permission::manage_users,
        list_handler(
            signing,
            "user",
            [](const Call& call, const storage::ResourcePage& page) {
                return service::list_users(call.request(), {}, page);
            }
        )
    );
    list.query = list_parameters();
    out.push_back(std::move(list));
    out.push_back(route(
        "GET",
        "/admin/users/{id}",
        "Show a user",
        Permission::manage_users,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(auto shown, service::get_user(call.request(), call.path(0)));
            return reply_shown(std::move(shown));
        }
    ));
    Route update = route(
        "PUT",
        "/admin/users/{id}",
        "Change the members that are given",
        Permission::manage_users,
        [&identity](Call& call) -> Result<Reply> {
            LAB_TRY(const auto revision, read_if_match(call));
            LAB_TRY(
                auto changed,
                service::update_user(call.request(), identity, call.path(0), call.body(), revision)
            );
            return reply_shown(std::move(changed));
        }
    );
    update.body = BodyKind::json;
    update.any_content_type = true;
    update.request_schema = &service::user_changes_schema();
    update.errors = {409, 412};
    out.push_back(std::move(update));
    Route remove = route(
        "DELETE",
        "/admin/users/{id}",
        "Lock a user out; what is theirs stays",
        Permission::manage_users,
        [&identity](Call& call) -> Result<Reply> {
            LAB_TRY(const auto revision, read_if_match(call));
            LAB_CHECK(service::deactivate_user(call.request(), identity, call.path(0), revision));
            return reply_nothing();
        }
    );
    remove.success = 204;
    remove.errors = {409, 412};
    out.push_back(std::move(remove));
}

void add_keys(std::vector<Route>& out, service::Identity& identity, const SigningKeys& signing) {
    Route create = route(
        "POST",
        "/admin/api-keys",
        "Make a key; the answer is the only time it is shown",
        Permission::manage_api_keys,
        [&identity](Call& call) -> Result<Reply> {
            LAB_TRY(Json key, service::create_key(call.request(), identity, call.body()));
            Reply reply = reply_json(std::move(key), 201);
            reply.headers.emplace_back("Cache-Control", "no-store");
            return reply;
        }
    );
    create.body = BodyKind::json;
    create.any_content_type = true;
    create.request_schema = &service::new_key_schema();
    create.success = 201;
    out.push_back(std::move(create));
    Route list = route(
        "GET",
        "/admin/api-keys",
        "List the keys",
        Permission::manage_api_keys,
        list_handler(
            signing,
            "api_key",
            [](const Call& call, const storage::ResourcePage& page) {
                return service::list_keys(call.request(), {}, page);
            }
        )
    );
    list.query = list_parameters();
    out.push_back(std::move(list));
    out.push_back(route(
        "GET",
        "/admin/api-keys/{id}",
        "Show a key, without the key itself",
        Permission::manage_api_keys,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json key, service::get_key(call.request(), call.path(0)));
            return reply_json(std::move(key));
        }
    ));
    Route revoke = route(
        "DELETE",
        "/admin/api-keys/{id}",
        "Revoke a key, at once",
        Permission::manage_api_keys,
        [&identity](Call& call) -> Result<Reply> {
            LAB_CHECK(service::revoke_key(call.request(), identity, call.path(0)));
            return reply_nothing();
        }
    );
    revoke.success = 204;
    out.push_back(std::move(revoke));
    Route rotate = route(
        "POST",
        "/admin/api-keys/{id}/rotate",
        "A new key with the same rights; the old one ends now or after an overlap",
        Permission::manage_api_keys,
        [&identity](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json key, service::rotate_key(call.request(), identity, call.path(0), call.body())
            );
            Reply reply = reply_json(std::move(key));
            reply.headers.emplace_back("Cache-Control", "no-store");
            return reply;
        }
    );
    rotate.body = BodyKind::json;
    rotate.body_optional = true;
    rotate.any_content_type = true;
    rotate.request_schema = &service::rotate_key_schema();
    rotate.errors = {400};
    out.push_back(std::move(rotate));
}

/// Filters of the audit log, as they are asked for.
storage::AuditFilter read_audit_filter(const Call& call) {
    storage::AuditFilter filter;
    filter.event_type = call.query("event_type");
    filter.actor_type = call.query("actor_type");
    filter.actor_id = call.query("actor_id");
    filter.resource_type = call.query("resource_type");
    filter.resource_id = call.query("resource_id");
    filter.action = call.query("action");
    filter.outcome = call.query("outcome");
    filter.ip = call.query("ip_address");
    filter.request_id = call.query("request_id");
    filter.after = call.query("since") ? call.query("since") : call.query("after");
    filter.before = call.query("until") ? call.query("until") : call.query("before");
    return filter;
}

const std::vector<QueryParameter>& audit_parameters() {
    static const std::vector<QueryParameter> kParameters{
        {.name = "event_type",
         .type = "string",
         .help = "What kind of thing was done",
         .values =
             {"authentication",
              "authorization",
              "data_access",
              "data_modification",
              "configuration",
              "security",
              "system_event"}},
        {.name = "actor_type",
         .type = "string",
         .help = "Who did it",
         .values = {"user", "api_key", "system", "anonymous"}},
        {"actor_id", "string", "Id of the user or key"},
        {.name = "resource_type",
         .type = "string",
         .help = "What it was done to",
         .values =
             {"experiment",
              "run",
              "model",
              "dataset",
              "prompt_template",
              "evaluation",
              "user",
              "api_key",
              "system"}},
        {"resource_id", "string", "Id of the resource"},
        {.name = "action",
         .type = "string",
         .help = "What was done",
         .values =
             {"create",
              "read",
              "update",
              "delete",
              "login",
              "logout",
              "login_failed",
              "password_change",
              "password_reset",
              "api_key_created",
              "api_key_revoked",
              "permission_granted",
              "permission_revoked",
              "export",
              "import",
              "config_change"}},
        {.name = "outcome",
         .type = "string",
         .help = "How it ended",
         .values = {"success", "failure", "denied"}},
        {"ip_address", "string", "Address of the caller"},
        {"request_id", "string", "X-Request-ID of the request"},
        {"since", "time", "Events at or after this RFC 3339 time"},
        {"until", "time", "Events before this RFC 3339 time"},
        {"after", "time", "The same as since; a cursor is given as cursor"},
        {"before", "time", "The same as until"},
    };
    return kParameters;
}

void add_audit(std::vector<Route>& out, const SigningKeys& signing) {
    Route list = route(
        "GET",
        "/admin/audit-logs",
        "List what was done, newest first",
        Permission::view_audit_logs,
        list_handler(
            signing,
            "system",
            [](const Call& call, const storage::ResourcePage& page) {
                return service::list_audit(
                    call.request(), {.filter = read_audit_filter(call), .page = page}
                );
            }
        )
    );
    list.query = with_list_parameters(audit_parameters());
    list.may_be_old = true;
    out.push_back(std::move(list));
    Route statistics = route(
        "GET",
        "/admin/audit-logs/statistics",
        "Count what was done",
        Permission::view_audit_logs,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json counts, service::audit_statistics(call.request(), read_audit_filter(call))
            );
            return reply_json(std::move(counts));
        }
    );
    statistics.query = audit_parameters();
    out.push_back(std::move(statistics));
}

}  // namespace

std::vector<Route> user_routes(service::Identity& identity, const SigningKeys& signing) {
    std::vector<Route> out;
    add_users(out, identity, signing);
    add_keys(out, identity, signing);
    add_audit(out, signing);
    return out;
}

}  // namespace lab::api
