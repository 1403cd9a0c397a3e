#include "api/nouns.h"

#include "api/lists.h"
#include "platform/json/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <map>

namespace lab::api {
namespace {

std::string etag_of(std::int64_t revision) { return "\"" + std::to_string(revision) + "\""; }

constexpr std::size_t kBatchBytesMax = 16U << 20;

Result<ListPage> fetch(const Call& call, const NounFace& face, const ListQuery& query) {
    storage::ResourceFilter filter;
    if (face.read_filters) {
        LAB_CHECK(face.read_filters(call, filter));
    }
    LAB_TRY(
        auto found,
        service::list_nouns(call.request(), *face.noun, filter, page_of(query), !query.all)
    );
    return page_shown(std::move(found));
}

AuditClass audit_of(const NounFace& face, std::string_view action) {
    return {.event = "data_modification", .action = action, .resource = face.noun->name};
}

Route route_of(const NounFace& face, std::string_view method, std::string_view path) {
    Route out;
    out.method = method;
    out.path = path;
    out.tag = face.tag;
    out.guard = Guard::permission;
    return out;
}

/// With null for members that may be absent: to take them away, or because there is no value.
Json nullable_schema(const Json& schema) {
    Json out = schema;
    const Json required = schema.value("required", Json::array());
    for (auto& [name, value] : out["properties"].items()) {
        if (std::ranges::find(required, Json(name)) == required.end()) {
            value = Json{{"anyOf", Json::array({value, Json{{"type", "null"}}})}};
        }
    }
    return out;
}

/// What update_noun takes: any of the members.
Json changes_schema(const Json& schema) {
    Json out = nullable_schema(schema);
    out.erase("required");
    return out;
}

/// Kept as long as the schema that it is made of. For the making of routes, on one thread.
const Json* kept_changes_schema(const Json* schema) {
    static std::map<const Json*, Json> kept;
    return &kept.try_emplace(schema, changes_schema(*schema)).first->second;
}
const Json* kept_nullable_schema(const Json* schema) {
    static std::map<const Json*, Json> kept;
    return &kept.try_emplace(schema, nullable_schema(*schema)).first->second;
}

Route create_route(const NounFace& face) {
    Route out = route_of(face, "POST", face.collection);
    out.summary = "Make a new one, or all of an array of up to 1,000 or none";
    out.permission = face.noun->create;
    out.body = BodyKind::json;
    out.request_schema = face.noun->schema;
    out.shown_request_schema = kept_nullable_schema(face.noun->schema);
    out.takes_batch = true;
    out.body_bytes_max = kBatchBytesMax;
    out.success = 201;
    out.audit = audit_of(face, "create");
    out.maintenance = InMaintenance::refused;
    out.errors = {409};
    out.handler = [noun = face.noun](Call& call) -> Result<Reply> {
        if (call.body().is_array()) {
            Json bodies = Json::array();
            for (const Json& body : call.body()) {
                bodies.push_back(without_absent(body, *noun->schema));
            }
            LAB_TRY(auto all, service::create_nouns(call.request(), *noun, bodies));
            return reply_batch(std::move(all));
        }
        LAB_TRY(auto made, service::create_noun(call.request(), *noun, call.body()));
        Reply reply = reply_shown(std::move(made), 201);
        reply.audit_id = (*reply.json)["id"].get<std::string>();
        reply.headers.emplace_back("Location", call.head().path + "/" + reply.audit_id);
        return reply;
    };
    return out;
}

Route update_route(const NounFace& face) {
    Route out = route_of(face, "PUT", face.one);
    out.summary = "Change the members that are given";
    out.permission = face.noun->update;
    out.body = BodyKind::json;
    out.shown_request_schema = kept_changes_schema(face.noun->schema);
    out.audit = audit_of(face, "update");
    out.maintenance = InMaintenance::refused;
    out.errors = {409, 412};
    out.handler = [noun = face.noun](Call& call) -> Result<Reply> {
        LAB_TRY(const auto revision, read_if_match(call));
        LAB_TRY(
            auto changed,
            service::update_noun(call.request(), *noun, call.path(0), call.body(), revision)
        );
        return reply_shown(std::move(changed));
    };
    return out;
}

Route remove_route(const NounFace& face) {
    Route out = route_of(face, "DELETE", face.one);
    out.summary = "Remove it";
    out.permission = face.noun->remove;
    out.success = 204;
    out.audit = audit_of(face, "delete");
    out.maintenance = InMaintenance::refused;
    out.errors = {409, 412};
    out.handler = [noun = face.noun](Call& call) -> Result<Reply> {
        LAB_TRY(const auto revision, read_if_match(call));
        LAB_TRY(Json before, service::remove_noun(call.request(), *noun, call.path(0), revision));
        Reply reply = reply_nothing();
        reply.audit_before = std::move(before);
        return reply;
    };
    return out;
}

}  // namespace

std::vector<QueryParameter> with_list_parameters(std::vector<QueryParameter> more) {
    std::vector<QueryParameter> out = list_parameters();
    std::erase_if(out, [&](const QueryParameter& one) {
        return std::ranges::find(more, one.name, &QueryParameter::name) != more.end();
    });
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

namespace {

/// A revision, of a tag without its quotes; kForeign when it is none of ours.
constexpr std::int64_t kForeign = -1;
std::int64_t revision_of(std::string_view tag) {
    std::int64_t revision = 0;
    const auto parsed = std::from_chars(tag.data(), tag.data() + tag.size(), revision);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == tag.data() + tag.size();
    return whole && revision >= 0 ? revision : kForeign;
}

/// Takes the next entity tag of a list (RFC 9110, 8.8.3) and what stands before the one behind it;
/// nullopt when none begins here.
std::optional<std::string_view> take_tag(std::string_view& rest) {
    std::string_view text = rest;
    text.remove_prefix(text.starts_with("W/") ? 2 : 0);
    const std::size_t end = text.starts_with('"') ? text.find('"', 1) : text.npos;
    if (end == text.npos) {
        return std::nullopt;
    }
    const std::string_view tag = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(" \t,")));
    return tag;
}

}  // namespace

// RFC 9110, 13.1.1. A well-formed tag that is none of ours is one that does not match.
Result<std::optional<std::int64_t>> read_if_match(const Call& call) {
    const std::optional<std::string_view> given = call.given_header("if-match");
    if (!given || *given == "*") {
        return std::nullopt;
    }
    // Without the quotes, as people write it by hand.
    if (const std::int64_t bare = revision_of(*given); bare != kForeign) {
        return bare;
    }
    std::int64_t out = kForeign;
    std::string_view rest = *given;
    do {
        const auto tag = take_tag(rest);
        if (!tag) {
            return Error(
                Code::bad_request, "If-Match must be an ETag with its quotes, such as \"3\", or *"
            );
        }
        const std::int64_t revision = revision_of(*tag);
        if (revision != kForeign && out != kForeign && revision != out) {
            return Error(Code::bad_request, "If-Match takes one ETag: what is changed has one");
        }
        out = revision != kForeign ? revision : out;
    } while (!rest.empty());
    return out;
}

Reply reply_shown(service::Shown shown, int status) {
    Reply reply = reply_json(std::move(shown.json), status);
    reply.headers.emplace_back("ETag", etag_of(shown.revision));
    reply.audit_before = std::move(shown.before);
    return reply;
}

Reply reply_batch(std::vector<Json> made) {
    Reply reply;
    for (const Json& one : made) {
        reply.audit_made.push_back(one.value("id", ""));
    }
    reply.json = Json(std::move(made));
    reply.status = 201;
    return reply;
}

std::vector<Route> noun_routes(const NounFace& face, const SigningKeys& signing) {
    std::vector<Route> out;
    out.push_back(create_route(face));

    Route lists = route_of(face, "GET", face.collection);
    lists.summary = "List those the caller may see";
    lists.permission = face.noun->read;
    lists.may_be_old = true;
    lists.query = with_list_parameters(face.filters);
    lists.handler = [face, &signing](Call& call) {
        const auto source = [face](const Call& asked, const ListQuery& query) {
            return fetch(asked, face, query);
        };
        ListFace shown{.resource = face.noun->name, .source = source};
        shown.format_is_filter =
            std::ranges::find(face.filters, "format", &QueryParameter::name) != face.filters.end();
        return reply_list(call, signing, std::move(shown));
    };
    out.push_back(std::move(lists));

    Route get = route_of(face, "GET", face.one);
    get.summary = "Show one";
    get.permission = face.noun->read;
    get.handler = [noun = face.noun](Call& call) -> Result<Reply> {
        LAB_TRY(auto shown, service::get_noun(call.request(), *noun, call.path(0)));
        return reply_shown(std::move(shown));
    };
    out.push_back(std::move(get));

    out.push_back(update_route(face));
    out.push_back(remove_route(face));
    return out;
}

}  // namespace lab::api
