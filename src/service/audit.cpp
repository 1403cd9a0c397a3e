#include "service/audit.h"

#include "base/text.h"
#include "platform/telemetry/redact.h"
#include "service/impl/audit_record.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::service {
namespace {

constexpr std::size_t kDetailsBytesMax = 16U << 10;
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::size_t kWordBytesMax = 256;

constexpr std::array<std::string_view, 7> kTypes{
    "authentication",
    "authorization",
    "data_access",
    "data_modification",
    "configuration",
    "security",
    "system_event",
};
constexpr std::array<std::string_view, 16> kActions{
    "create",
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
    "config_change",
};
constexpr std::array<std::string_view, 3> kOutcomes{"success", "failure", "denied"};

/// Members whose texts are somebody's work, not our business.
constexpr std::string_view kBodies[] = {
    "template",
    "system_prompt",
    "prompt",
    "messages",
    "content",
    "rendered",
    "input",
    "output",
    "expected_output",
    "default_values",
};

template <class Enum, std::size_t n>
std::optional<Enum> find_word(const std::array<std::string_view, n>& words, std::string_view text) {
    const auto at = std::ranges::find(words, text);
    return at == words.end() ? std::nullopt : std::optional(static_cast<Enum>(at - words.begin()));
}

Json hide(const Json& value, std::string_view name) {
    const Secrecy secrecy = secrecy_of(name);
    const bool is_flag = value.is_boolean() || value.is_null();
    const bool is_shown =
        secrecy == Secrecy::open || (secrecy == Secrecy::numbers && value.is_number()) || is_flag;
    if (!is_shown) {
        return kRedacted;
    }
    if (std::ranges::find(kBodies, name) != std::end(kBodies) && !is_flag) {
        return "[" + std::to_string(dump_json(value).size()) + " bytes]";
    }
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        // A scope looks like a name with its value: "api_keys:manage".
        return domain::is_scope(text) ? text : shorten(sanitize_utf8(redact(text)), kTextBytesMax);
    }
    if (value.is_array()) {
        Json out = Json::array();
        for (const Json& one : value) {
            out.push_back(hide(one, name));
        }
        return out;
    }
    if (value.is_object()) {
        Json out = Json::object();
        for (const auto& [member, one] : value.items()) {
            out[shorten(sanitize_utf8(redact(member)), kWordBytesMax)] = hide(one, member);
        }
        return out;
    }
    return value;
}

/// From outside, so it may be anything.
std::string plain(std::string_view text) {
    return shorten(sanitize_utf8(redact(text)), kWordBytesMax);
}

Json actor_json(const AuditEvent& event) {
    Json out = {{"type", event.actor_type}};
    if (event.actor_type == "anonymous") {
        out["id"] = nullptr;
        out["ip"] = event.ip;
        return out;
    }
    out["id"] = event.actor_id;
    if (!event.actor_name.empty()) {
        out[event.actor_type == "user" ? "email" : "name"] = event.actor_name;
    }
    if (!event.actor_owner.empty()) {
        out["owner_id"] = event.actor_owner;
    }
    return out;
}

Json outcome_json(const AuditEvent& event) {
    Json out = {{"status", to_string(event.outcome)}};
    if (!event.reason.empty()) {
        out["reason"] = plain(event.reason);
    }
    return out;
}

}  // namespace

std::string_view to_string(AuditType type) { return kTypes[static_cast<std::size_t>(type)]; }
std::string_view to_string(AuditAction action) {
    return kActions[static_cast<std::size_t>(action)];
}
std::string_view to_string(AuditOutcome outcome) {
    return kOutcomes[static_cast<std::size_t>(outcome)];
}
std::optional<AuditType> audit_type_from(std::string_view text) {
    return find_word<AuditType>(kTypes, text);
}
std::optional<AuditAction> audit_action_from(std::string_view text) {
    return find_word<AuditAction>(kActions, text);
}
std::optional<AuditOutcome> audit_outcome_from(std::string_view text) {
    return find_word<AuditOutcome>(kOutcomes, text);
}

AuditDetails::AuditDetails(const Json& details) {
    LAB_ASSERT(details.is_object(), "the details of an audit event are an object");
    text_ = dump_json(hide(details, ""));
    if (text_.size() > kDetailsBytesMax) {
        text_ = R"({"omitted_bytes":)" + std::to_string(text_.size()) + "}";
    }
}

Json audit_changes(const Json& before, const Json& after) {
    Json out = {{"before", Json::object()}, {"after", Json::object()}};
    for (const auto& [name, value] : before.items()) {
        const auto now = after.find(name);
        if (now == after.end() || *now != value) {
            out["before"][name] = value;
        }
    }
    for (const auto& [name, value] : after.items()) {
        const auto then = before.find(name);
        if (then == before.end() || *then != value) {
            out["after"][name] = value;
        }
    }
    return out;
}

AuditEvent audit_event(
    const Caller& caller,
    AuditType type,
    AuditAction action,
    std::string_view resource_type,
    std::string_view resource_id
) {
    AuditEvent out;
    out.type = type;
    out.action = action;
    out.org = caller.org;
    out.resource_type = resource_type;
    out.resource_id = resource_id;
    out.ip = caller.ip;
    out.user_agent = caller.user_agent;
    out.request_id = caller.request_id;
    switch (caller.kind) {
        case Caller::Kind::anonymous:
            out.actor_type = "anonymous";
            break;
        case Caller::Kind::user:
            out.actor_type = "user";
            out.actor_id = caller.user_id;
            out.actor_name = caller.email;
            break;
        case Caller::Kind::api_key:
            out.actor_type = "api_key";
            out.actor_id = caller.key_id;
            out.actor_owner = caller.user_id;
            break;
        case Caller::Kind::admin_key:
            out.actor_type = "system";
            out.actor_id = "admin_key";
            out.actor_name = "admin key";
            break;
        case Caller::Kind::local:
            out.actor_type = "system";
            out.actor_id = "command_line";
            out.actor_name = "command line";
            break;
    }
    return out;
}

AuditRecord audit_record(const AuditEvent& event, std::string id, WallTime at) {
    AuditRecord out;
    out.row.id = std::move(id);
    out.row.org = event.org;
    out.row.timestamp = format_rfc3339(at);
    out.row.event_type = dump_json({{"type", to_string(event.type)}});
    out.row.actor = dump_json(actor_json(event));
    out.row.resource = dump_json({{"type", event.resource_type}, {"id", plain(event.resource_id)}});
    out.row.action = dump_json(to_string(event.action));
    out.row.outcome = dump_json(outcome_json(event));
    out.row.details = event.details.text();
    out.row.ip_address = plain(event.ip);
    out.row.user_agent = plain(event.user_agent);
    out.row.request_id = plain(event.request_id);
    out.row.duration_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(event.duration).count();
    out.words = {
        .event_type = std::string(to_string(event.type)),
        .actor_type = event.actor_type,
        .actor_id = event.actor_id,
        .resource_type = event.resource_type,
        .resource_id = plain(event.resource_id),
        .action = std::string(to_string(event.action)),
        .outcome = std::string(to_string(event.outcome)),
    };
    return out;
}

Status write_audit(
    const Ctx& ctx, storage::Session& session, UuidSource& uuids, const AuditEvent& event
) {
    const WallTime now = ctx.clock().wall();
    AuditRecord record = audit_record(event, uuids.next(), now);
    record.row.created_at = record.row.timestamp;
    return storage::AuditTable(session).add(ctx, record.row, record.words);
}

Status write_audit(const Request& request, const AuditEvent& event) {
    return write_audit(request.ctx, request.session, *request.deps.uuids, event);
}

}  // namespace lab::service
