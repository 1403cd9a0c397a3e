#include "storage/store/idempotency.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

// One statement, so that of two that come at once one gets the key.
constexpr Query kClaim{"claim_idempotency_key", R"sql(
    INSERT INTO idempotency_keys (
        org, caller, idempotency_key, request_hash, status, response, created_at
    ) VALUES ($1, $2, $3, $4, 0, '', $5)
    ON CONFLICT (org, caller, idempotency_key) DO UPDATE
    SET request_hash = excluded.request_hash, status = 0, response = '',
        created_at = excluded.created_at
    WHERE idempotency_keys.created_at < $6
       OR (idempotency_keys.status = 0 AND idempotency_keys.created_at < $7)
)sql"};
constexpr Query kFind{"find_idempotency_key", R"sql(
    SELECT request_hash, status, response FROM idempotency_keys
    WHERE org = $1 AND caller = $2 AND idempotency_key = $3
)sql"};
constexpr Query kFinish{"finish_idempotency_key", R"sql(
    UPDATE idempotency_keys SET status = $5, response = $6
    WHERE org = $1 AND caller = $2 AND idempotency_key = $3 AND request_hash = $4 AND status = 0
)sql"};
constexpr Query kRelease{"release_idempotency_key", R"sql(
    DELETE FROM idempotency_keys
    WHERE org = $1 AND caller = $2 AND idempotency_key = $3 AND request_hash = $4 AND status = 0
)sql"};
constexpr Query kPurge{"purge_idempotency_keys", R"sql(
    DELETE FROM idempotency_keys WHERE (org, caller, idempotency_key) IN (
        SELECT org, caller, idempotency_key FROM idempotency_keys
        WHERE created_at < $1 ORDER BY created_at LIMIT $2
    )
)sql"};

constexpr const Query* kQueries[] = {&kClaim, &kFind, &kFinish, &kRelease, &kPurge};

}  // namespace

std::span<const Query* const> idempotency_queries() { return kQueries; }

Result<std::optional<IdempotentAnswer>> IdempotencyKeys::claim(
    const Ctx& ctx,
    const IdempotentRequest& request,
    std::string_view at,
    std::string_view expired_before,
    std::string_view abandoned_before
) {
    const Value values[] = {
        request.org,
        std::string_view(request.caller),
        std::string_view(request.key),
        Blob{request.hash},
        at,
        expired_before,
        abandoned_before,
    };
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kClaim, values));
    if (changed == 1) {
        return std::optional<IdempotentAnswer>();
    }
    std::optional<IdempotentAnswer> out;
    LAB_CHECK(session_.query(ctx, kFind, std::span(values).first(3), [&](const Row& row) {
        out = IdempotentAnswer{
            .hash = std::string(row.blob(0)),
            .status = static_cast<int>(row.integer(1)),
            .response = std::string(row.text(2)),
        };
        return ok();
    }));
    if (!out) {
        // Given back between the two statements.
        return Error(Code::unavailable, "the same request has just failed: try again");
    }
    return out;
}

Result<bool> IdempotencyKeys::finish(
    const Ctx& ctx, const IdempotentRequest& request, int status, std::string_view response
) {
    const Value values[] = {
        request.org,
        std::string_view(request.caller),
        std::string_view(request.key),
        Blob{request.hash},
        std::int64_t{status},
        response,
    };
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kFinish, values));
    return changed == 1;
}

Status IdempotencyKeys::release(const Ctx& ctx, const IdempotentRequest& request) {
    const Value values[] = {
        request.org,
        std::string_view(request.caller),
        std::string_view(request.key),
        Blob{request.hash},
    };
    LAB_CHECK(session_.exec(ctx, kRelease, values));
    return ok();
}

Result<std::int64_t> IdempotencyKeys::purge(
    const Ctx& ctx, std::string_view before, std::int64_t rows_max
) {
    const Value values[] = {before, rows_max};
    return session_.exec(ctx, kPurge, values);
}

}  // namespace lab::storage
