#pragma once
#include "domain/run.h"
#include "engine/crew.h"
#include "engine/driver.h"
#include "service/deps.h"
#include "storage/store/run_crews.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::service {

/// How much of a budget goes to a member. Each takes a quarter of what is left, or what its next
/// call needs; whoever leaves gives back what it did not spend.
struct BudgetShare {
    storage::Spending granted;
    bool is_all_of_it = false;  ///< its next call would need more than there is
};
/// `taken`: by all others. `before`: what it has been granted. `spent`: of that, by itself.
/// `need`: of the call that waits, if any. `takes_all`: nobody else will want some.
BudgetShare share_budget(
    const domain::Budget& budget,
    const storage::Spending& taken,
    const storage::Spending& before,
    const storage::Spending& spent,
    const std::optional<storage::Spending>& need,
    bool takes_all
);

/// One process's part in a run that several work on, by way of the store: blocks are claimed,
/// budgets shared and the dead buried in transactions on the run's row, so that at any moment the
/// books of all together are exact.
class RunCrew final : public engine::Crew {
  public:
    /// The first one's session is the worker's. All outlive it.
    RunCrew(
        const Ctx& ctx,
        storage::Session& session,
        const storage::RunLease& lease,
        const domain::Budget& budget,
        std::int64_t samples
    )
        : ctx_(ctx), session_(session), lease_(lease), budget_(budget), samples_(samples) {}

    /// By whoever has the run alone: from now on others may join.
    static Status open(
        const Ctx& ctx,
        storage::Session& session,
        const storage::RunLease& lease,
        const std::vector<engine::Block>& blocks
    );
    Result<engine::CrewAnswer> ask(const engine::CrewAsk& ask) override;

    /// What becomes of the run when a member has ended for `end`; nullopt: others go on with it,
    /// and the lease is given back. Else it is the last one, the state is written, and the lease
    /// is kept for what is to be done then. `finished`: blocks. `is_for_all`: the others are to end
    /// for that reason, too.
    struct End {
        domain::RunState state;
        std::string words;
    };
    static Result<std::optional<End>> leave(
        const Ctx& ctx,
        const Deps& deps,
        storage::Session& session,
        const storage::RunLease& lease,
        const domain::Budget& budget,
        const std::vector<int>& finished,
        const End& end,
        bool is_for_all
    );

  private:
    Ctx ctx_;
    storage::Session& session_;
    storage::RunLease lease_;
    domain::Budget budget_;
    std::int64_t samples_;
};

}  // namespace lab::service
