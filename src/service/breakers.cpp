#include "service/breakers.h"

#include "base/text.h"
#include "storage/store/settings_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::string_view kPrefix = "breaker:";

Status check_name(const std::string& service) {
    const auto& names = breaker_names();
    if (std::ranges::find(names, service) != names.end()) {
        return ok();
    }
    const std::string near = nearest(service, names);
    std::string words = "there is no breaker \"" + shorten(service, 60) + "\"";
    words += near.empty() ? ": known are " + join(names, ", ") : ", did you mean \"" + near + "\"?";
    return Error(Code::not_found, std::move(words), {{"known", join(names, ",")}});
}

std::string who(const Caller& caller) {
    if (!caller.email.empty()) {
        return caller.email;
    }
    return caller.kind == Caller::Kind::admin_key ? "admin key" : "local";
}

/// What the store says of one; {} when it is not forced.
Result<Json> forced(const Ctx& ctx, storage::Session& session, const std::string& service) {
    storage::ServiceSettings settings(session);
    LAB_TRY(const auto value, settings.find(ctx, std::string(kPrefix) + service));
    return value && !value->empty() ? parse_json(*value) : Result<Json>(Json::object());
}

Json shown(const std::string& service, const Json& value) {
    const bool open = !value.empty();
    return {
        {"service", service},
        {"state", open ? "open" : "closed"},
        {"forced", open},
        {"opened_by", value.value("opened_by", Json())},
        {"opened_at", value.value("opened_at", Json())},
    };
}

}  // namespace

const std::vector<std::string>& breaker_names() {
    static const std::vector<std::string> kNames{
        "openai-api",
        "anthropic-api",
        "google-api",
        "azure-api",
        "huggingface-api",
        "cohere-api",
        "aws-api",
        "local-api",
        "custom-api",
        "s3",
        "clickhouse",
        "redis",
        "secrets",
    };
    return kNames;
}

std::string breaker_of_provider(std::string_view provider) {
    return std::string(provider == "bedrock" ? "aws" : provider) + "-api";
}

Result<Json> open_breaker(const Request& request, const std::string& service) {
    LAB_CHECK(check_name(service));
    const std::string at = format_rfc3339(request.deps.clock->wall());
    const Json value = {{"opened_by", who(request.caller)}, {"opened_at", at}};
    storage::ServiceSettings settings(request.session);
    LAB_CHECK(settings.put(request.ctx, std::string(kPrefix) + service, dump_json(value), at));
    return shown(service, value);
}

Result<Json> close_breaker(const Request& request, const std::string& service) {
    LAB_CHECK(check_name(service));
    const std::string at = format_rfc3339(request.deps.clock->wall());
    storage::ServiceSettings settings(request.session);
    LAB_CHECK(settings.put(request.ctx, std::string(kPrefix) + service, "", at));
    return shown(service, Json::object());
}

Result<Json> breaker_status(const Ctx& ctx, storage::Session& session) {
    Json list = Json::array();
    for (const std::string& service : breaker_names()) {
        LAB_TRY(const Json value, forced(ctx, session, service));
        list.push_back(shown(service, value));
    }
    return Json{{"breakers", std::move(list)}};
}

Result<std::vector<std::string>> forced_breakers(const Ctx& ctx, storage::Session& session) {
    std::vector<std::string> out;
    for (const std::string& service : breaker_names()) {
        LAB_TRY(const Json value, forced(ctx, session, service));
        if (!value.empty()) {
            out.push_back(service);
        }
    }
    return out;
}

}  // namespace lab::service
