#include "service/signed_address.h"

#include "platform/crypto/base64url.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kTokenBytesMax = 16U << 10;

/// What is signed: one kind does not serve as another.
std::string signed_text(std::string_view kind, std::string_view text) {
    return std::string(kind) + "\n" + std::string(text);
}

}  // namespace

AddressHolder address_holder(const Caller& caller) {
    return {.org = caller.org, .user_id = caller.user_id, .is_admin = caller.is_admin()};
}

std::string sign_address(
    std::string_view kind, const AddressHolder& holder, Json parts, const SigningKeys& signing
) {
    parts["org"] = holder.org;
    parts["user"] = holder.user_id;
    parts["admin"] = holder.is_admin;
    parts["expires"] = holder.expires_at;
    const std::string text = dump_json(parts);
    return base64url_encode(signing.sign(signed_text(kind, text)).substr(0, kMacBytes) + text);
}

Error bad_address() { return Error(Code::forbidden, "this address is not valid, or not any more"); }

Result<Json> read_address(
    std::string_view kind,
    std::string_view token,
    WallTime now,
    const SigningKeys& signing,
    AddressHolder& holder
) {
    if (token.size() > kTokenBytesMax) {
        return bad_address();
    }
    const auto bytes = base64url_decode(token);
    if (!bytes || bytes->size() <= kMacBytes) {
        return bad_address();
    }
    const std::string_view text = std::string_view(*bytes).substr(kMacBytes);
    const std::string_view mac = std::string_view(*bytes).substr(0, kMacBytes);
    if (!signing.accept(signed_text(kind, text), mac)) {
        return bad_address();
    }
    // From here on it is ours.
    LAB_TRY(Json parts, parse_json(text));
    holder.org = parts["org"].get<std::int64_t>();
    holder.user_id = parts["user"].get<std::string>();
    holder.is_admin = parts["admin"].get<bool>();
    holder.expires_at = parts["expires"].get<std::int64_t>();
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (seconds >= holder.expires_at) {
        return bad_address();
    }
    return parts;
}

Caller address_caller(
    const AddressHolder& holder,
    std::initializer_list<domain::Permission> rights,
    const Caller& bearer
) {
    Caller out;
    out.kind = Caller::Kind::user;
    out.org = holder.org;
    out.user_id = holder.user_id;
    if (holder.is_admin) {
        out.roles = {domain::Role::admin};
    }
    for (const domain::Permission right : rights) {
        out.granted.set(static_cast<std::size_t>(right));
    }
    out.request_id = bearer.request_id;
    out.ip = bearer.ip;
    out.user_agent = bearer.user_agent;
    return out;
}

}  // namespace lab::service
