#pragma once
#include "domain/run.h"
#include "storage/store/session.h"

#include <vector>

namespace lab::storage {

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
    /// `at` becomes the time of the start (running, the first time) or of the end (every state but
    /// pending and running). Errors: not_found.
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
