#include "storage/store/run_leases.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kTakeLease{"take_lease", R"sql(
    INSERT INTO run_leases (run, owner, fence, until_ms)
    VALUES ($1, $2, 1, lab_now_ms() + CAST($3 AS BIGINT))
    ON CONFLICT (run) DO UPDATE SET
        owner = excluded.owner, fence = run_leases.fence + 1, until_ms = excluded.until_ms
    WHERE run_leases.until_ms <= lab_now_ms() OR CAST($4 AS BIGINT) = 1
    RETURNING fence
)sql"};
constexpr Query kRenewLeases{"renew_leases", R"sql(
    UPDATE run_leases SET until_ms = lab_now_ms() + CAST($2 AS BIGINT) WHERE owner = $1
)sql"};
constexpr Query kLeasesOf{"leases_of", R"sql(
    SELECT l.run, l.fence, r.state, e.status
    FROM run_leases l JOIN runs r ON r.key = l.run JOIN experiments e ON e.key = r.experiment
    WHERE l.owner = $1 ORDER BY l.run
)sql"};
constexpr Query kReleaseLease{"release_lease", R"sql(
    UPDATE run_leases SET owner = '', until_ms = 0 WHERE run = $1 AND fence = $2
)sql"};
// It changes nothing: a row that was written is held until the transaction ends.
constexpr Query kGuardLease{"guard_lease", R"sql(
    UPDATE run_leases SET fence = fence WHERE run = $1 AND fence = $2
)sql"};

constexpr const Query* kQueries[] = {
    &kTakeLease,
    &kRenewLeases,
    &kLeasesOf,
    &kReleaseLease,
    &kGuardLease,
};

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::span<const Query* const> run_lease_queries() { return kQueries; }

Result<std::optional<std::int64_t>> RunLeases::take(
    const Ctx& ctx, std::int64_t run, std::string_view owner, Duration lasts, Held held
) {
    const Value values[] = {
        run, owner, milliseconds(lasts), std::int64_t{held == Held::take_over ? 1 : 0}
    };
    std::optional<std::int64_t> fence;
    LAB_CHECK(session_.query(ctx, kTakeLease, values, [&](const Row& row) {
        fence = row.integer(0);
        return ok();
    }));
    return fence;
}

Result<std::vector<RunStanding>> RunLeases::renew(
    const Ctx& ctx, std::string_view owner, Duration lasts
) {
    const Value renewed[] = {owner, milliseconds(lasts)};
    LAB_CHECK(session_.exec(ctx, kRenewLeases, renewed));
    std::vector<RunStanding> out;
    const Value key[] = {owner};
    LAB_CHECK(session_.query(ctx, kLeasesOf, key, [&](const Row& row) {
        out.push_back({
            .lease = {.run = row.integer(0), .fence = row.integer(1)},
            .run_state = std::string(row.text(2)),
            .experiment_status = std::string(row.text(3)),
        });
        return ok();
    }));
    return out;
}

Status RunLeases::release(const Ctx& ctx, const RunLease& lease) {
    const Value values[] = {lease.run, lease.fence};
    LAB_CHECK(session_.exec(ctx, kReleaseLease, values));
    return ok();
}

Status RunLeases::guard(const Ctx& ctx, const RunLease& lease) {
    const Value values[] = {lease.run, lease.fence};
    LAB_TRY(const std::int64_t held, session_.exec(ctx, kGuardLease, values));
    if (held == 0) {
        return Error(
            Code::conflict,
            "another worker has taken the run over: what this one still had is not stored"
        );
    }
    return ok();
}

}  // namespace lab::storage
