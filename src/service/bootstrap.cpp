#include "base/text.h"
#include "base/time_text.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/sha256.h"
#include "service/impl/identity_impl.h"
#include "service/impl/user_writing.h"
#include "storage/store/settings_table.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr std::string_view kSetting = "bootstrap";
constexpr int kTokenBits = 256;
constexpr std::chrono::hours kTokenLife{1};

/// As it is kept: "<hash> <when it expires>".
struct Offer {
    std::string hash;
    WallTime expires_at;
};

std::optional<Offer> read_offer(const std::optional<std::string>& setting) {
    if (!setting) {
        return std::nullopt;
    }
    const std::size_t space = setting->find(' ');
    if (space == setting->npos) {
        return std::nullopt;
    }
    const auto expires_at = parse_rfc3339(std::string_view(*setting).substr(space + 1));
    return expires_at ? std::optional(Offer{setting->substr(0, space), *expires_at}) : std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> Identity::offer_bootstrap(
    const Ctx& ctx, storage::Session& session
) {
    LAB_TRY(const bool is_settled, storage::Users(session).any(ctx));
    if (is_settled) {
        return std::optional<std::string>();
    }
    const std::string token = "bootstrap_" + random_base62(impl_->random, kTokenBits);
    const WallTime now = impl_->clock.wall();
    const std::string offer = sha256_hex(token) + " " + format_rfc3339(now + kTokenLife);
    LAB_CHECK(storage::ServiceSettings(session).put(ctx, kSetting, offer, format_rfc3339(now)));
    return std::optional(token);
}

Result<Json> Identity::bootstrap(
    const Request& request,
    std::string_view token,
    std::string_view email,
    std::string_view name,
    std::string_view password
) {
    const Ctx& ctx = request.ctx;
    storage::ServiceSettings settings(request.session);
    LAB_TRY(const auto setting, settings.find(ctx, kSetting));
    const auto offer = read_offer(setting);
    const bool is_right = constant_time_equal(sha256_hex(token), offer ? offer->hash : "");
    if (!is_right || !offer || !setting || impl_->clock.wall() >= offer->expires_at) {
        return refuse_credential("wrong or expired bootstrap token");
    }
    if (password.empty()) {
        return Error(Code::validation, "the user cannot be as given", {{"password", "is needed"}});
    }
    LAB_TRY(
        storage::User user,
        prepare_user(
            ctx,
            *this,
            {.email = std::string(email),
             .name = std::string(name),
             .password = std::string(password),
             .roles = {domain::Role::admin}}
        )
    );
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    storage::Users users(request.session);
    LAB_CHECK(users.lock(ctx, user.org));
    LAB_TRY(const bool is_settled, users.any(ctx));
    LAB_TRY(const bool is_first, settings.remove_if(ctx, kSetting, *setting));
    if (is_settled || !is_first) {
        return Error(Code::conflict, "there is an administrator already");
    }
    LAB_CHECK(store_user(request, user));
    LAB_CHECK(transaction.commit(ctx));
    return show_user(user);
}

}  // namespace lab::service
