#pragma once
#include "domain/run.h"
#include "service/deps.h"
#include "storage/store/run_leases.h"
#include "storage/store/run_lock.h"

#include <optional>

namespace lab::service {

/// The right to work on a run, alone or beside others: a lease in the store, with the fence that
/// all writing for the run needs. Where the store is one machine's own (Deps::lock_folder is set),
/// a lock of the operating system beside it says at once when a holder is dead; in a shared store
/// his lease has to run out.
class RunHold {
  public:
    /// For `lasts` from now; without a lock file it has to be renewed before that. `from`: the run
    /// is in this state, and is `running` from now on. Errors: conflict when another process works
    /// on it or was faster.
    static Result<RunHold> take(
        const Ctx& ctx,
        const Deps& deps,
        storage::Session& session,
        const domain::Run& run,
        Duration lasts,
        std::optional<domain::RunState> from = {}
    );
    /// Beside those who work on it already. Errors: conflict when nobody may join them (any more).
    static Result<RunHold> join(
        const Ctx& ctx,
        const Deps& deps,
        storage::Session& session,
        const domain::Run& run,
        Duration lasts
    );
    const storage::RunLease& lease() const { return lease_; }
    bool is_beside_others() const { return is_beside_others_; }
    /// A run of one machine's own store is one process's.
    bool may_be_joined() const { return !lock_.has_value(); }

  private:
    RunHold(
        std::optional<storage::RunLock> lock, const storage::RunLease& lease, bool beside_others
    )
        : lock_(std::move(lock)), lease_(lease), is_beside_others_(beside_others) {}
    std::optional<storage::RunLock> lock_;
    storage::RunLease lease_;
    bool is_beside_others_;
};

/// What a run that was ended early becomes. Who ended it decides: a stopping process hands it on, a
/// pause leaves it, a cancellation is written again over what the engine wrote. Whoever asks holds
/// the run.
Status settle_interrupted(
    const Ctx& ctx, const Deps& deps, storage::Session& session, domain::Run& run
);

/// Runs of the service that should be running and that nobody works on go back to the queue, also
/// where who ended one early has died before he said what becomes of it. Gives how many.
/// `is_own(id)`: this process works on it.
Result<int> queue_abandoned_runs(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const std::function<bool(const std::string&)>& is_own
);

}  // namespace lab::service
