#include "storage/store/runs.h"

#include "base/text.h"
#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"
#include "storage/store/journal.h"
#include "storage/store/run_counts.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::storage {
namespace {

using domain::Run;
using domain::RunState;

constexpr std::size_t kPrefixMin = 4;
constexpr std::size_t kCandidatesMax = 10;

constexpr Query kAddExperiment{"add_experiment", R"sql(
    INSERT INTO experiments (id, name, search, created_at, updated_at)
    VALUES ($1, $2, lower($2), $3, $3) ON CONFLICT (org, owner_id, name) DO NOTHING
)sql"};
constexpr Query kNextRunNumber{"next_run_number", R"sql(
    UPDATE experiments SET run_number_last = run_number_last + 1
    WHERE org = 1 AND owner_id = '' AND name = $1
    RETURNING key, id, run_number_last
)sql"};
constexpr Query kAddRun{"add_run", R"sql(
    INSERT INTO runs (
        id, experiment, run_number, state, stop_reason, spec, manifest, dataset_hash, created_at,
        started_at, completed_at, planned, name, origin, created_by, body
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    RETURNING key
)sql"};
constexpr Query kNextNumberIn{"next_run_number_in", R"sql(
    UPDATE experiments SET run_number_last = run_number_last + 1 WHERE key = $1
    RETURNING run_number_last
)sql"};
constexpr Query kMoveRun{"move_run", R"sql(
    UPDATE runs SET state = $3 WHERE key = $1 AND state = $2
)sql"};
constexpr Query kSetRunBody{"set_run_body", "UPDATE runs SET body = $2 WHERE key = $1"};
constexpr Query kSetRunPlan{"set_run_plan", R"sql(
    UPDATE runs SET planned = $2, spec = $3, manifest = $4, dataset_hash = $5 WHERE key = $1
)sql"};
constexpr Query kCountRunsIn{"count_runs_in", LAB_COUNT_ROWS("FROM runs WHERE experiment = $1")};

// The columns of read_run(), in its order.
#define LAB_RUN_COLUMNS                                                                   \
    "SELECT r.key, r.id, e.id, e.name, r.run_number, r.state, r.stop_reason, r.spec, "    \
    "r.manifest, r.dataset_hash, r.created_at, r.started_at, r.completed_at, r.planned, " \
    "r.name, r.origin, r.created_by, r.body"
#define LAB_FROM_RUNS " FROM runs r JOIN experiments e ON e.key = r.experiment "
#define LAB_SELECT_RUNS LAB_RUN_COLUMNS LAB_FROM_RUNS

constexpr Query kGetRun{"get_run", LAB_SELECT_RUNS "WHERE r.id = $1"};
constexpr Query kGetLastRun{"get_last_run", LAB_SELECT_RUNS "ORDER BY r.key DESC LIMIT 1"};
constexpr Query kFindRuns{
    "find_runs", LAB_SELECT_RUNS "WHERE r.id >= $1 AND r.id < $2 ORDER BY r.key DESC LIMIT $3"
};
constexpr Query kListRuns{"list_runs", LAB_SELECT_RUNS "ORDER BY r.key DESC LIMIT $1 OFFSET $2"};
constexpr Query kListRunsIn{
    "list_runs_in",
    LAB_SELECT_RUNS
    "WHERE r.experiment = $1 AND r.run_number < $4 "
    "ORDER BY r.run_number DESC LIMIT $2 OFFSET $3"
};
constexpr Query kFindRunIn{"find_run_in", LAB_SELECT_RUNS "WHERE r.experiment = $1 AND r.id = $2"};
// Who ends a run early gives back his lease when he has said what becomes of it. `running`, or
// `interrupted` with a lease that nobody gave back: he has died before.
constexpr Query kAbandonedRuns{"abandoned_runs", LAB_SELECT_RUNS R"sql(
    LEFT JOIN run_leases l ON l.run = r.key
    WHERE r.state IN ('running', 'interrupted') AND r.origin = 'engine' AND r.created_by <> ''
    AND (r.state = 'running' OR l.owner <> '')
    AND (CAST($1 AS BIGINT) = 1 OR l.run IS NULL OR l.until_ms <= lab_now_ms())
    ORDER BY r.key LIMIT $2
)sql"};
constexpr Query kUnsettledRuns{"unsettled_runs", LAB_SELECT_RUNS R"sql(
    WHERE e.status = 'running' AND r.origin = 'engine' AND r.created_by <> ''
    AND r.state IN ('completed', 'failed', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM runs n
                    WHERE n.experiment = r.experiment AND n.origin = 'engine' AND n.key > r.key)
    AND NOT EXISTS (SELECT 1 FROM run_leases l WHERE l.run = r.key AND l.until_ms > lab_now_ms())
    ORDER BY r.key LIMIT $1
)sql"};
constexpr Query kWaitingRuns{"waiting_runs", LAB_RUN_COLUMNS R"sql(,
        (SELECT COUNT(*) FROM runs o JOIN experiments x ON x.key = o.experiment
         WHERE o.state = 'running' AND o.origin = 'engine' AND x.org = e.org),
        (SELECT COUNT(*) FROM runs o JOIN experiments x ON x.key = o.experiment
         WHERE o.state = 'running' AND o.origin = 'engine' AND x.org = e.org
         AND o.created_by = r.created_by)
    )sql" LAB_FROM_RUNS R"sql(
    JOIN (SELECT q.key AS run, ROW_NUMBER() OVER (PARTITION BY x.org ORDER BY q.key) AS turn
          FROM runs q JOIN experiments x ON x.key = q.experiment
          WHERE q.state = 'queued' AND q.origin = 'engine') t ON t.run = r.key
    ORDER BY t.turn, r.key LIMIT $1
)sql"};
#undef LAB_SELECT_RUNS
#undef LAB_FROM_RUNS
#undef LAB_RUN_COLUMNS
constexpr Query kCountByState{
    "count_runs_by_state", "SELECT COUNT(*) FROM runs WHERE state = $1 AND origin = 'engine'"
};

constexpr Query kStartRun{"start_run", R"sql(
    UPDATE runs SET state = $2, stop_reason = $3, started_at = COALESCE(started_at, $4),
                    completed_at = NULL
    WHERE key = $1 AND state <> 'cancelled'
)sql"};
constexpr Query kEndRun{"end_run", R"sql(
    UPDATE runs SET state = $2, stop_reason = $3, completed_at = $4
    WHERE key = $1 AND state <> 'cancelled'
)sql"};

constexpr const Query* kQueries[] = {
    &kAddExperiment, &kNextRunNumber, &kAddRun,      &kGetRun,       &kGetLastRun,
    &kFindRuns,      &kListRuns,      &kStartRun,    &kEndRun,       &kNextNumberIn,
    &kMoveRun,       &kSetRunBody,    &kSetRunPlan,  &kCountRunsIn,  &kListRunsIn,
    &kFindRunIn,     &kAbandonedRuns, &kWaitingRuns, &kCountByState, &kUnsettledRuns,
};

Value text_or_null(const std::string& text) {
    return text.empty() ? Value(nullptr) : Value(std::string_view(text));
}

Result<Run> read_run(const Row& row) {
    Run run;
    run.key = row.integer(0);
    run.id = row.text(1);
    run.experiment_id = row.text(2);
    run.experiment_name = row.text(3);
    run.number = row.integer(4);
    const auto state = domain::run_state_from(row.text(5));
    if (!state) {
        return Error(
            Code::internal,
            "run " + run.id + " has the unknown state \"" + std::string(row.text(5)) + "\""
        );
    }
    run.state = *state;
    run.stop_reason = row.text(6);
    run.spec = row.text(7);
    run.manifest = row.text(8);
    run.dataset_hash = row.text(9);
    run.created_at = row.text(10);
    run.started_at = row.text(11);
    run.completed_at = row.text(12);
    run.planned = row.integer(13);
    run.name = row.text(14);
    run.origin = row.text(15);
    run.created_by = row.text(16);
    run.body = row.text(17);
    return run;
}

Result<std::vector<Run>> read_runs(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::vector<Run> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(auto run, read_run(row));
        out.push_back(std::move(run));
        return ok();
    }));
    return out;
}

Status insert_run(const Ctx& ctx, Session& session, std::int64_t experiment_key, Run& run) {
    const Value values[] = {
        std::string_view(run.id),
        experiment_key,
        run.number,
        domain::to_string(run.state),
        std::string_view(run.stop_reason),
        std::string_view(run.spec),
        std::string_view(run.manifest),
        std::string_view(run.dataset_hash),
        std::string_view(run.created_at),
        text_or_null(run.started_at),
        text_or_null(run.completed_at),
        run.planned,
        std::string_view(run.name),
        std::string_view(run.origin),
        std::string_view(run.created_by),
        std::string_view(run.body),
    };
    return session.query(ctx, kAddRun, values, [&](const Row& row) {
        run.key = row.integer(0);
        return ok();
    });
}

Status note_created(const Ctx& ctx, Session& session, const Run& run) {
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session));
    const Json payload{{"number", run.number}, {"origin", run.origin}};
    LAB_CHECK(notes.run_event(ctx, run.key, "run_created", run.created_at, dump_json(payload)));
    return notes.commit(ctx);
}

Error no_run(std::string_view id) {
    return {
        Code::not_found,
        "there is no run \"" + shorten(id, 64) + "\": `llm-research runs list` shows them"
    };
}

Error ambiguous(std::string_view prefix, const std::vector<Run>& runs) {
    std::string text = "\"" + shorten(prefix, 64) + "\" may be any of these runs:";
    const std::size_t shown = std::min(runs.size(), kCandidatesMax);
    for (std::size_t i = 0; i < shown; ++i) {
        const Run& run = runs[i];
        text += "\n  " + run.id + "  " + run.experiment_name + " #" + std::to_string(run.number);
    }
    if (runs.size() > shown) {
        text += "\n  ...";
    }
    return {Code::validation, std::move(text)};
}

}  // namespace

std::span<const Query* const> run_queries() { return kQueries; }

Result<Run> Runs::create(const Ctx& ctx, Run run) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    const Value experiment[] = {
        std::string_view(run.experiment_id),
        std::string_view(run.experiment_name),
        std::string_view(run.created_at),
    };
    LAB_CHECK(session_.exec(ctx, kAddExperiment, experiment));
    std::int64_t experiment_key = 0;
    const Value name[] = {std::string_view(run.experiment_name)};
    LAB_CHECK(session_.query(ctx, kNextRunNumber, name, [&](const Row& row) {
        experiment_key = row.integer(0);
        run.experiment_id = row.text(1);
        run.number = row.integer(2);
        return ok();
    }));
    LAB_CHECK(insert_run(ctx, session_, experiment_key, run));
    LAB_CHECK(note_created(ctx, session_, run));
    LAB_CHECK(transaction.commit(ctx));
    return run;
}

Result<Run> Runs::create_in(const Ctx& ctx, std::int64_t experiment_key, Run run) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    const Value key[] = {experiment_key};
    LAB_CHECK(session_.query(ctx, kNextNumberIn, key, [&](const Row& row) {
        run.number = row.integer(0);
        return ok();
    }));
    if (run.number == 0) {
        return Error(Code::not_found, "there is no such experiment any more");
    }
    LAB_CHECK(insert_run(ctx, session_, experiment_key, run));
    LAB_CHECK(note_created(ctx, session_, run));
    LAB_CHECK(transaction.commit(ctx));
    return run;
}

Result<std::vector<Run>> Runs::list_in(
    const Ctx& ctx,
    std::int64_t experiment_key,
    std::int64_t limit,
    std::int64_t offset,
    std::int64_t below
) {
    const Value values[] = {experiment_key, limit, offset, below};
    return read_runs(ctx, session_, kListRunsIn, values);
}

Result<RowCount> Runs::count_in(const Ctx& ctx, std::int64_t experiment_key) {
    const Value key[] = {experiment_key};
    return count_rows(ctx, session_, kCountRunsIn, key);
}

Result<std::optional<Run>> Runs::find_in(
    const Ctx& ctx, std::int64_t experiment_key, std::string_view id
) {
    const Value values[] = {experiment_key, id};
    LAB_TRY(auto found, read_runs(ctx, session_, kFindRunIn, values));
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Result<std::vector<WaitingRun>> Runs::list_waiting(const Ctx& ctx, std::int64_t limit) {
    std::vector<WaitingRun> out;
    const Value values[] = {limit};
    LAB_CHECK(session_.query(ctx, kWaitingRuns, values, [&](const Row& row) -> Status {
        LAB_TRY(Run run, read_run(row));
        out.push_back({
            .run = std::move(run),
            .running_of_org = row.integer(18),
            .running_of_creator = row.integer(19),
        });
        return ok();
    }));
    return out;
}

Result<std::vector<Run>> Runs::list_abandoned(const Ctx& ctx, bool leased_too, std::int64_t limit) {
    const Value values[] = {std::int64_t{leased_too ? 1 : 0}, limit};
    return read_runs(ctx, session_, kAbandonedRuns, values);
}

Result<std::vector<Run>> Runs::list_unsettled(const Ctx& ctx, std::int64_t limit) {
    const Value values[] = {limit};
    return read_runs(ctx, session_, kUnsettledRuns, values);
}

Result<std::int64_t> count_runs(const Ctx& ctx, Session& session, RunState state) {
    const Value values[] = {domain::to_string(state)};
    std::int64_t count = 0;
    LAB_CHECK(session.query(ctx, kCountByState, values, [&](const Row& row) {
        count = row.integer(0);
        return ok();
    }));
    return count;
}

Result<bool> Runs::move_state(const Ctx& ctx, std::int64_t run, RunState from, RunState to) {
    const Value values[] = {run, domain::to_string(from), domain::to_string(to)};
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    LAB_TRY(const std::int64_t moved, session_.exec(ctx, kMoveRun, values));
    if (moved == 1 && from != to) {
        LAB_CHECK(notes.run_state(ctx, run, to, "", ""));
    }
    LAB_CHECK(notes.commit(ctx));
    return moved == 1;
}

Status Runs::set_body(const Ctx& ctx, std::int64_t run, std::string_view body) {
    const Value values[] = {run, body};
    LAB_CHECK(session_.exec(ctx, kSetRunBody, values));
    return ok();
}

Status Runs::set_plan(const Ctx& ctx, std::int64_t run, const RunPlan& plan) {
    const Value values[] = {
        run,
        plan.planned,
        std::string_view(plan.spec),
        std::string_view(plan.manifest),
        std::string_view(plan.dataset_hash),
    };
    LAB_CHECK(session_.exec(ctx, kSetRunPlan, values));
    return ok();
}

Result<Run> Runs::get(const Ctx& ctx, std::string_view id) {
    if (id == "last") {
        LAB_TRY(auto runs, read_runs(ctx, session_, kGetLastRun, {}));
        if (runs.empty()) {
            return Error(
                Code::not_found, "there is no run yet: `llm-research run FILE` makes the first"
            );
        }
        return std::move(runs.front());
    }
    std::string lower(id);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const Value exact[] = {std::string_view(lower)};
    LAB_TRY(auto runs, read_runs(ctx, session_, kGetRun, exact));
    if (runs.empty()) {
        if (lower.size() < kPrefixMin) {
            return Error(
                Code::not_found,
                "there is no run \"" + lower + "\": give at least " + std::to_string(kPrefixMin) +
                    " characters of its id, or \"last\""
            );
        }
        // Behind every hexadecimal digit and hyphen that may follow.
        const std::string end = lower + "~";
        const Value range[] = {
            std::string_view(lower),
            std::string_view(end),
            static_cast<std::int64_t>(kCandidatesMax + 1),
        };
        LAB_TRY(runs, read_runs(ctx, session_, kFindRuns, range));
    }
    if (runs.empty()) {
        return no_run(id);
    }
    if (runs.size() > 1) {
        return ambiguous(id, runs);
    }
    return std::move(runs.front());
}

Result<std::vector<Run>> Runs::list(const Ctx& ctx, std::int64_t limit, std::int64_t offset) {
    const Value values[] = {limit, offset};
    return read_runs(ctx, session_, kListRuns, values);
}

Status Runs::set_state(
    const Ctx& ctx,
    std::int64_t run,
    RunState state,
    std::string_view stop_reason,
    std::string_view at
) {
    const bool starts = state == RunState::pending || state == RunState::running;
    const Value values[] = {
        run,
        domain::to_string(state),
        stop_reason,
        state == RunState::pending ? Value(nullptr) : Value(at),
    };
    const bool completes = state == RunState::completed;
    Journal journal(session_);
    Ledger books;
    if (completes) {  // in front of the transaction, which the sums of many samples would hold up
        LAB_TRY(books, journal.ledger(ctx, run));
    }
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    LAB_TRY(const std::string before, notes.state_of_run(ctx, run));
    LAB_TRY(const std::int64_t count, session_.exec(ctx, starts ? kStartRun : kEndRun, values));
    if (count > 0 && before != domain::to_string(state)) {
        LAB_CHECK(notes.run_state(ctx, run, state, stop_reason, at));
    }
    if (count > 0 && completes) {
        LAB_CHECK(journal.close_books(ctx, run, at, books));
    }
    LAB_CHECK(notes.commit(ctx));
    if (count == 0) {
        LAB_TRY(
            const bool cancelled, move_state(ctx, run, RunState::cancelled, RunState::cancelled)
        );
        if (!cancelled) {
            return Error(Code::not_found, "there is no run with the key " + std::to_string(run));
        }
    }
    return ok();
}

}  // namespace lab::storage
