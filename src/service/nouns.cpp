#include "service/nouns.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "platform/json/schema.h"
#include "storage/store/users.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Deed;
using storage::Resource;
using storage::Resources;

/// Members that are columns and not part of the body.
constexpr std::string_view kColumns[] = {"name", "visibility", "collaborators", "tags"};

/// Members that show_noun() adds to those of the body, and some.
constexpr std::size_t kShownMax = 16;

bool is_column(std::string_view member) {
    return std::ranges::find(kColumns, member) != std::end(kColumns);
}

std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> out;
    for (const Json& one : list) {
        out.push_back(one.get<std::string>());
    }
    return out;
}

std::string search_text(const Json& whole) {
    std::string out = to_lower(whole.value("name", "") + "\n" + whole.value("description", ""));
    std::ranges::replace(out, '\0', ' ');  // which columns of text do not hold everywhere
    return out;
}

/// Without the owner and without repetitions.
std::vector<std::string> collaborators_of(const Json& list, const std::string& owner) {
    std::vector<std::string> out;
    for (std::string id : texts_of(list)) {
        id = to_lower(id);
        if (id != owner && std::ranges::find(out, id) == out.end()) {
            out.push_back(std::move(id));
        }
    }
    return out;
}

std::vector<std::string> tags_of(const Json& list) {
    std::vector<std::string> out = texts_of(list);
    std::ranges::sort(out);
    const auto repeated = std::ranges::unique(out);
    out.erase(repeated.begin(), repeated.end());
    return out;
}

/// Columns and body of `one` from the whole object.
void take_in(const Noun& noun, const Json& whole, Resource& one) {
    one.name = whole.value("name", one.name);
    if (const auto found = whole.find("visibility"); found != whole.end()) {
        one.access.visibility =
            domain::visibility_from(found->get<std::string>()).value_or(domain::Visibility::org);
    }
    if (const auto found = whole.find("collaborators"); found != whole.end()) {
        one.access.collaborators = collaborators_of(*found, one.access.owner);
    }
    if (const auto found = whole.find("tags"); found != whole.end()) {
        one.tags = tags_of(*found);
    }
    Json body = Json::object();
    for (const auto& [name, value] : whole.items()) {
        if (!is_column(name) && !value.is_null()) {
            body[name] = value;
        }
    }
    one.search = search_text(whole);
    one.body = dump_json(body);
    if (noun.fill_columns) {
        noun.fill_columns(body, one);
    }
}

/// Columns and body as one object, without what the service adds.
Result<Json> whole_of(const Resource& one) {
    LAB_TRY(const Json body, parse_json(one.body));
    Json whole = Json::object();
    whole["name"] = one.name;
    for (const auto& [name, value] : body.items()) {
        whole[name] = value;
    }
    whole["visibility"] = to_string(one.access.visibility);
    whole["collaborators"] = one.access.collaborators;
    whole["tags"] = one.tags;
    return whole;
}

Status refuse(const Noun& noun, std::vector<Detail> problems) {
    return Error(
        Code::validation,
        "the " + std::string(noun.name) + " cannot be as given",
        std::move(problems)
    );
}

/// A patch need not have what a new one must.
Json without_required(const Json& schema) {
    Json out = schema;
    out.erase("required");
    return out;
}

Error name_taken(const Noun& noun, const std::string& name, const std::string& existing) {
    Error error(
        Code::conflict,
        std::string(noun.name.starts_with('e') ? "there is an " : "there is a ") +
            std::string(noun.name) + " of yours named \"" + shorten(name, 80) + "\""
    );
    if (!existing.empty()) {
        error.details.push_back({"existing_id", existing});
    }
    return error;
}

/// Says which one has the name, after a write that failed for it.
Error explain_conflict(
    const Request& request, const Noun& noun, const Resource& one, const Error& error
) {
    if (error.code != Code::conflict) {
        return error;
    }
    // PostgreSQL answers nothing else before what failed is undone; the caller gives up anyway.
    request.session.rollback();
    const auto found = Resources(request.session, noun.kind)
                           .find_named(request.ctx, one.org, one.access.owner, one.name);
    std::string id;
    if (found) {
        const std::optional<Resource>& other = *found;
        id = other ? other->id : std::string();
    }
    return name_taken(noun, one.name, id);
}

/// Whose a new one is: the caller's, or whom an administrator names.
Result<std::string> owner_of_new(const Request& request, const Noun& noun, const Json& body) {
    const Caller& caller = request.caller;
    const auto named = body.find("owner_id");
    if (named == body.end() || named->is_null()) {
        return caller.user_id;
    }
    const std::string id = to_lower(named->get<std::string>());
    if (id == caller.user_id) {
        return id;
    }
    if (!caller.is_admin()) {
        return refuse(noun, {{"owner_id", "must be your own id: administrators name others"}})
            .error();
    }
    LAB_TRY(const auto owner, storage::Users(request.session).find(request.ctx, caller.org, id));
    if (!owner || !owner->is_active) {
        return refuse(noun, {{"owner_id", "there is no active user with this id"}}).error();
    }
    return id;
}

Status check_revision(const Resource& one, std::optional<std::int64_t> wanted) {
    if (wanted && *wanted != one.revision) {
        return Error(
            Code::precondition_failed, "it was changed since: read it again and repeat the change"
        );
    }
    return ok();
}

std::string now_text(const Request& request) { return format_rfc3339(request.deps.clock->wall()); }

}  // namespace

Error no_such(std::string_view noun) {
    return {Code::not_found, "there is no " + std::string(noun) + " with this id"};
}

Json noun_schema(Json own_properties, std::vector<std::string> required) {
    Json properties = Json::object();
    properties["name"] = {
        {"type", "string"},
        {"minLength", 1},
        {"maxLength", 255},
        {"pattern", "^[^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*$"},
        {"x-hint", "a line of text with more than blanks"},
    };
    properties["description"] = {{"type", "string"}, {"maxLength", 10'000}};
    for (const auto& [name, schema] : own_properties.items()) {
        properties[name] = schema;
    }
    const Json user = {
        {"type", "string"},
        {"pattern", "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
        },
        {"x-hint", "the id of a user"},
    };
    properties["owner_id"] = user;
    properties["visibility"] = {{"enum", {"private", "team", "org"}}};
    properties["collaborators"] = {{"type", "array"}, {"maxItems", 1000}, {"items", user}};
    properties["tags"] = {
        {"type", "array"},
        {"maxItems", 100},
        {"items",
         {{"type", "string"},
          {"pattern", "^[A-Za-z0-9_.:-]{1,64}$"},
          {"x-hint", "1 to 64 letters, digits and _ . : -"}}},
    };
    properties["metadata"] = {{"type", "object"}};
    required.insert(required.begin(), "name");
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false},
    };
}

Result<Json> show_noun(const Request& request, const Noun& noun, const Resource& one) {
    LAB_TRY(Json body, parse_json(one.body));
    Json shown = json_object(body.size() + kShownMax);
    shown["id"] = one.id;
    shown["name"] = one.name;
    for (auto member = body.begin(); member != body.end(); ++member) {
        shown[member.key()] = std::move(*member);
    }
    shown["visibility"] = to_string(one.access.visibility);
    shown["collaborators"] = one.access.collaborators;
    shown["tags"] = one.tags;
    shown.emplace("description", "");
    shown.emplace("metadata", Json::object());
    if (noun.shows_status) {
        shown["status"] = one.status;
    }
    shown["owner_id"] = one.access.owner.empty() ? Json() : Json(one.access.owner);
    if (noun.decorate) {
        LAB_CHECK(noun.decorate(request, one, shown));
    }
    shown["created_at"] = one.created_at;
    shown["updated_at"] = one.updated_at;
    return shown;
}

namespace {

/// Checked whole, and ready to be stored.
struct Prepared {
    const Noun* noun = nullptr;
    Resource one;
    Json whole;
};

Result<Prepared> prepare(const Request& request, const Noun& noun, const Json& body) {
    Prepared out{.noun = &noun, .one = {}, .whole = body};
    std::vector<Detail> problems = check_schema(out.whole, *noun.schema);
    if (!problems.empty()) {
        return refuse(noun, std::move(problems)).error();
    }
    LAB_TRY(const std::string owner, owner_of_new(request, noun, out.whole));
    out.whole.erase("owner_id");
    if (noun.check) {
        LAB_CHECK(noun.check(request, out.whole, nullptr));
    }
    Resource& one = out.one;
    one.id = request.deps.uuids->next();
    one.org = request.caller.org;
    one.access.owner = owner;
    one.status = noun.first_status;
    one.created_at = one.updated_at = now_text(request);
    take_in(noun, out.whole, one);
    return out;
}

/// In the caller's transaction.
Status store(const Request& request, Prepared& prepared) {
    const Noun& noun = *prepared.noun;
    Resources resources(request.session, noun.kind);
    if (const Status made = resources.create(request.ctx, prepared.one); !made) {
        return explain_conflict(request, noun, prepared.one, made.error());
    }
    return noun.written ? noun.written(request, prepared.one, prepared.whole) : ok();
}

/// Says of one of several which one it is.
Error at_place(std::size_t place, Error error) {
    const std::string where = path_index("", place);
    if (error.code != Code::validation) {
        error.message = where + ": " + error.message;
        error.details.push_back({"index", std::to_string(place)});
        return error;
    }
    for (Detail& detail : error.details) {
        const bool member = !detail.field.empty() && !detail.field.starts_with('[');
        detail.field = where + (member ? "." : "") + detail.field;
    }
    if (error.details.empty()) {
        error.details.push_back({where, error.message});
    }
    return error;
}

}  // namespace

Result<Shown> create_noun(const Request& request, const Noun& noun, const Json& body) {
    LAB_CHECK(require_or_scope(request.caller, noun.create, noun.or_scope));
    LAB_TRY(Prepared prepared, prepare(request, noun, body));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_CHECK(store(request, prepared));
    LAB_CHECK(transaction.commit(request.ctx));
    request.deps.observer->created(noun.kind);
    LAB_TRY(Json shown, show_noun(request, noun, prepared.one));
    return Shown{.json = std::move(shown), .revision = prepared.one.revision};
}

Result<std::vector<Json>> create_nouns(
    const Request& request, const std::vector<NewNoun>& several
) {
    constexpr std::size_t kDetailsMax = 100;
    std::vector<Prepared> all;
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < several.size(); ++i) {
        const Noun& noun = *several[i].noun;
        LAB_CHECK(require_or_scope(request.caller, noun.create, noun.or_scope));
        auto prepared = prepare(request, noun, several[i].body);
        if (prepared) {
            all.push_back(*std::move(prepared));
            continue;
        }
        Error error = at_place(i, prepared.error());
        if (error.code != Code::validation) {
            return error;
        }
        for (Detail& detail : error.details) {
            if (problems.size() < kDetailsMax) {
                problems.push_back(std::move(detail));
            }
        }
    }
    if (!problems.empty()) {
        return Error(Code::validation, "nothing was stored: some cannot be as given", problems);
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (const Status stored = store(request, all[i]); !stored) {
            return at_place(i, stored.error());
        }
    }
    LAB_CHECK(transaction.commit(request.ctx));
    std::vector<Json> out;
    for (const Prepared& one : all) {
        request.deps.observer->created(one.noun->kind);
        LAB_TRY(out.emplace_back(), show_noun(request, *one.noun, one.one));
    }
    return out;
}

Json batch_schema(const Json& one) {
    return {{"type", "array"}, {"minItems", 1}, {"maxItems", kBatchMax}, {"items", one}};
}

Result<std::vector<Json>> create_nouns(
    const Request& request, const Noun& noun, const Json& bodies
) {
    LAB_CHECK(require_or_scope(request.caller, noun.create, noun.or_scope));
    if (!bodies.is_array() || bodies.empty() || bodies.size() > kBatchMax) {
        const std::string words = "has to be an array of 1 to " + std::to_string(kBatchMax);
        return Error(Code::validation, "what is made at once " + words, {{"", words}});
    }
    std::vector<NewNoun> several;
    for (const Json& body : bodies) {
        several.push_back({.noun = &noun, .body = body});
    }
    return create_nouns(request, several);
}

Result<Resource> need_noun(
    const Request& request, const Noun& noun, const std::string& id, Deed deed
) {
    Resources resources(request.session, noun.kind);
    LAB_TRY(auto found, resources.find(request.ctx, request.caller.viewer(), id));
    if (!found) {
        return no_such(noun.name);
    }
    const Caller& caller = request.caller;
    if (!object_allows(found->access, caller.user_id, caller.is_admin(), deed)) {
        return Error(
            Code::forbidden, "this " + std::string(noun.name) + " belongs to somebody else"
        );
    }
    return *std::move(found);
}

Result<Shown> get_noun(const Request& request, const Noun& noun, const std::string& id) {
    LAB_CHECK(require(request.caller, noun.read));
    LAB_TRY(const Resource one, need_noun(request, noun, id, Deed::read));
    LAB_TRY(Json shown, show_noun(request, noun, one));
    return Shown{.json = std::move(shown), .revision = one.revision};
}

namespace {

/// The members of a change that say something: an optional one is taken away with null, which its
/// own schema need not know; what has but one value keeps it, and the owner is not changed.
Result<Json> checked_changes(const Noun& noun, const Resource& one, const Json& changes) {
    const Json schema = without_required(*noun.schema);
    if (!changes.is_object()) {
        return refuse(noun, check_schema(changes, schema)).error();
    }
    Json given = Json::object();
    for (const auto& [name, value] : changes.items()) {
        const bool known = schema["properties"].contains(name);
        if (!value.is_null() || !known || name == "name") {
            given[name] = value;
        }
    }
    std::vector<Detail> problems = check_schema(given, schema);
    if (problems.empty() && given.contains("owner_id") &&
        to_lower(given["owner_id"].get<std::string>()) != one.access.owner) {
        problems.push_back({"owner_id", "cannot be changed: it is who made it"});
    }
    if (!problems.empty()) {
        return refuse(noun, std::move(problems)).error();
    }
    Json out = Json::object();
    for (const auto& [name, value] : changes.items()) {
        const Json& law = schema["properties"].value(name, Json::object());
        const bool is_fixed = name == "owner_id" || (value.is_null() && law.contains("const"));
        if (!is_fixed) {
            out[name] = value;
        }
    }
    return out;
}

/// Over the revision at hand; nullopt when somebody was faster.
Result<std::optional<Shown>> try_update(
    const Request& request, const Noun& noun, Resource one, const Json& given
) {
    LAB_TRY(Json whole, whole_of(one));
    LAB_TRY(Json before, show_noun(request, noun, one));
    LAB_TRY(const Json changes, checked_changes(noun, one, given));
    for (const auto& [name, value] : changes.items()) {
        if (value.is_null()) {
            whole.erase(name);
        } else {
            whole[name] = value;
        }
    }
    Json writable = whole;
    for (const std::string_view member : noun.system_members) {
        writable.erase(std::string(member));
    }
    std::vector<Detail> problems = check_schema(writable, *noun.schema);
    if (!problems.empty()) {
        return refuse(noun, std::move(problems)).error();
    }
    if (noun.check) {
        LAB_CHECK(noun.check(request, whole, &one));
    }
    for (const auto& [name, value] : changes.items()) {
        if (value.is_null() && (name == "tags" || name == "collaborators")) {
            whole[name] = Json::array();
        }
    }
    take_in(noun, whole, one);
    one.updated_at = now_text(request);
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    const auto written = Resources(request.session, noun.kind).update(request.ctx, one);
    if (!written) {
        return explain_conflict(request, noun, one, written.error());
    }
    if (!*written) {
        return std::nullopt;
    }
    if (noun.written) {
        LAB_CHECK(noun.written(request, one, whole));
    }
    LAB_CHECK(transaction.commit(request.ctx));
    LAB_TRY(Json shown, show_noun(request, noun, one));
    return Shown{.json = std::move(shown), .revision = one.revision, .before = std::move(before)};
}

}  // namespace

Result<Shown> update_noun(
    const Request& request,
    const Noun& noun,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision
) {
    constexpr int kTriesMax = 10;
    LAB_CHECK(require_or_scope(request.caller, noun.update, noun.or_scope));
    // Who names no revision means the members they give, over whatever is there by now.
    for (int i = 0; i < kTriesMax; ++i) {
        LAB_CHECK(request.ctx.check());
        LAB_TRY(Resource one, need_noun(request, noun, id, Deed::update));
        LAB_CHECK(check_revision(one, if_revision));
        LAB_TRY(auto changed, try_update(request, noun, std::move(one), changes));
        if (changed) {
            return *std::move(changed);
        }
    }
    return Error(Code::conflict, "somebody else is changing it: try again");
}

Result<Json> remove_noun(
    const Request& request,
    const Noun& noun,
    const std::string& id,
    std::optional<std::int64_t> if_revision
) {
    LAB_CHECK(require_or_scope(request.caller, noun.remove, noun.or_scope));
    LAB_TRY(const Resource one, need_noun(request, noun, id, Deed::remove));
    LAB_CHECK(check_revision(one, if_revision));
    LAB_TRY(Json before, show_noun(request, noun, one));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    if (noun.may_remove) {
        LAB_CHECK(noun.may_remove(request, one));
    }
    const auto gone = Resources(request.session, noun.kind).remove(request.ctx, one);
    if (!gone && gone.error().code == Code::conflict) {
        return Error(Code::conflict, "something refers to this " + std::string(noun.name));
    }
    LAB_CHECK(gone);
    LAB_CHECK(transaction.commit(request.ctx));
    return before;
}

Status set_noun_status(
    const Request& request,
    const Noun& noun,
    Resource& one,
    std::string_view status,
    const Json& system_members
) {
    LAB_TRY(Json body, parse_json(one.body));
    for (const auto& [name, value] : system_members.items()) {
        if (value.is_null()) {
            body.erase(name);
        } else {
            body[name] = value;
        }
    }
    if (noun.fill_columns) {
        noun.fill_columns(body, one);
    }
    one.body = dump_json(body);
    one.status = status;
    one.updated_at = now_text(request);
    LAB_TRY(const bool written, Resources(request.session, noun.kind).update(request.ctx, one));
    return written ? ok()
                   : Status(Error(Code::conflict, "somebody else is changing it: try again"));
}

Result<NounList> list_nouns(
    const Request& request,
    const Noun& noun,
    const storage::ResourceFilter& filter,
    const storage::ResourcePage& page,
    bool counted
) {
    LAB_CHECK(require(request.caller, noun.read));
    Resources resources(request.session, noun.kind);
    const storage::Viewer viewer = request.caller.viewer();
    storage::ResourcePage one_more = page;
    one_more.limit = page.limit + 1;
    storage::ResourceListing listing;
    if (counted) {
        LAB_TRY(listing, resources.list_and_count(request.ctx, viewer, filter, one_more));
    } else {
        LAB_TRY(listing.rows, resources.list(request.ctx, viewer, filter, one_more));
    }
    std::vector<Resource>& found = listing.rows;
    NounList out;
    out.total = listing.total;
    out.more = std::ssize(found) > page.limit;
    if (out.more) {
        found.pop_back();
    }
    for (const Resource& one : found) {
        LAB_TRY(out.rows.emplace_back(), show_noun(request, noun, one));
    }
    if (!found.empty()) {
        const Resource& last = found.back();
        const std::string& value = page.sort == storage::SortBy::name         ? last.name
                                   : page.sort == storage::SortBy::updated_at ? last.updated_at
                                                                              : last.created_at;
        out.last = storage::ResourceCursor{.sort_value = value, .id = last.id};
    }
    return out;
}

}  // namespace lab::service
