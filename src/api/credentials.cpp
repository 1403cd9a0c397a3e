#include "api/credentials.h"

#include "api/lists.h"
#include "api/nouns.h"
#include "service/credentials.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

Route route(
    std::string_view method, std::string_view path, std::string_view summary, Handler handler
) {
    Route out;
    out.method = method;
    out.path = path;
    out.summary = summary;
    out.tag = "Operations";
    out.guard = Guard::admin;
    out.handler = std::move(handler);
    out.response_schema = &service::shown_credential_schema();
    if (path.ends_with("{name}")) {
        out.plain_path_values = {"name"};
    }
    return out;
}

/// Nothing changes without its line in the audit log.
Route change(Route out) {
    out.audit = {
        .event = "configuration",
        .action = "config_change",
        .resource = "system",
        .must_be_written = true,
    };
    out.any_content_type = true;  // operators call it with curl -d and no header
    return out;
}

Result<ListPage> fetch(const Call& call, const ListQuery& query) {
    LAB_TRY(std::vector<Json> rows, service::list_credentials(call.request()));
    ListPage page{.data = {}, .total = storage::RowCount{std::ssize(rows)}};
    auto begin = rows.begin() + std::min<std::ptrdiff_t>(query.offset, std::ssize(rows));
    if (query.after) {
        begin = std::ranges::find_if(rows, [&](const Json& row) {
            return row["name"].get_ref<const std::string&>() == query.after->id;
        });
        begin += begin == rows.end() ? 0 : 1;
    }
    const auto count = std::min<std::ptrdiff_t>(query.limit, rows.end() - begin);
    page.data.assign(begin, begin + count);
    page.more = begin + count != rows.end();
    if (page.more) {
        const std::string name = page.data.back()["name"].get<std::string>();
        page.last = storage::ResourceCursor{.sort_value = name, .id = name};
    }
    return page;
}

Route list_route(const SigningKeys& signing) {
    Route out = route(
        "GET",
        "/admin/credentials",
        "List the credentials by name, those of the environment first",
        [&signing](Call& call) {
            return reply_list(call, signing, {.resource = "system", .source = fetch});
        }
    );
    out.response_schema = nullptr;
    out.query = ordered_list_parameters();
    return out;
}

}  // namespace

std::vector<Route> credential_routes(const SigningKeys& signing) {
    std::vector<Route> out;
    Route create = change(route(
        "POST",
        "/admin/credentials",
        "Name a key of a model server: where it lies and where it may be sent",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(auto made, service::create_credential(call.request(), call.body()));
            Reply reply = reply_shown(std::move(made), 201);
            reply.audit_id = (*reply.json)["name"].get<std::string>();
            reply.headers.emplace_back("Location", "/admin/credentials/" + reply.audit_id);
            return reply;
        }
    ));
    create.body = BodyKind::json;
    create.request_schema = &service::credential_schema();
    create.success = 201;
    create.errors = {409};
    out.push_back(std::move(create));
    out.push_back(list_route(signing));
    out.push_back(route(
        "GET",
        "/admin/credentials/{name}",
        "Show a credential and whether its secret is there; never the secret",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(auto found, service::get_credential(call.request(), call.path(0)));
            return reply_shown(std::move(found));
        }
    ));
    Route update = change(route(
        "PUT",
        "/admin/credentials/{name}",
        "Change the members that are given",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(const auto revision, read_if_match(call));
            LAB_TRY(
                auto changed,
                service::update_credential(call.request(), call.path(0), call.body(), revision)
            );
            Reply reply = reply_shown(std::move(changed));
            reply.audit_id = call.path(0);
            return reply;
        }
    ));
    update.body = BodyKind::json;
    update.request_schema = &service::credential_changes_schema();
    update.errors = {400, 412};
    out.push_back(std::move(update));
    Route remove = change(route(
        "DELETE",
        "/admin/credentials/{name}",
        "Remove a credential: runs that use it fail when they next start",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(const auto revision, read_if_match(call));
            LAB_TRY(
                Json before, service::remove_credential(call.request(), call.path(0), revision)
            );
            Reply reply = reply_nothing();
            reply.audit_id = call.path(0);
            reply.audit_before = std::move(before);
            return reply;
        }
    ));
    remove.response_schema = nullptr;
    remove.success = 204;
    remove.errors = {400, 412};
    out.push_back(std::move(remove));
    return out;
}

}  // namespace lab::api
