#pragma once
#include "domain/run.h"
#include "domain/sample.h"
#include "report/model.h"
#include "service/deps.h"
#include "service/experiment.h"
#include "service/lane_progress.h"
#include "service/run_hold.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lab::service {

/// How far a run is; refreshed several times a second.
struct Progress {
    std::int64_t planned = 0;
    std::int64_t already = 0;  ///< finished before this process began
    std::int64_t done = 0;     ///< since then, with an output
    std::int64_t failed = 0;
    std::int64_t cached = 0;
    std::int64_t in_flight = 0;
    std::int64_t waiting = 0;  ///< for a retry
    std::int64_t calls = 0;
    std::int64_t retries = 0;
    std::int64_t rate_limited = 0;
    std::int64_t tokens = 0;
    Money cost;
    std::int64_t unpriced = 0;
    Duration elapsed{0};
    bool stopping = false;            ///< interrupted: what is in flight is finished
    bool is_speaker = true;           ///< of those who work on the run, the one who tells of it
    std::vector<LaneProgress> lanes;  ///< by model
};

struct RunHooks {
    std::function<void(const domain::Run&)> started;
    std::function<void(const Progress&)> progress;
    /// A sample has failed for good; called when that is stored.
    std::function<void(const domain::SampleResult&)> sample_failed;
    /// Registers what an interrupt (Ctrl-C) calls, on the loop's thread; called with nullptr at the
    /// end.
    std::function<void(std::function<void()>)> on_interrupt;
};

struct RunResult {
    domain::Run run;
    Progress progress;
    /// Set when the run could not go on (disk full): what was stored is intact and the run can be
    /// resumed.
    std::optional<Error> error;
    /// Other workers go on with it: it is not this one's to say anything about.
    bool goes_on_elsewhere = false;
};

/// What reproduces a run: hashes, versions, seeds.
Json make_manifest(const Deps& deps, const Experiment& experiment);

/// Runs a checked experiment to its end, an interruption, or the end of its budget.
/// Errors: io and conflict of the store; what happens inside the run is in the result.
Result<RunResult> run_experiment(
    const Ctx& ctx, const Deps& deps, const Experiment& experiment, const RunHooks& hooks
);

/// Goes on with a run that did not complete: stored results are kept, failed samples are tried
/// again, calls that were in flight when a process died are reported as uncertain and sent again.
/// Errors: invalid_state when it is complete, conflict when another process works on it.
/// What is set in `budget` replaces the run's own limit.
Result<RunResult> resume_run(
    const Ctx& ctx,
    const Deps& deps,
    const std::string& id,
    const domain::Budget& budget,
    const RunHooks& hooks
);

/// The same for a run that this process holds already. Errors: also conflict when another has taken
/// it over meanwhile: then the run is not ours to say anything about.
Result<RunResult> carry_out_run(
    const Ctx& ctx,
    const Deps& deps,
    const RunHold& hold,
    const std::string& id,
    const RunHooks& hooks
);

/// The store did not answer: what failed for that may go on when it does.
bool is_away(const Error& error);

Result<std::vector<domain::Run>> list_runs(const Ctx& ctx, const Deps& deps, std::int64_t limit);
Result<domain::Run> get_run(const Ctx& ctx, const Deps& deps, const std::string& id);
/// Marks a run that nobody works on as cancelled. Errors: conflict while a process works on it.
Result<domain::Run> cancel_run(const Ctx& ctx, const Deps& deps, const std::string& id);

/// A report and its items; both borrow the experiments inside.
struct RunReport {
    report::Report report;
    std::unique_ptr<report::ItemSource> items;
    std::vector<std::unique_ptr<Experiment>> experiments;
    std::vector<std::unique_ptr<storage::Session>> sessions;
};

/// One run, or several on the same dataset version side by side (their variants are then paired by
/// item). Errors: validation when they cannot be compared, with the reason.
Result<std::unique_ptr<RunReport>> report_runs(
    const Ctx& ctx, const Deps& deps, const std::vector<std::string>& ids
);

}  // namespace lab::service
