#include "service/dataset_links.h"

#include "platform/crypto/base64url.h"
#include "platform/crypto/mac.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kTokenBytesMax = 16U << 10;

/// The key also signs cursors: what is signed here cannot be taken for one of those.
std::string mac_of(std::string_view text, std::string_view key) {
    return hmac_sha256(key, "dataset link\n" + std::string(text)).substr(0, kMacBytes);
}

}  // namespace

std::string sign_link(const DatasetLink& link, std::string_view key) {
    const Json parts = {
        {"use", static_cast<int>(link.use)},
        {"org", link.org},
        {"dataset", link.dataset_id},
        {"user", link.user_id},
        {"admin", link.is_admin},
        {"expires", link.expires_at},
        {"version", link.version},
        {"type", link.content_type},
        {"bytes", link.bytes},
        {"format", link.format},
        {"source", link.source},
        {"label", link.label},
        {"description", link.description},
        {"changelog", link.changelog},
    };
    const std::string text = dump_json(parts);
    return base64url_encode(mac_of(text, key) + text);
}

Result<DatasetLink> read_link(
    std::string_view token,
    DatasetLink::Use use,
    std::string_view dataset_id,
    WallTime now,
    std::string_view key
) {
    const Error refused(Code::forbidden, "this address is not valid, or not any more");
    if (token.size() > kTokenBytesMax) {
        return refused;
    }
    const auto bytes = base64url_decode(token);
    if (!bytes || bytes->size() <= kMacBytes) {
        return refused;
    }
    const std::string_view text = std::string_view(*bytes).substr(kMacBytes);
    if (!constant_time_equal(mac_of(text, key), std::string_view(*bytes).substr(0, kMacBytes))) {
        return refused;
    }
    // From here on it is ours.
    LAB_TRY(const Json parts, parse_json(text));
    DatasetLink out;
    out.use = static_cast<DatasetLink::Use>(parts["use"].get<int>());
    out.org = parts["org"].get<std::int64_t>();
    out.dataset_id = parts["dataset"].get<std::string>();
    out.user_id = parts["user"].get<std::string>();
    out.is_admin = parts["admin"].get<bool>();
    out.expires_at = parts["expires"].get<std::int64_t>();
    out.version = parts["version"].get<std::int64_t>();
    // An address that an earlier release gave out has neither.
    out.content_type = parts.value("type", "");
    out.bytes = parts.value("bytes", std::int64_t{0});
    out.format = parts["format"].get<std::string>();
    out.source = parts["source"].get<std::string>();
    out.label = parts["label"].get<std::string>();
    out.description = parts["description"].get<std::string>();
    out.changelog = parts["changelog"].get<std::string>();
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (out.use != use || out.dataset_id != dataset_id || seconds >= out.expires_at) {
        return refused;
    }
    return out;
}

Caller link_caller(const DatasetLink& link, const Caller& bearer) {
    using domain::Permission;
    Caller out;
    out.kind = Caller::Kind::user;
    out.org = link.org;
    out.user_id = link.user_id;
    if (link.is_admin) {
        out.roles = {domain::Role::admin};
    }
    const auto grant = [&](Permission permission) {
        out.granted.set(static_cast<std::size_t>(permission));
    };
    if (link.use == DatasetLink::Use::upload) {
        grant(Permission::update_dataset);
    } else {
        grant(Permission::read_dataset);
        grant(Permission::export_data);
    }
    out.request_id = bearer.request_id;
    out.ip = bearer.ip;
    out.user_agent = bearer.user_agent;
    return out;
}

}  // namespace lab::service
