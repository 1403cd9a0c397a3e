#include "service/maintenance.h"

#include "storage/store/settings_table.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr std::string_view kName = "maintenance";
constexpr std::size_t kReasonMax = 500;

}  // namespace

Result<Json> maintenance_status(const Ctx& ctx, storage::Session& session) {
    LAB_TRY(const auto value, storage::ServiceSettings(session).find(ctx, kName));
    Json out = {
        {"enabled", false}, {"reason", nullptr}, {"changed_by", nullptr}, {"changed_at", nullptr}
    };
    if (value) {
        LAB_TRY(const Json kept, parse_json(*value));
        out.update(kept);
    }
    return out;
}

Result<Json> set_maintenance(const Request& request, bool on, const std::string& reason) {
    if (reason.size() > kReasonMax) {
        return Error(
            Code::validation,
            "the reason is too long",
            {{"reason", "must have at most " + std::to_string(kReasonMax) + " bytes"}}
        );
    }
    const Caller& caller = request.caller;
    const std::string at = format_rfc3339(request.deps.clock->wall());
    const std::string who = !caller.email.empty()                    ? caller.email
                            : caller.kind == Caller::Kind::admin_key ? "admin key"
                                                                     : "local";
    Json value = {
        {"enabled", on},
        {"reason", reason.empty() ? Json() : Json(reason)},
        {"changed_by", who},
        {"changed_at", at},
    };
    storage::ServiceSettings settings(request.session);
    LAB_CHECK(settings.put(request.ctx, kName, dump_json(value), at));
    return value;
}

}  // namespace lab::service
