#include "service/api_keys.h"

#include "base/time_text.h"
#include "base/uuid.h"
#include "platform/json/schema.h"
#include "service/audit.h"
#include "service/users.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Permission;
using domain::Role;
using storage::ApiKey;
using storage::ApiKeys;
using storage::User;

constexpr int kPrefixAttempts = 3;
constexpr std::int64_t kDaysMax = 3650;

Error not_as_given(std::vector<Detail> problems) {
    return {Code::validation, "the key cannot be as given", std::move(problems)};
}

Error no_such_key() { return {Code::not_found, "there is no API key with this id"}; }

Error may_not(const std::string& what, std::string_view scope) {
    return {Code::forbidden, what, {{"required_permission", std::string(scope)}}};
}

/// Errors: forbidden when the caller could not use the scope.
Status may_give_scope(const Caller& caller, const std::string& scope) {
    const std::string words = "a key cannot do more than who makes it: this needs " + scope;
    if (scope == "*") {
        return caller.granted.all() ? ok() : Status(may_not(words, scope));
    }
    const domain::PermissionSet rights = domain::permissions_of_scopes({&scope, 1});
    if (rights.any()) {
        return (rights & ~caller.granted).none() ? ok() : Status(may_not(words, scope));
    }
    // A scope that no role grants (metrics:write, metrics:delete): who runs experiments has it, or
    // a key that was given it.
    const bool is_given = std::ranges::any_of(caller.scopes, [&](const std::string& own) {
        return own == scope || own == "*";
    });
    const bool has_it = caller.kind == Caller::Kind::api_key
                            ? is_given
                            : caller.may(Permission::run_experiment) || caller.is_admin();
    return has_it ? ok() : Status(may_not(words, scope));
}

/// Who may see everything is a matter of roles, not of permissions: a key that is no
/// administrator's makes none that is.
Status may_give_role(const Caller& caller, Role role) {
    const bool has_it =
        caller.is_admin() || std::ranges::find(caller.roles, role) != caller.roles.end();
    return has_it
               ? ok()
               : Status(may_not(
                     "a key cannot have a role its maker has not: " + std::string(to_string(role)),
                     "users:manage"
                 ));
}

Json enum_of(std::vector<std::string> words) {
    return {{"type", "string"}, {"enum", std::move(words)}};
}

Result<User> owner_of(const Request& request, const Json& body) {
    const Caller& caller = request.caller;
    const std::string id = body.value("owner_id", caller.user_id);
    if (id.empty()) {
        return not_as_given({{"owner_id", "is needed: whose key shall it be?"}});
    }
    if (id != caller.user_id && !caller.is_admin()) {
        return may_not("only an administrator makes keys for others", "users:manage");
    }
    LAB_TRY(const auto owner, storage::Users(request.session).find(request.ctx, caller.org, id));
    if (!owner || !owner->is_active) {
        return not_as_given({{"owner_id", "there is no active user with this id"}});
    }
    return *owner;
}

/// The roles that are asked for, or those of the owner. Errors: validation.
Result<std::vector<Role>> wanted_roles(const User& owner, const Json& body) {
    const auto given = body.find("roles");
    if (given == body.end()) {
        return owner.roles;
    }
    std::vector<Role> out;
    std::vector<Detail> problems;
    for (const Json& word : *given) {
        const auto& text = word.get_ref<const std::string&>();
        const auto role = domain::role_from(text);
        if (!role) {
            continue;  // the schema has refused it
        }
        const bool is_held = std::ranges::find(owner.roles, *role) != owner.roles.end();
        if (!is_held && *role != Role::service_account) {
            problems.push_back({"roles", "the owner is no " + text});
        } else if (std::ranges::find(out, *role) == out.end()) {
            out.push_back(*role);
        }
    }
    if (!problems.empty()) {
        return not_as_given(std::move(problems));
    }
    return out;
}

Result<std::vector<Role>> roles_for(const Caller& caller, const User& owner, const Json& body) {
    LAB_TRY(std::vector<Role> out, wanted_roles(owner, body));
    for (const Role role : out) {
        // A service account may do what its scopes say, and those are checked.
        if (role != Role::service_account) {
            LAB_CHECK(may_give_role(caller, role));
        }
    }
    return out;
}

Result<std::string> expiry_of(const Json& body, WallTime now) {
    const auto days = body.find("expires_in_days");
    const auto at = body.find("expires_at");
    if (days != body.end() && at != body.end() && !at->is_null()) {
        return not_as_given({{"expires_at", "stands beside expires_in_days: give one of them"}});
    }
    if (days != body.end()) {
        return format_rfc3339(now + std::chrono::days(days->get<std::int64_t>()));
    }
    if (at == body.end() || at->is_null()) {
        return std::string();
    }
    const auto moment = parse_rfc3339(at->get_ref<const std::string&>());
    if (!moment || *moment <= now) {
        return not_as_given({{"expires_at", "must be a time to come, such as 2030-01-31T00:00:00Z"}}
        );
    }
    return format_rfc3339(*moment);
}

Result<domain::Tier> tier_for(const Caller& caller, const Json& body) {
    const auto tier =
        domain::tier_from(body.value("rate_limit_tier", "")).value_or(domain::Tier::standard);
    const bool is_high = tier == domain::Tier::unlimited || tier == domain::Tier::enterprise;
    if (is_high && !caller.is_admin()) {
        return may_not("only an administrator gives this tier", "users:manage");
    }
    return tier;
}

/// Stores it under fresh letters, and gives it as shown, with the whole key. In a transaction.
Result<Json> store_key(
    const Request& request, Identity& identity, ApiKey key, std::string_view why
) {
    NewKey made;
    Status stored = ok();
    for (int attempt = 0; attempt < kPrefixAttempts; ++attempt) {
        made = identity.make_key();
        key.id = identity.next_id();
        key.key_prefix = made.prefix;
        key.key_hash = made.hash;
        stored = ApiKeys(request.session).create(request.ctx, key);
        if (stored || stored.error().code != Code::conflict) {
            break;
        }
    }
    LAB_CHECK(std::move(stored));
    Json out = show_key(key);
    AuditEvent event = audit_event(
        request.caller, AuditType::security, AuditAction::api_key_created, "api_key", key.id
    );
    event.reason = why;
    event.details = AuditDetails(out);
    LAB_CHECK(write_audit(request, event));
    out["key"] = made.text;
    return out;
}

/// In a transaction.
Status audit_end(const Request& request, const std::string& id, std::string_view why) {
    AuditEvent event = audit_event(
        request.caller, AuditType::security, AuditAction::api_key_revoked, "api_key", id
    );
    event.reason = why;
    return write_audit(request, event);
}

/// The life a rotated key gets: as long as that of the old one.
std::string renewed_expiry(const ApiKey& old, WallTime now) {
    const auto from = parse_rfc3339(old.created_at);
    const auto to = parse_rfc3339(old.expires_at);
    // Moments are compared as text, which holds for years of four digits.
    constexpr WallTime kLast(std::chrono::seconds(253'402'300'799));
    return from && to ? format_rfc3339(std::min(now + (*to - *from), kLast)) : "";
}

}  // namespace

const Json& new_key_schema() {
    static const Json kSchema = [] {
        const auto scopes = domain::all_scopes();
        return Json{
            {"type", "object"},
            {"properties",
             {{"name",
               {{"type", "string"},
                {"minLength", 1},
                {"maxLength", 255},
                {"pattern", "^[^\\x00-\\x1f\\x7f]+$"},
                {"x-hint", "a name without line breaks"}}},
              {"scopes",
               {{"type", "array"},
                {"minItems", 1},
                {"maxItems", scopes.size()},
                {"items", enum_of({scopes.begin(), scopes.end()})}}},
              {"roles",
               {{"type", "array"},
                {"minItems", 1},
                {"maxItems", domain::kRoles},
                {"items", enum_of(domain::role_names())}}},
              {"owner_id", {{"type", "string"}, {"format", "uuid"}, {"maxLength", 36}}},
              {"rate_limit_tier",
               enum_of(
                   {"free",
                    "standard",
                    "professional",
                    "enterprise",
                    "unlimited",
                    "basic",
                    "pro",
                    "premium"}
               )},
              {"expires_at", {{"type", {"string", "null"}}, {"format", "date-time"}}},
              {"expires_in_days", {{"type", "integer"}, {"minimum", 1}, {"maximum", kDaysMax}}}}},
            {"required", {"name", "scopes"}},
            {"additionalProperties", false},
        };
    }();
    return kSchema;
}

const Json& rotate_key_schema() {
    static const Json kSchema = {
        {"type", "object"},
        {"properties", {{"overlap_hours", {{"type", "number"}, {"minimum", 0}, {"maximum", 24}}}}},
        {"additionalProperties", false},
    };
    return kSchema;
}

Json show_key(const ApiKey& key) {
    Json roles = Json::array();
    for (const Role role : key.roles) {
        roles.push_back(to_string(role));
    }
    return {
        {"id", key.id},
        {"name", key.name},
        {"owner_id", key.owner_id},
        {"key_prefix", key.key_prefix},
        {"scopes", key.scopes},
        {"roles", roles},
        {"rate_limit_tier", to_string(key.tier)},
        {"created_at", key.created_at},
        {"expires_at", key.expires_at.empty() ? Json() : Json(key.expires_at)},
        {"last_used_at", key.last_used_at.empty() ? Json() : Json(key.last_used_at)},
        {"is_active", key.is_active},
    };
}

Result<Json> create_key(const Request& request, Identity& identity, const Json& body) {
    const Caller& caller = request.caller;
    LAB_CHECK(require(caller, Permission::manage_api_keys));
    if (auto problems = check_schema(body, new_key_schema()); !problems.empty()) {
        return not_as_given(std::move(problems));
    }
    ApiKey key;
    key.org = caller.org;
    key.name = body.value("name", "");
    for (const Json& scope : body.at("scopes")) {
        key.scopes.push_back(scope.get<std::string>());
        LAB_CHECK(may_give_scope(caller, key.scopes.back()));
    }
    std::ranges::sort(key.scopes);
    const auto repeated = std::ranges::unique(key.scopes);
    key.scopes.erase(repeated.begin(), repeated.end());
    LAB_TRY(const User owner, owner_of(request, body));
    key.owner_id = owner.id;
    LAB_TRY(key.roles, roles_for(caller, owner, body));
    LAB_TRY(key.tier, tier_for(caller, body));
    const WallTime now = request.ctx.clock().wall();
    key.created_at = format_rfc3339(now);
    LAB_TRY(key.expires_at, expiry_of(body, now));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Json out, store_key(request, identity, std::move(key), ""));
    LAB_CHECK(transaction.commit(request.ctx));
    return out;
}

Result<NounList> list_keys(
    const Request& request, const storage::ApiKeyFilter& filter, const storage::ResourcePage& page
) {
    LAB_CHECK(require(request.caller, Permission::manage_api_keys));
    ApiKeys keys(request.session);
    storage::ResourcePage one_more = page;
    ++one_more.limit;
    LAB_TRY(auto found, keys.list(request.ctx, request.caller.org, filter, one_more));
    NounList out;
    LAB_TRY(out.total, keys.count(request.ctx, request.caller.org, filter));
    out.more = std::ssize(found) > page.limit;
    if (out.more) {
        found.pop_back();
        if (!found.empty()) {
            out.last = storage::ResourceCursor{found.back().created_at, found.back().id};
        }
    }
    for (const ApiKey& key : found) {
        out.rows.push_back(show_key(key));
    }
    return out;
}

Result<Json> get_key(const Request& request, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::manage_api_keys));
    LAB_TRY(const auto key, ApiKeys(request.session).find(request.ctx, request.caller.org, id));
    if (!key) {
        return no_such_key();
    }
    return show_key(*key);
}

Status revoke_key(const Request& request, Identity& identity, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::manage_api_keys));
    const Ctx& ctx = request.ctx;
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    ApiKeys keys(request.session);
    LAB_TRY(const auto key, keys.find(ctx, request.caller.org, id));
    if (!key) {
        return no_such_key();
    }
    LAB_TRY(const bool ended, keys.revoke(ctx, request.caller.org, id));
    if (ended) {
        LAB_CHECK(audit_end(request, id, ""));
    }
    LAB_CHECK(transaction.commit(ctx));
    identity.forget_key(id);
    return ok();
}

Result<Json> rotate_key(
    const Request& request, Identity& identity, const std::string& id, const Json& body
) {
    LAB_CHECK(require(request.caller, Permission::manage_api_keys));
    if (auto problems = check_schema(body, rotate_key_schema()); !problems.empty()) {
        return Error(Code::validation, "the key cannot be rotated like this", std::move(problems));
    }
    const Ctx& ctx = request.ctx;
    const WallTime now = ctx.clock().wall();
    const std::string at = format_rfc3339(now);
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    ApiKeys keys(request.session);
    LAB_TRY(const auto old, keys.find(ctx, request.caller.org, id));
    if (!old) {
        return no_such_key();
    }
    if (!old->is_active || (!old->expires_at.empty() && old->expires_at <= at)) {
        return Error(Code::invalid_state, "a key that is revoked or expired is not rotated");
    }
    for (const std::string& scope : old->scopes) {
        LAB_CHECK(may_give_scope(request.caller, scope));
    }
    for (const Role role : old->roles) {
        LAB_CHECK(may_give_role(request.caller, role));
    }
    ApiKey fresh = *old;
    fresh.created_at = at;
    fresh.last_used_at.clear();
    fresh.expires_at = renewed_expiry(*old, now);
    LAB_TRY(Json out, store_key(request, identity, std::move(fresh), "rotated"));
    const double hours = body.value("overlap_hours", 0.0);
    const auto overlap = std::chrono::milliseconds(static_cast<std::int64_t>(hours * 3'600'000));
    const auto ended = overlap.count() == 0
                           ? keys.revoke(ctx, old->org, id)
                           : keys.expire(ctx, old->org, id, format_rfc3339(now + overlap));
    LAB_CHECK(ended);
    LAB_CHECK(audit_end(request, id, overlap.count() == 0 ? "rotated" : "rotated, with overlap"));
    LAB_CHECK(transaction.commit(ctx));
    identity.forget_key(id);
    return out;
}

}  // namespace lab::service
