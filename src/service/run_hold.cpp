#include "service/run_hold.h"

#include "platform/json/json.h"
#include "storage/store/resources.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

using domain::RunState;

constexpr std::int64_t kAbandonedMax = 1000;  ///< at one look
constexpr Duration kSettling = std::chrono::seconds(15);

Error is_held(const domain::Run& run) {
    return {Code::conflict, "another worker works on run " + run.id};
}

Result<std::optional<storage::RunLock>> lock_file(const Deps& deps, const std::string& run) {
    std::optional<storage::RunLock> out;
    if (!deps.lock_folder.empty()) {
        LAB_TRY(storage::RunLock lock, storage::RunLock::acquire(deps.lock_folder, run));
        out.emplace(std::move(lock));
    }
    return out;
}

}  // namespace

Result<RunHold> RunHold::take(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const domain::Run& run,
    Duration lasts,
    std::optional<RunState> from
) {
    using Held = storage::RunLeases::Held;
    LAB_TRY(auto lock, lock_file(deps, run.id));
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    LAB_TRY(
        const std::optional<std::int64_t> fence,
        storage::RunLeases(session).take(
            ctx, run.key, deps.process_name, lasts, lock ? Held::take_over : Held::respect
        )
    );
    if (!fence) {
        return is_held(run);
    }
    if (from) {
        LAB_TRY(
            const bool moved,
            storage::Runs(session).move_state(ctx, run.key, *from, RunState::running)
        );
        if (!moved) {
            return is_held(run);
        }
    }
    LAB_CHECK(transaction.commit(ctx));
    return RunHold(std::move(lock), {.run = run.key, .fence = *fence}, false);
}

Result<RunHold> RunHold::join(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const domain::Run& run,
    Duration lasts
) {
    LAB_ASSERT(deps.lock_folder.empty(), "a run of one machine's own store is one process's");
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    LAB_TRY(
        const std::optional<std::int64_t> fence,
        storage::RunLeases(session).join(ctx, run.key, deps.process_name, lasts)
    );
    if (!fence) {
        return Error(Code::conflict, "nobody may join those who work on run " + run.id);
    }
    // After the row of the run's lease is ours: whoever ends it has written that before.
    LAB_TRY(const domain::Run now, storage::Runs(session).get(ctx, run.id));
    if (now.state != RunState::running) {
        return Error(Code::conflict, "run " + run.id + " is over");
    }
    LAB_CHECK(transaction.commit(ctx));
    return RunHold(std::nullopt, {.run = run.key, .fence = *fence}, true);
}

Status settle_interrupted(
    const Ctx& ctx, const Deps& deps, storage::Session& session, domain::Run& run
) {
    storage::Resources experiments(session, storage::ResourceKind::experiment);
    LAB_TRY(const auto experiment, experiments.find_anywhere(ctx, run.experiment_id));
    // Of a run of an evaluation the run itself says so; of others its experiment.
    LAB_TRY(const Json body, parse_json(run.body));
    std::string status = "cancelled";
    if (experiment && !body.value("cancelled", false)) {
        status = experiment->status;
    }
    storage::Runs runs(session);
    if (status == "cancelled") {
        run.state = RunState::cancelled;
        return runs.set_state(
            ctx, run.key, run.state, "cancelled by hand", format_rfc3339(deps.clock->wall())
        );
    }
    if (status == "paused") {
        return ok();
    }
    run.state = RunState::queued;
    LAB_CHECK(runs.move_state(ctx, run.key, RunState::interrupted, RunState::queued));
    deps.observer->run_queued_again();
    return ok();
}

namespace {

/// In the place of one who died before he could.
Status settle_for_the_dead(
    const Ctx& ctx, const Deps& deps, storage::Session& session, domain::Run& run
) {
    LAB_TRY(const RunHold hold, RunHold::take(ctx, deps, session, run, kSettling));
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    storage::RunLeases leases(session);
    LAB_CHECK(leases.guard(ctx, hold.lease()));
    LAB_TRY(run, storage::Runs(session).get(ctx, run.id));
    if (run.state == RunState::interrupted) {
        LAB_CHECK(settle_interrupted(ctx, deps, session, run));
    }
    LAB_CHECK(leases.release(ctx, hold.lease()));
    return transaction.commit(ctx);
}

}  // namespace

Result<int> queue_abandoned_runs(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const std::function<bool(const std::string&)>& is_own
) {
    storage::Runs runs(session);
    const bool is_embedded = !deps.lock_folder.empty();
    LAB_TRY(auto left, runs.list_abandoned(ctx, is_embedded, kAbandonedMax));
    int count = 0;
    for (domain::Run& run : left) {
        if (is_own(run.id)) {
            continue;
        }
        if (run.state == RunState::interrupted) {
            const Status settled = settle_for_the_dead(ctx, deps, session, run);
            if (!settled && settled.error().code != Code::conflict) {
                return settled.error();
            }
            count += settled && run.state == RunState::queued ? 1 : 0;
            continue;
        }
        const auto lock = lock_file(deps, run.id);
        if (!lock && lock.error().code == Code::conflict) {
            continue;  // a process of this machine works on it
        }
        if (!lock) {
            return lock.error();
        }
        LAB_TRY(
            const bool moved, runs.move_state(ctx, run.key, RunState::running, RunState::queued)
        );
        if (moved) {
            ++count;
            deps.observer->run_queued_again();
        }
    }
    return count;
}

}  // namespace lab::service
