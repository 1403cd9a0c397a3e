#include "service/idempotency.h"

#include "storage/store/idempotency.h"

namespace lab::service {
namespace {

constexpr auto kKept = std::chrono::hours(24);
/// Longer than any request may take: one under way since then has died with its process.
constexpr auto kAbandoned = std::chrono::minutes(10);
constexpr std::int64_t kPurgedAtOnce = 1000;

std::string text_of(const Request& request, std::chrono::seconds ago) {
    return format_rfc3339(request.deps.clock->wall() - ago);
}

storage::IdempotentRequest stored(
    const Request& request, const std::string& key, const std::string& hash
) {
    const Caller& caller = request.caller;
    std::string who = caller.key_id.empty() ? "user " + caller.user_id : "key " + caller.key_id;
    return {.org = caller.org, .caller = std::move(who), .key = key, .hash = hash};
}

}  // namespace

Idempotent::Idempotent(const Request& request, std::string key, std::string hash)
    : request_(request), key_(std::move(key)), hash_(std::move(hash)) {}

Result<std::optional<KeptAnswer>> Idempotent::claim() {
    storage::IdempotencyKeys keys(request_.session);
    LAB_TRY(
        const auto found,
        keys.claim(
            request_.ctx,
            stored(request_, key_, hash_),
            text_of(request_, std::chrono::seconds(0)),
            text_of(request_, kKept),
            text_of(request_, kAbandoned)
        )
    );
    if (!found) {
        return std::optional<KeptAnswer>();
    }
    if (found->hash != hash_) {
        return Error(
            Code::conflict, "this Idempotency-Key was used for another request: take a new one"
        );
    }
    if (found->status == 0) {
        return Error(Code::conflict, "the same request is under way: ask again in a moment");
    }
    return std::optional(KeptAnswer{.status = found->status, .response = found->response});
}

Status Idempotent::finish(int status, const std::string& response) {
    storage::IdempotencyKeys keys(request_.session);
    LAB_CHECK(keys.finish(request_.ctx, stored(request_, key_, hash_), status, response));
    return ok();
}

Status Idempotent::release() {
    storage::IdempotencyKeys keys(request_.session);
    return keys.release(request_.ctx, stored(request_, key_, hash_));
}

Status purge_idempotent(const Request& request) {
    storage::IdempotencyKeys keys(request.session);
    LAB_CHECK(keys.purge(request.ctx, text_of(request, kKept), kPurgedAtOnce));
    return ok();
}

}  // namespace lab::service
