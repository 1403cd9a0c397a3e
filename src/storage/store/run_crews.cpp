#include "storage/store/run_crews.h"

#include "base/time_text.h"
#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kLockCrew{
    "lock_crew", "UPDATE run_leases SET crew_fence = crew_fence WHERE run = $1"
};
constexpr Query kOpenCrew{"open_crew", R"sql(
    UPDATE run_leases SET
        crew_fence = fence, ending = '', spent_pico = $3, spent_tokens = $4, spent_calls = $5,
        done = $6, failed = $7
    WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kForgetShards{"forget_shards", "DELETE FROM run_shards WHERE run = $1"};
constexpr Query kAddShard{"add_shard", R"sql(
    INSERT INTO run_shards (run, shard, lane, first, until) VALUES ($1, $2, $3, $4, $5)
)sql"};
constexpr Query kForgetPauses{"forget_pauses", "DELETE FROM run_pauses WHERE run = $1"};
constexpr Query kGetCrew{"get_crew", R"sql(
    SELECT spent_pico, spent_tokens, spent_calls, done, failed, short, ending
    FROM run_leases WHERE run = $1
)sql"};
constexpr Query kListMembers{"list_members", R"sql(
    SELECT fence, CASE WHEN until_ms > lab_now_ms() THEN 1 ELSE 0 END,
           granted_pico, granted_tokens, granted_calls,
           spent_pico, spent_tokens, spent_calls, done, failed
    FROM run_members WHERE run = $1 ORDER BY fence
)sql"};
constexpr Query kClaimShard{"claim_shard", R"sql(
    UPDATE run_shards SET fence = $2 WHERE run = $1 AND shard = (
        SELECT MIN(s.shard) FROM run_shards s
        WHERE s.run = $1 AND s.lane = $3 AND s.fence = 0 AND s.state < 2
    )
    RETURNING shard, lane, first, until, state
)sql"};
constexpr Query kFinishShard{"finish_shard", R"sql(
    UPDATE run_shards SET fence = 0, state = 2 WHERE run = $1 AND fence = $2 AND shard = $3
)sql"};
constexpr Query kCountUnfinished{
    "count_unfinished_shards", "SELECT COUNT(*) FROM run_shards WHERE run = $1 AND state < 2"
};
constexpr Query kGrant{"grant_budget", R"sql(
    UPDATE run_members SET granted_pico = $3, granted_tokens = $4, granted_calls = $5
    WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kFreeShards{"free_shards", R"sql(
    UPDATE run_shards SET fence = 0, state = 1 WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kNoteIntents{"note_intents_of_member", R"sql(
    INSERT INTO uncertain (run, sample, cost_pico, tokens, calls, noted_at)
    SELECT run, sample, cost_pico, tokens, attempts + 1, CAST($3 AS TEXT)
    FROM intents WHERE run = $1 AND fence = $2
)sql"};
constexpr Query kDropIntents{
    "drop_intents_of_member", "DELETE FROM intents WHERE run = $1 AND fence = $2"
};
constexpr Query kInheritBooks{"inherit_books", R"sql(
    UPDATE run_leases SET
        spent_pico = run_leases.spent_pico + m.spent_pico,
        spent_tokens = run_leases.spent_tokens + m.spent_tokens,
        spent_calls = run_leases.spent_calls + m.spent_calls,
        done = run_leases.done + m.done,
        failed = run_leases.failed + m.failed
    FROM run_members m WHERE m.run = $1 AND m.fence = $2 AND run_leases.run = $1
)sql"};
constexpr Query kDropMember{"drop_member", "DELETE FROM run_members WHERE run = $1 AND fence = $2"};
constexpr Query kEndCrew{
    "end_crew", "UPDATE run_leases SET ending = $2 WHERE run = $1 AND ending = ''"
};
constexpr Query kRunShort{"run_short", "UPDATE run_leases SET short = 1 WHERE run = $1"};
constexpr Query kCloseCrew{"close_crew", "UPDATE run_leases SET crew_fence = 0 WHERE run = $1"};
constexpr Query kPauseLane{"pause_lane", R"sql(
    INSERT INTO run_pauses (run, lane, until_ms)
    VALUES ($1, $2, lab_now_ms() + CAST($3 AS BIGINT))
    ON CONFLICT (run, lane) DO UPDATE SET until_ms = excluded.until_ms
    WHERE run_pauses.until_ms < excluded.until_ms
)sql"};
constexpr Query kListPauses{"list_pauses", R"sql(
    SELECT lane, until_ms - lab_now_ms() FROM run_pauses
    WHERE run = $1 AND until_ms > lab_now_ms() ORDER BY lane
)sql"};
constexpr Query kJoinableRuns{"joinable_runs", R"sql(
    SELECT r.id FROM run_leases l JOIN runs r ON r.key = l.run
    WHERE r.state = 'running' AND r.origin = 'engine' AND r.created_by <> ''
    AND l.crew_fence = l.fence AND l.short = 0 AND l.ending = ''
    AND EXISTS (
        SELECT 1 FROM run_shards s WHERE s.run = l.run AND s.fence = 0 AND s.state < 2
    )
    AND NOT EXISTS (SELECT 1 FROM run_members m WHERE m.run = l.run AND m.owner = $1)
    ORDER BY (SELECT COUNT(*) FROM run_members m WHERE m.run = l.run), r.key LIMIT $2
)sql"};

constexpr const Query* kQueries[] = {
    &kLockCrew,    &kOpenCrew,    &kForgetShards, &kAddShard,        &kForgetPauses, &kGetCrew,
    &kListMembers, &kClaimShard,  &kFinishShard,  &kCountUnfinished, &kGrant,        &kFreeShards,
    &kNoteIntents, &kDropIntents, &kInheritBooks, &kDropMember,      &kEndCrew,      &kRunShort,
    &kCloseCrew,   &kPauseLane,   &kListPauses,   &kJoinableRuns,
};

/// Three columns.
Spending read_spending(const Row& row, int first) {
    return {
        .cost = Money::from_pico(row.integer(first)),
        .tokens = row.integer(first + 1),
        .calls = row.integer(first + 2),
    };
}

/// Five columns.
MemberBooks read_books(const Row& row, int first) {
    return {
        .spent = read_spending(row, first),
        .done = row.integer(first + 3),
        .failed = row.integer(first + 4),
    };
}

}  // namespace

std::span<const Query* const> run_crew_queries() { return kQueries; }

Status RunCrews::lock(const Ctx& ctx, std::int64_t run) {
    const Value key[] = {run};
    LAB_CHECK(session_.exec(ctx, kLockCrew, key));
    return ok();
}

Status RunCrews::deal(
    const Ctx& ctx, const RunLease& lease, std::span<const Shard> shards, const MemberBooks& before
) {
    const Value opened[] = {
        lease.run,
        lease.fence,
        before.spent.cost.pico(),
        before.spent.tokens,
        before.spent.calls,
        before.done,
        before.failed,
    };
    LAB_TRY(const std::int64_t held, session_.exec(ctx, kOpenCrew, opened));
    if (held == 0) {
        return Error(Code::conflict, "another worker has taken the run over");
    }
    const Value key[] = {lease.run};
    LAB_CHECK(session_.exec(ctx, kForgetShards, key));
    LAB_CHECK(session_.exec(ctx, kForgetPauses, key));
    for (const Shard& shard : shards) {
        const Value values[] = {
            lease.run,
            std::int64_t{shard.number},
            std::int64_t{shard.lane},
            shard.first,
            shard.until,
        };
        LAB_CHECK(session_.exec(ctx, kAddShard, values));
    }
    return ok();
}

Result<CrewStanding> RunCrews::standing(const Ctx& ctx, std::int64_t run) {
    CrewStanding out;
    const Value key[] = {run};
    LAB_CHECK(session_.query(ctx, kGetCrew, key, [&](const Row& row) {
        out.gone = read_books(row, 0);
        out.is_short = row.integer(5) != 0;
        out.ending = row.text(6);
        return ok();
    }));
    LAB_CHECK(session_.query(ctx, kListMembers, key, [&](const Row& row) {
        out.members.push_back({
            .fence = row.integer(0),
            .is_alive = row.integer(1) != 0,
            .granted = read_spending(row, 2),
            .books = read_books(row, 5),
        });
        return ok();
    }));
    return out;
}

Result<std::optional<Shard>> RunCrews::claim(const Ctx& ctx, const RunLease& lease, int lane) {
    std::optional<Shard> out;
    const Value values[] = {lease.run, lease.fence, std::int64_t{lane}};
    LAB_CHECK(session_.query(ctx, kClaimShard, values, [&](const Row& row) {
        out = Shard{
            .number = static_cast<int>(row.integer(0)),
            .lane = static_cast<int>(row.integer(1)),
            .first = row.integer(2),
            .until = row.integer(3),
            .is_begun = row.integer(4) != 0,
        };
        return ok();
    }));
    return out;
}

Status RunCrews::finish(const Ctx& ctx, const RunLease& lease, int shard) {
    const Value values[] = {lease.run, lease.fence, std::int64_t{shard}};
    LAB_CHECK(session_.exec(ctx, kFinishShard, values));
    return ok();
}

Result<std::int64_t> RunCrews::count_unfinished(const Ctx& ctx, std::int64_t run) {
    std::int64_t count = 0;
    const Value key[] = {run};
    LAB_CHECK(session_.query(ctx, kCountUnfinished, key, [&](const Row& row) {
        count = row.integer(0);
        return ok();
    }));
    return count;
}

Status RunCrews::grant(const Ctx& ctx, const RunLease& lease, const Spending& granted) {
    const Value values[] = {
        lease.run, lease.fence, granted.cost.pico(), granted.tokens, granted.calls
    };
    LAB_CHECK(session_.exec(ctx, kGrant, values));
    return ok();
}

Result<std::int64_t> RunCrews::remove(const Ctx& ctx, const RunLease& lease) {
    const std::string at = format_rfc3339(ctx.clock().wall());
    const Value noted[] = {lease.run, lease.fence, std::string_view(at)};
    LAB_TRY(const std::int64_t count, session_.exec(ctx, kNoteIntents, noted));
    const Value key[] = {lease.run, lease.fence};
    for (const Query* query : {&kDropIntents, &kFreeShards, &kInheritBooks, &kDropMember}) {
        LAB_CHECK(session_.exec(ctx, *query, key));
    }
    return count;
}

Status RunCrews::end(const Ctx& ctx, std::int64_t run, std::string_view why) {
    const Value values[] = {run, why};
    LAB_CHECK(session_.exec(ctx, kEndCrew, values));
    return ok();
}

Status RunCrews::run_short(const Ctx& ctx, std::int64_t run) {
    const Value key[] = {run};
    LAB_CHECK(session_.exec(ctx, kRunShort, key));
    return ok();
}

Status RunCrews::close(const Ctx& ctx, std::int64_t run) {
    const Value key[] = {run};
    LAB_CHECK(session_.exec(ctx, kCloseCrew, key));
    return ok();
}

Status RunCrews::pause(const Ctx& ctx, std::int64_t run, int lane, Duration lasts) {
    const Value values[] = {
        run,
        std::int64_t{lane},
        std::int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(lasts).count()},
    };
    LAB_CHECK(session_.exec(ctx, kPauseLane, values));
    return ok();
}

Result<std::vector<std::pair<int, Duration>>> RunCrews::pauses(const Ctx& ctx, std::int64_t run) {
    std::vector<std::pair<int, Duration>> out;
    const Value key[] = {run};
    LAB_CHECK(session_.query(ctx, kListPauses, key, [&](const Row& row) {
        out.emplace_back(row.integer(0), std::chrono::milliseconds(row.integer(1)));
        return ok();
    }));
    return out;
}

Result<std::vector<std::string>> RunCrews::list_joinable(
    const Ctx& ctx, std::string_view owner, std::int64_t limit
) {
    std::vector<std::string> out;
    const Value values[] = {owner, limit};
    LAB_CHECK(session_.query(ctx, kJoinableRuns, values, [&](const Row& row) {
        out.emplace_back(row.text(0));
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
