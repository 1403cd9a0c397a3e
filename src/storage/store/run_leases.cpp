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
// Whoever is told to do without others finds in the row itself, which is locked by now, that there
// may be others: what other tables say may be older.
constexpr Query kJoinLease{"join_lease", R"sql(
    UPDATE run_leases SET
        fence = fence + 1, crew_fence = fence + 1,
        until_ms = CASE WHEN until_ms > lab_now_ms() + CAST($2 AS BIGINT) THEN until_ms
                        ELSE lab_now_ms() + CAST($2 AS BIGINT) END
    WHERE run = $1 AND crew_fence = fence AND short = 0 AND ending = ''
    RETURNING fence
)sql"};
constexpr Query kDropMembers{"drop_members", "DELETE FROM run_members WHERE run = $1"};
constexpr Query kAddMember{"add_member", R"sql(
    INSERT INTO run_members (run, fence, owner, until_ms)
    VALUES ($1, $2, $3, lab_now_ms() + CAST($4 AS BIGINT))
)sql"};
constexpr Query kRenewMembers{"renew_members", R"sql(
    UPDATE run_members SET until_ms = lab_now_ms() + CAST($2 AS BIGINT) WHERE owner = $1
)sql"};
constexpr Query kRenewLeases{"renew_leases", R"sql(
    UPDATE run_leases SET until_ms = lab_now_ms() + CAST($2 AS BIGINT)
    WHERE until_ms < lab_now_ms() + CAST($2 AS BIGINT)
    AND run IN (SELECT run FROM run_members WHERE owner = $1)
)sql"};
constexpr Query kLeasesOf{"leases_of", R"sql(
    SELECT m.run, m.fence, r.state, e.status
    FROM run_members m JOIN runs r ON r.key = m.run JOIN experiments e ON e.key = r.experiment
    WHERE m.owner = $1 ORDER BY m.run
)sql"};
constexpr Query kReleaseMember{"release_member", R"sql(
    UPDATE run_members SET owner = '', until_ms = 0 WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kReleaseLease{"release_lease", R"sql(
    UPDATE run_leases SET owner = '', until_ms = 0 WHERE run = $1 AND NOT EXISTS (
        SELECT 1 FROM run_members m WHERE m.run = $1 AND m.until_ms > lab_now_ms()
    )
)sql"};
// It changes nothing: a row that was written is held until the transaction ends.
constexpr Query kGuardLease{"guard_lease", R"sql(
    UPDATE run_members SET fence = fence WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kGuardAndNote{"guard_and_note", R"sql(
    UPDATE run_members SET spent_pico = $3, spent_tokens = $4, spent_calls = $5, done = $6,
                           failed = $7
    WHERE run = $1 AND fence = $2
)sql"};

constexpr const Query* kQueries[] = {
    &kTakeLease,
    &kJoinLease,
    &kDropMembers,
    &kAddMember,
    &kRenewMembers,
    &kRenewLeases,
    &kLeasesOf,
    &kReleaseMember,
    &kReleaseLease,
    &kGuardLease,
    &kGuardAndNote,
};

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::span<const Query* const> run_lease_queries() { return kQueries; }

Status RunLeases::add_member(
    const Ctx& ctx, const RunLease& lease, std::string_view owner, Duration lasts
) {
    const Value values[] = {lease.run, lease.fence, owner, milliseconds(lasts)};
    LAB_CHECK(session_.exec(ctx, kAddMember, values));
    return ok();
}

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
    if (!fence) {
        return fence;
    }
    const Value key[] = {run};
    LAB_CHECK(session_.exec(ctx, kDropMembers, key));
    LAB_CHECK(add_member(ctx, {.run = run, .fence = *fence}, owner, lasts));
    return fence;
}

Result<std::optional<std::int64_t>> RunLeases::join(
    const Ctx& ctx, std::int64_t run, std::string_view owner, Duration lasts
) {
    const Value values[] = {run, milliseconds(lasts)};
    std::optional<std::int64_t> fence;
    LAB_CHECK(session_.query(ctx, kJoinLease, values, [&](const Row& row) {
        fence = row.integer(0);
        return ok();
    }));
    if (fence) {
        LAB_CHECK(add_member(ctx, {.run = run, .fence = *fence}, owner, lasts));
    }
    return fence;
}

Result<std::vector<RunStanding>> RunLeases::renew(
    const Ctx& ctx, std::string_view owner, Duration lasts
) {
    const Value renewed[] = {owner, milliseconds(lasts)};
    LAB_TRY(const std::int64_t held, session_.exec(ctx, kRenewMembers, renewed));
    if (held == 0) {
        return std::vector<RunStanding>();
    }
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
    LAB_CHECK(session_.exec(ctx, kReleaseMember, values));
    const Value key[] = {lease.run};
    LAB_CHECK(session_.exec(ctx, kReleaseLease, key));
    return ok();
}

Status RunLeases::guard(
    const Ctx& ctx, const RunLease& lease, const std::optional<MemberBooks>& books
) {
    std::vector<Value> values{lease.run, lease.fence};
    if (books) {
        const auto& [spent, done, failed] = *books;
        values.insert(values.end(), {spent.cost.pico(), spent.tokens, spent.calls, done, failed});
    }
    LAB_TRY(
        const std::int64_t held, session_.exec(ctx, books ? kGuardAndNote : kGuardLease, values)
    );
    if (held == 0) {
        return Error(
            Code::conflict,
            "another worker has taken the run over: what this one still had is not stored"
        );
    }
    return ok();
}

}  // namespace lab::storage
