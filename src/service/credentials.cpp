#include "service/credentials.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "service/models.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace lab::service {
namespace {

using storage::Credential;
using storage::Credentials;

constexpr std::size_t kHostsMax = 50;
constexpr std::string_view kPrefix = "LAB_CREDENTIAL_";

Json name_schema() {
    return {
        {"type", "string"},
        {"pattern", "^[a-z][a-z0-9-]{0,63}$"},
        {"x-hint", "1 to 64 of a-z, 0-9 and '-', a letter first"},
    };
}

Json changeable() {
    Json out = Json::object();
    std::vector<std::string> providers{""};
    for (const Json& one : list_providers()) {
        providers.push_back(one["name"].get<std::string>());
    }
    out["provider"] = {{"type", "string"}, {"enum", providers}};
    out["secret_ref"] = {{"type", "string"}, {"minLength", 1}, {"maxLength", 1024}};
    out["allowed_hosts"] = {
        {"type", "array"},
        {"minItems", 1},
        {"maxItems", kHostsMax},
        {"items", {{"type", "string"}, {"minLength", 1}, {"maxLength", 260}}},
    };
    return out;
}

Json closed(Json properties, std::vector<std::string> required) {
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false},
    };
}

/// Never the secret; whether it is there.
Json show(const Outbound& outbound, const Credential& one) {
    const auto secret = outbound.resolve(one.secret_ref);
    Json out = {
        {"id", one.name},
        {"name", one.name},
        {"provider", one.provider.empty() ? Json() : Json(one.provider)},
        {"secret_ref", one.secret_ref},
        {"allowed_hosts", one.allowed_hosts},
        {"resolves", secret.has_value()},
        {"problem", secret ? Json() : Json(secret.error().message)},
        {"built_in", one.created_at.empty()},
    };
    for (const auto& [member, text] :
         {std::pair("created_by", one.created_by),
          std::pair("created_at", one.created_at),
          std::pair("updated_at", one.updated_at)}) {
        out[member] = text.empty() ? Json() : Json(text);
    }
    return out;
}

const Credential* find_built_in(const Outbound& outbound, std::string_view name) {
    const auto& known = outbound.built_in();
    const auto found = std::ranges::find(known, name, &Credential::name);
    return found == known.end() ? nullptr : &*found;
}

Status check(const Outbound& outbound, const Credential& one) {
    std::vector<Detail> problems;
    if (const Status fits = outbound.check_reference(one.secret_ref); !fits) {
        problems.push_back({"secret_ref", fits.error().message});
    }
    for (std::size_t i = 0; i < one.allowed_hosts.size(); ++i) {
        if (const Status fits = outbound.check_host(one.allowed_hosts[i]); !fits) {
            problems.push_back({path_index("allowed_hosts", i), fits.error().message});
        }
    }
    return problems.empty()
               ? ok()
               : Status(Error(
                     Code::validation, "the credential cannot be as given", std::move(problems)
                 ));
}

void take(const Json& body, Credential& one) {
    one.provider = body.value("provider", one.provider);
    one.secret_ref = body.value("secret_ref", one.secret_ref);
    one.allowed_hosts = body.value("allowed_hosts", one.allowed_hosts);
}

/// One that can be changed.
Result<Credential> need_stored(
    const Request& request, const std::string& name, std::optional<std::int64_t> if_revision
) {
    if (find_built_in(*request.deps.outbound, name) != nullptr) {
        return Error(
            Code::invalid_state,
            "this credential comes from the environment of the service: it is changed there",
            {{"current", "built_in"}}
        );
    }
    LAB_TRY(auto found, Credentials(request.session).find(request.ctx, request.caller.org, name));
    if (!found) {
        return no_such("credential");
    }
    if (if_revision && *if_revision != found->revision) {
        return Error(Code::precondition_failed, "the credential has changed since it was read");
    }
    return *std::move(found);
}

Error changed_meanwhile() {
    return {Code::precondition_failed, "somebody else changed the credential just now"};
}

/// Built in or stored.
Result<std::optional<Credential>> find_credential(
    const Ctx& ctx,
    const Outbound& outbound,
    storage::Session& session,
    std::int64_t org,
    std::string_view name
) {
    if (const Credential* one = find_built_in(outbound, name); one != nullptr) {
        return std::optional(*one);
    }
    return Credentials(session).find(ctx, org, name);
}

/// The one that credential_variable() wrote down.
Result<std::optional<Credential>> find_variable(
    const Ctx& ctx, const Outbound& outbound, storage::Session& session, std::string_view variable
) {
    std::string_view rest = variable.substr(kPrefix.size());
    std::int64_t org = 0;
    const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), org);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (code != std::errc() || !rest.starts_with('_')) {
        return std::nullopt;
    }
    std::string name = to_lower(rest.substr(1));
    std::ranges::replace(name, '_', '-');
    return find_credential(ctx, outbound, session, org, name);
}

Status check_provider(const Credential& one, std::string_view provider) {
    if (one.provider.empty() || one.provider == provider) {
        return ok();
    }
    return Error(
        Code::validation, "the credential \"" + one.name + "\" is for models of " + one.provider
    );
}

}  // namespace

const Json& credential_schema() {
    static const Json kSchema = [] {
        Json properties = changeable();
        properties["name"] = name_schema();
        return closed(std::move(properties), {"name", "secret_ref", "allowed_hosts"});
    }();
    return kSchema;
}

const Json& credential_changes_schema() {
    static const Json kSchema = closed(changeable(), {});
    return kSchema;
}

const Json& shown_credential_schema() {
    static const Json kSchema = [] {
        const Json text_or_null = {{"type", {"string", "null"}}};
        Json properties = changeable();
        properties["provider"] = text_or_null;
        properties["name"] = name_schema();
        properties["id"] = name_schema();
        properties["resolves"] = {{"type", "boolean"}};
        properties["built_in"] = {{"type", "boolean"}};
        for (const char* member : {"problem", "created_by", "created_at", "updated_at"}) {
            properties[member] = text_or_null;
        }
        return closed(std::move(properties), {"name", "secret_ref", "allowed_hosts", "resolves"});
    }();
    return kSchema;
}

Result<Shown> create_credential(const Request& request, const Json& body) {
    const Outbound& outbound = *request.deps.outbound;
    Credential one;
    one.org = request.caller.org;
    one.name = body.value("name", "");
    take(body, one);
    LAB_CHECK(check(outbound, one));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    Credentials stored(request.session);
    LAB_TRY(const auto known, stored.list(request.ctx, request.caller.org));
    if (find_built_in(outbound, one.name) != nullptr ||
        std::ranges::find(known, one.name, &Credential::name) != known.end()) {
        return Error(
            Code::conflict, "there is a credential of this name", {{"existing_id", one.name}}
        );
    }
    if (std::ssize(known) >= Credentials::kCountMax) {
        return Error(
            Code::validation, "there are 1000 credentials, which is the most there can be"
        );
    }
    one.created_by = request.caller.user_id;
    one.created_at = one.updated_at = format_rfc3339(request.deps.clock->wall());
    LAB_CHECK(stored.create(request.ctx, one));
    LAB_CHECK(transaction.commit(request.ctx));
    return Shown{.json = show(outbound, one), .revision = one.revision};
}

Result<std::vector<Json>> list_credentials(const Request& request) {
    const Outbound& outbound = *request.deps.outbound;
    std::vector<Json> out;
    for (const Credential& one : outbound.built_in()) {
        out.push_back(show(outbound, one));
    }
    LAB_TRY(const auto stored, Credentials(request.session).list(request.ctx, request.caller.org));
    for (const Credential& one : stored) {
        out.push_back(show(outbound, one));
    }
    return out;
}

Result<Shown> get_credential(const Request& request, const std::string& name) {
    const Outbound& outbound = *request.deps.outbound;
    LAB_TRY(
        const auto found,
        find_credential(request.ctx, outbound, request.session, request.caller.org, name)
    );
    if (!found) {
        return no_such("credential");
    }
    return Shown{.json = show(outbound, *found), .revision = found->revision};
}

Result<Shown> update_credential(
    const Request& request,
    const std::string& name,
    const Json& changes,
    std::optional<std::int64_t> if_revision
) {
    const Outbound& outbound = *request.deps.outbound;
    LAB_TRY(Credential one, need_stored(request, name, if_revision));
    Json before = show(outbound, one);
    take(changes, one);
    LAB_CHECK(check(outbound, one));
    one.updated_at = format_rfc3339(request.deps.clock->wall());
    LAB_TRY(const bool changed, Credentials(request.session).update(request.ctx, one));
    if (!changed) {
        return changed_meanwhile();
    }
    return Shown{
        .json = show(outbound, one), .revision = one.revision + 1, .before = std::move(before)
    };
}

Result<Json> remove_credential(
    const Request& request, const std::string& name, std::optional<std::int64_t> if_revision
) {
    LAB_TRY(const Credential one, need_stored(request, name, if_revision));
    LAB_TRY(
        const bool gone,
        Credentials(request.session).remove(request.ctx, request.caller.org, name, one.revision)
    );
    return gone ? Result<Json>(show(*request.deps.outbound, one)) : changed_meanwhile();
}

std::string credential_variable(std::int64_t org, std::string_view name) {
    std::string out = std::string(kPrefix) + std::to_string(org) + "_" + std::string(name);
    // As variables are written: small letters and digits together look like a key.
    std::ranges::transform(out, out.begin(), [](char c) {
        return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return out;
}

bool is_credential_variable(std::string_view variable) { return variable.starts_with(kPrefix); }

Result<std::optional<std::string>> secret_of_variable(
    const Ctx& ctx, const Outbound& outbound, storage::Session& session, std::string_view variable
) {
    LAB_TRY(const auto found, find_variable(ctx, outbound, session, variable));
    if (!found) {
        return std::nullopt;
    }
    LAB_TRY(std::string secret, outbound.resolve(found->secret_ref));
    return std::optional(std::move(secret));
}

std::vector<Detail> check_way_out(
    const Request& request, const std::string& provider, const Json& config
) {
    std::vector<Detail> problems;
    const Outbound* const outbound = request.deps.outbound;
    const auto url = config.find("base_url");
    const auto name = config.find("credential");
    const bool has_url = url != config.end() && url->is_string();
    if (url != config.end() && !has_url) {
        problems.push_back({"config.base_url", "must be a URL, a text"});
    }
    const std::string target = has_url ? url->get<std::string>() : "";
    std::vector<std::string> hosts;
    if (name != config.end() && outbound != nullptr) {
        const std::string word = name->is_string() ? name->get<std::string>() : "";
        const auto found =
            find_credential(request.ctx, *outbound, request.session, request.caller.org, word);
        Status fits = ok();
        if (!found) {
            fits = found.error();
        } else if (const auto& one = *found; !one) {
            fits = Error(
                Code::validation,
                "there is no credential of this name; the operator makes them (/admin/credentials)"
            );
        } else {
            hosts = one->allowed_hosts;
            fits = check_provider(*one, provider);
            fits = fits ? outbound->check_reach(hosts, provider, target) : fits;
        }
        if (!fits) {
            problems.push_back({"config.credential", fits.error().message});
        }
    }
    if (has_url && outbound != nullptr) {
        if (const Status allowed = outbound->check_url(target, hosts); !allowed) {
            problems.push_back({"config.base_url", allowed.error().message});
        }
    }
    return problems;
}

Status check_credential_of_run(
    const Ctx& ctx,
    const Outbound& outbound,
    storage::Session& session,
    const domain::ModelSpec& model
) {
    std::vector<std::string> hosts;
    if (is_credential_variable(model.api_key_env)) {
        const std::string what = "the credential of the model \"" + model.id + "\"";
        LAB_TRY(const auto found, find_variable(ctx, outbound, session, model.api_key_env));
        if (!found) {
            return Error(Code::validation, what + " is not there any more");
        }
        hosts = found->allowed_hosts;
        if (const Status fits = outbound.check_reach(hosts, model.provider, model.base_url);
            !fits) {
            return Error(Code::validation, what + ": " + fits.error().message);
        }
        if (const auto secret = outbound.resolve(found->secret_ref); !secret) {
            return Error(Code::validation, what + ": " + secret.error().message);
        }
    }
    if (model.base_url.empty()) {
        return ok();
    }
    if (const Status allowed = outbound.check_url(model.base_url, hosts); !allowed) {
        return Error(
            Code::validation,
            "the base_url of the model \"" + model.id + "\": " + allowed.error().message
        );
    }
    return ok();
}

}  // namespace lab::service
