#include "service/prompts.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "platform/json/schema.h"
#include "science/prompt/template.h"
#include "service/impl/prompt_text.h"
#include "service/uses.h"
#include "storage/store/prompt_versions.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace lab::service {
namespace {

using domain::Deed;
using storage::PromptVersion;
using storage::PromptVersions;
using storage::Resource;

constexpr int kTextMax = 500'000;
constexpr int kVariablesMax = 500;
constexpr std::string_view kSystemMembers[] = {"version", "version_count", "current_version_id"};
/// Members a version consists of: a change of any makes a new one.
constexpr std::string_view kVersioned[] = {
    "template", "system_prompt", "variables", "default_values"
};

Json text_schema(int length_min) {
    return {{"type", "string"}, {"minLength", length_min}, {"maxLength", kTextMax}};
}

Json variables_schema() {
    const Json name = {
        {"type", "string"},
        {"pattern", "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"},
        {"x-hint", "a name: letters, digits, _ . - and the first a letter or _"},
    };
    Json declaration = Json::object();
    declaration["type"] = "object";
    declaration["properties"] = {
        {"name", name},
        {"type", {{"enum", {"string", "number", "boolean", "array", "object"}}}},
        {"description", {{"type", "string"}, {"maxLength", 2000}}},
        {"default_value", Json::object()},
        {"required", {{"type", "boolean"}}},
    };
    declaration["required"] = Json::array({"name"});
    declaration["additionalProperties"] = false;
    Json out = {{"type", "array"}, {"maxItems", kVariablesMax}};
    out["items"] = {{"anyOf", Json::array({name, std::move(declaration)})}};
    return out;
}

Json text_properties(int template_length_min) {
    Json out = Json::object();
    out["template"] = text_schema(template_length_min);
    out["system_prompt"] = text_schema(0);
    out["variables"] = variables_schema();
    out["default_values"] = {{"type", "object"}};
    return out;
}

const Json& schema() {
    static const Json kSchema = noun_schema(text_properties(1), {"template"});
    return kSchema;
}

Json closed_object(Json properties, Json required) {
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false},
    };
}

/// The member, or what stands for one that is not there.
Json versioned_member(const Json& body, std::string_view name) {
    const auto found = body.find(name);
    return found == body.end() ? Json() : *found;
}

bool same_text(const Json& a, const Json& b) {
    return std::ranges::all_of(kVersioned, [&](std::string_view name) {
        return versioned_member(a, name) == versioned_member(b, name);
    });
}

/// What the schema cannot say, and the version this becomes.
Status check_prompt(
    const Request& request, Json& body, const storage::Resource* before, bool always_new
) {
    std::vector<Detail> problems;
    if (const auto given = body.find("variables"); given != body.end()) {
        *given = normal_declarations(*given, problems);
    }
    check_prompt_text(body, problems);
    if (!problems.empty()) {
        return Error(Code::validation, "the prompt cannot be as given", std::move(problems));
    }
    std::int64_t version = 1;
    if (before != nullptr) {
        LAB_TRY(const Json old, parse_json(before->body));
        version = old.value("version", std::int64_t{1});
        if (!always_new && same_text(body, old)) {
            return ok();
        }
        ++version;
    }
    body["version"] = version;
    body["version_count"] = version;
    body["current_version_id"] = request.deps.uuids->next();
    return ok();
}

/// Keeps what the prompt says now, unless it is kept already.
Status keep_version(
    const Request& request, const Resource& one, const Json& body, const std::string& changelog
) {
    Json kept = Json::object();
    for (const std::string_view name : kVersioned) {
        if (const auto found = body.find(name); found != body.end()) {
            kept[std::string(name)] = *found;
        }
    }
    kept["changelog"] = changelog;
    kept["created_by"] = request.caller.user_id;
    const PromptVersion version{
        .id = body.value("current_version_id", ""),
        .number = body.value("version", std::int64_t{1}),
        .body = dump_json(kept),
        .created_at = one.updated_at,
    };
    LAB_CHECK(PromptVersions(request.session).add(request.ctx, one.key, version));
    return ok();
}

/// Puts in what is left out, and the variables that are not declared.
void complete(Json& shown) {
    shown["variables"] = all_variables(shown);
    shown.emplace("system_prompt", nullptr);
    shown.emplace("default_values", Json::object());
}

Result<Json> show_version(const std::string& prompt_id, const PromptVersion& version) {
    LAB_TRY(Json body, parse_json(version.body));
    Json out = Json::object();
    out["id"] = version.id;
    out["prompt_id"] = prompt_id;
    out["version_number"] = version.number;
    for (auto& [name, value] : body.items()) {
        out[name] = std::move(value);
    }
    complete(out);
    if (out.value("created_by", "").empty()) {
        out["created_by"] = nullptr;
    }
    out["created_at"] = version.created_at;
    return out;
}

Error no_such_version() { return {Code::not_found, "the prompt has no such version"}; }

/// The text that `version_id` or `version` (a number, or an id) asks for; the current one without.
Result<Json> text_to_render(const Request& request, const Resource& prompt, const Json& body) {
    PromptVersions versions(request.session);
    std::optional<PromptVersion> found;
    const auto wanted =
        body.contains("version_id") ? body.find("version_id") : body.find("version");
    if (wanted == body.end()) {
        LAB_TRY(Json current, parse_json(prompt.body));
        return current;
    }
    if (wanted->is_string()) {
        const std::string id = to_lower(wanted->get<std::string>());
        LAB_TRY(found, versions.find(request.ctx, prompt.key, id));
    } else {
        const auto number = wanted->get<std::int64_t>();
        LAB_TRY(found, versions.find_number(request.ctx, prompt.key, number));
    }
    if (!found) {
        return no_such_version();
    }
    LAB_TRY(Json text, parse_json(found->body));
    text["version"] = found->number;
    return text;
}

/// `wanted`: an id, or a number.
Result<Json> find_version(
    const Request& request, const Resource& prompt, const std::string& wanted
) {
    PromptVersions versions(request.session);
    std::int64_t number = 0;
    const char* const end = wanted.data() + wanted.size();
    const auto parsed = std::from_chars(wanted.data(), end, number);
    const bool numbered = parsed.ec == std::errc() && parsed.ptr == end;
    LAB_TRY(
        const auto found,
        numbered ? versions.find_number(request.ctx, prompt.key, number)
                 : versions.find(request.ctx, prompt.key, to_lower(wanted))
    );
    return found ? show_version(prompt.id, *found) : Result<Json>(no_such_version());
}

}  // namespace

const Noun& prompt_noun() {
    using enum domain::Permission;
    static const Noun kNoun{
        .name = "prompt",
        .kind = storage::ResourceKind::prompt,
        .create = create_prompt,
        .read = read_prompt,
        .update = update_prompt,
        .remove = delete_prompt,
        .schema = &schema(),
        .system_members = {std::begin(kSystemMembers), std::end(kSystemMembers)},
        .check = [](const Request& request, Json& body, const Resource* before
                 ) { return check_prompt(request, body, before, false); },
        .may_remove = [](const Request& request,
                         const Resource& one) { return refuse_while_used(request, "prompt", one); },
        .decorate =
            [](const Request&, const Resource&, Json& shown) {
                complete(shown);
                return ok();
            },
        .written = [](const Request& request, const Resource& one, const Json& body
                   ) { return keep_version(request, one, body, ""); },
    };
    return kNoun;
}

const Json& prompt_version_schema() {
    static const Json kSchema = [] {
        Json properties = text_properties(1);
        properties["changelog"] = {{"type", "string"}, {"maxLength", 10'000}};
        return closed_object(std::move(properties), Json::array());
    }();
    return kSchema;
}

const Json& render_schema() {
    static const Json kSchema = [] {
        const Json id = {
            {"type", "string"},
            {"pattern",
             "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"},
            {"x-hint", "the id of a version"},
        };
        Json properties = Json::object();
        properties["variables"] = {{"type", "object"}};
        properties["version_id"] = id;
        properties["version"] = {
            {"anyOf", Json::array({Json{{"type", "integer"}, {"minimum", 1}}, id})}
        };
        return closed_object(std::move(properties), Json::array());
    }();
    return kSchema;
}

const Json& validate_prompt_schema() {
    static const Json kSchema = closed_object(text_properties(0), Json::array({"template"}));
    return kSchema;
}

Result<Json> add_prompt_version(const Request& request, const std::string& id, const Json& body) {
    std::vector<Detail> problems = check_schema(body, prompt_version_schema());
    if (!problems.empty()) {
        return Error(Code::validation, "the version cannot be as given", std::move(problems));
    }
    Json changes = body;
    changes.erase("changelog");
    Noun noun = prompt_noun();
    noun.check = [](const Request& asked, Json& whole, const Resource* before) {
        return check_prompt(asked, whole, before, true);
    };
    noun.written = [changelog = body.value("changelog", "")](
                       const Request& asked, const Resource& one, const Json& whole
                   ) { return keep_version(asked, one, whole, changelog); };
    LAB_TRY(const Shown changed, update_noun(request, noun, id, changes, std::nullopt));
    // Shown to who wrote it, who need not be one who may read others.
    LAB_TRY(const Resource prompt, need_noun(request, prompt_noun(), id, Deed::update));
    return find_version(request, prompt, changed.json["current_version_id"].get<std::string>());
}

Result<Json> get_prompt_version(
    const Request& request, const std::string& id, const std::string& version
) {
    LAB_CHECK(require(request.caller, prompt_noun().read));
    LAB_TRY(const Resource prompt, need_noun(request, prompt_noun(), id, Deed::read));
    return find_version(request, prompt, version);
}

Result<PromptVersionList> list_prompt_versions(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> before,
    std::int64_t limit,
    std::int64_t offset
) {
    LAB_CHECK(require(request.caller, prompt_noun().read));
    LAB_TRY(const Resource prompt, need_noun(request, prompt_noun(), id, Deed::read));
    PromptVersions versions(request.session);
    LAB_TRY(auto found, versions.list(request.ctx, prompt.key, before, limit + 1, offset));
    PromptVersionList out;
    LAB_TRY(out.total, versions.count(request.ctx, prompt.key));
    out.more = std::ssize(found) > limit;
    if (out.more) {
        found.pop_back();
    }
    for (const PromptVersion& version : found) {
        LAB_TRY(out.rows.emplace_back(), show_version(id, version));
        out.last = version.number;
    }
    return out;
}

Result<Json> render_prompt(const Request& request, const std::string& id, const Json& body) {
    LAB_CHECK(require(request.caller, prompt_noun().read));
    std::vector<Detail> problems = check_schema(body, render_schema());
    if (!problems.empty()) {
        return Error(Code::validation, "the prompt cannot be rendered", std::move(problems));
    }
    LAB_TRY(const Resource prompt, need_noun(request, prompt_noun(), id, Deed::read));
    LAB_TRY(const Json text, text_to_render(request, prompt, body));
    LAB_TRY(
        const RenderedPrompt rendered, render_text(text, body.value("variables", Json::object()))
    );
    Json out = Json::object();
    out["rendered"] = rendered.text;
    out["rendered_template"] = rendered.text;
    out["rendered_system_prompt"] = rendered.system_prompt ? Json(*rendered.system_prompt) : Json();
    out["token_count"] =
        estimate_tokens(rendered.text) + estimate_tokens(rendered.system_prompt.value_or(""));
    out["version"] = text.value("version", std::int64_t{1});
    return out;
}

Result<Json> validate_prompt(const Request& request, const Json& body) {
    LAB_CHECK(require(request.caller, prompt_noun().read));
    std::vector<Detail> problems = check_schema(body, validate_prompt_schema());
    if (!problems.empty()) {
        return Error(Code::validation, "the request cannot be as given", std::move(problems));
    }
    return inspect_prompt_text(body);
}

}  // namespace lab::service
