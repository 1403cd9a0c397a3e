#include "api/prompts.h"

#include "api/lists.h"
#include "api/nouns.h"
#include "base/text.h"
#include "service/prompts.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

using domain::Permission;

constexpr std::string_view kTag = "Prompts";

Status read_filters(const Call& call, storage::ResourceFilter& filter) {
    if (const auto tags = call.query("tags")) {
        filter.tags = split_words(*tags);
    }
    if (const auto text = call.query("search")) {
        filter.text = to_lower(*text);
    }
    return ok();
}

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
    out.tag = kTag;
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

/// Versions are in the order of their numbers, so a cursor holds one.
Result<ListPage> fetch_versions(const Call& call, const ListQuery& query) {
    LAB_TRY(const auto before, number_after(query));
    LAB_TRY(
        auto found,
        service::list_prompt_versions(
            call.request(), call.path(0), before, query.limit, query.offset
        )
    );
    return ListPage{
        .data = std::move(found.rows),
        .total = found.total,
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

void add_versions(std::vector<Route>& out, const SigningKeys& signing) {
    Route add = route(
        "POST",
        "/prompts/{id}/versions",
        "Make a new version; what is not given stays as it is",
        Permission::update_prompt,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json version, service::add_prompt_version(call.request(), call.path(0), call.body())
            );
            Reply reply = reply_json(std::move(version), 201);
            reply.headers.emplace_back(
                "Location", call.head().path + "/" + (*reply.json)["id"].get<std::string>()
            );
            return reply;
        }
    );
    add.body = BodyKind::json;
    add.request_schema = &service::prompt_version_schema();
    add.success = 201;
    add.audit = {.event = "data_modification", .action = "update", .resource = "prompt"};
    add.maintenance = InMaintenance::refused;
    add.errors = {409};
    out.push_back(std::move(add));

    Route list = route(
        "GET",
        "/prompts/{id}/versions",
        "List the versions, newest first",
        Permission::read_prompt,
        [&signing](Call& call) {
            return reply_list(call, signing, {.resource = "prompt", .source = fetch_versions});
        }
    );
    list.query = ordered_list_parameters();
    out.push_back(std::move(list));

    Route one = route(
        "GET",
        "/prompts/{id}/versions/{version}",
        "Show one version, by its id or its number",
        Permission::read_prompt,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json version,
                service::get_prompt_version(call.request(), call.path(0), call.path(1))
            );
            return reply_json(std::move(version));
        }
    );
    one.plain_path_values = {"version"};
    out.push_back(std::move(one));
}

void add_uses(std::vector<Route>& out) {
    Route render = route(
        "POST",
        "/prompts/{id}/render",
        "Put values into the prompt",
        Permission::read_prompt,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json rendered, service::render_prompt(call.request(), call.path(0), call.body())
            );
            return reply_json(std::move(rendered));
        }
    );
    render.body = BodyKind::json;
    render.body_optional = true;
    render.request_schema = &service::render_schema();
    render.errors = {413};
    out.push_back(std::move(render));

    Route validate = route(
        "POST",
        "/prompts/validate",
        "Find the mistakes and the variables of a prompt that need not exist",
        Permission::read_prompt,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json found, service::validate_prompt(call.request(), call.body()));
            return reply_json(std::move(found));
        }
    );
    validate.body = BodyKind::json;
    validate.request_schema = &service::validate_prompt_schema();
    out.push_back(std::move(validate));
}

}  // namespace

std::vector<Route> prompt_routes(const SigningKeys& signing) {
    NounFace face{
        .collection = "/prompts",
        .one = "/prompts/{id}",
        .tag = kTag,
        .noun = &service::prompt_noun(),
        .filters =
            {{"tags", "tags", "Those with all of these tags, separated by commas"},
             {"search", "string", "Those with this text in their name or description"}},
        .read_filters = read_filters,
    };
    std::vector<Route> out = noun_routes(face, signing);
    add_versions(out, signing);
    add_uses(out);
    return out;
}

}  // namespace lab::api
