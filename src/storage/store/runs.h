#pragma once
#include "domain/run.h"
#include "storage/store/row_count.h"
#include "storage/store/session.h"

#include <limits>
#include <optional>
#include <vector>

namespace lab::storage {

/// What is known only when a run begins.
struct RunPlan {
    std::int64_t planned = 0;
    std::string spec;
    std::string manifest;
    std::string dataset_hash;
};

/// A run that may be taken up, and what those who ask for it have already.
struct WaitingRun {
    domain::Run run;
    std::int64_t running_of_org = 0;      ///< runs under way, of everybody in its organization
    std::int64_t running_of_creator = 0;  ///< of them, of whoever made this one
};

/// Experiments and their runs. Borrows the session; same thread rule.
class Runs {
  public:
    explicit Runs(Session& session) : session_(session) {}
    /// Finds or creates the experiment by name and gives the run its number and key; numbers are
    /// not given twice. `run.id`, `run.experiment_id` (used when new) and times come from the
    /// caller. Errors: conflict (a run of this id exists).
    Result<domain::Run> create(const Ctx& ctx, domain::Run run);
    /// By id, unique prefix of an id (at least 4 characters), or "last". Errors: not_found,
    /// validation (ambiguous prefix; lists the candidates).
    Result<domain::Run> get(const Ctx& ctx, std::string_view id);
    /// Newest first.
    Result<std::vector<domain::Run>> list(const Ctx& ctx, std::int64_t limit, std::int64_t offset);
    /// A run of an experiment of the service: numbered and keyed like the others.
    /// `run.experiment_id` names the experiment. Errors: not_found, conflict (a run of this id).
    Result<domain::Run> create_in(const Ctx& ctx, std::int64_t experiment_key, domain::Run run);
    /// Newest first; of one experiment.
    Result<std::vector<domain::Run>> list_in(
        const Ctx& ctx,
        std::int64_t experiment_key,
        std::int64_t limit,
        std::int64_t offset,
        std::int64_t below = std::numeric_limits<std::int64_t>::max()
    );
    Result<RowCount> count_in(const Ctx& ctx, std::int64_t experiment_key);
    /// By its whole id; nullopt when the experiment has no such run.
    Result<std::optional<domain::Run>> find_in(
        const Ctx& ctx, std::int64_t experiment_key, std::string_view id
    );
    /// Queued runs of the engine: the oldest of each organization, then the second of each, and so
    /// on, so that a long queue of one hides nobody's.
    Result<std::vector<WaitingRun>> list_waiting(const Ctx& ctx, std::int64_t limit);
    /// Of the service's, those that should be running and that nobody works on, and those of which
    /// nobody has said what becomes of them after they were interrupted, oldest first.
    /// `leased_too`: also those whose lease is not over.
    Result<std::vector<domain::Run>> list_abandoned(
        const Ctx& ctx, bool leased_too, std::int64_t limit
    );
    /// Of the service's, those that are over although their experiment runs on, with no later run
    /// of the engine; oldest first. Whoever carried them out may be about to say so, or has died.
    Result<std::vector<domain::Run>> list_unsettled(const Ctx& ctx, std::int64_t limit);
    /// From one state to another, by whoever is first. false: it was not in that state any more.
    Result<bool> move_state(
        const Ctx& ctx, std::int64_t run, domain::RunState from, domain::RunState to
    );
    Status set_body(const Ctx& ctx, std::int64_t run, std::string_view body);
    Status set_plan(const Ctx& ctx, std::int64_t run, const RunPlan& plan);
    /// `at` becomes the time of the start (running, the first time) or of the end (every state but
    /// pending and running). A run that is cancelled stays so, as it is: whoever carries it out may
    /// hear of it only after he has written. Errors: not_found.
    Status set_state(
        const Ctx& ctx,
        std::int64_t run,
        domain::RunState state,
        std::string_view stop_reason,
        std::string_view at
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
