#pragma once
#include "domain/run.h"
#include "service/deps.h"
#include "storage/store/run_leases.h"
#include "storage/store/run_lock.h"

#include <optional>

namespace lab::service {

/// The right to work on a run, for one process at a time: a lease in the store, with the fence that
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
    const storage::RunLease& lease() const { return lease_; }

  private:
    RunHold(std::optional<storage::RunLock> lock, const storage::RunLease& lease)
        : lock_(std::move(lock)), lease_(lease) {}
    std::optional<storage::RunLock> lock_;
    storage::RunLease lease_;
};

/// Runs of the service that should be running and that nobody works on go back to the queue. Gives
/// how many. `is_own(id)`: this process works on it.
Result<int> queue_abandoned_runs(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const std::function<bool(const std::string&)>& is_own
);

}  // namespace lab::service
