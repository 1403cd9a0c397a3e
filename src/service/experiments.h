#pragma once
#include "domain/run.h"
#include "service/nouns.h"

#include <functional>

namespace lab::service {

/// An experiment of the service: a question, its config, and its runs.
const Noun& experiment_noun();

/// What is done with the runs of an experiment by whoever carries them out (run_queue.h).
class RunControl {
  public:
    virtual ~RunControl() = default;
    /// There is something to do.
    virtual void wake() = 0;
    /// Lets a run that is being carried out here end early: it finishes what is in flight and
    /// becomes `interrupted`. No effect when it is not here.
    virtual void interrupt(const std::string& run_id) = 0;
};

/// Checks the config whole and queues a run of it. Errors: validation (not runnable, with every
/// problem), invalid_state.
Result<Shown> start_experiment(const Request& request, RunControl& control, const std::string& id);
Result<Shown> pause_experiment(const Request& request, RunControl& control, const std::string& id);
Result<Shown> resume_experiment(const Request& request, RunControl& control, const std::string& id);
Result<Shown> cancel_experiment(const Request& request, RunControl& control, const std::string& id);
Result<Shown> archive_experiment(const Request& request, const std::string& id);
Result<Shown> unarchive_experiment(const Request& request, const std::string& id);
/// A draft of one's own with the same config. `name`: empty = the name with " (copy)".
Result<Shown> clone_experiment(
    const Request& request, const std::string& id, const std::string& name
);

/// A run that a client carries out and reports: pending until it says otherwise.
Result<Json> create_run(const Request& request, const std::string& experiment, const Json& body);
struct RunList {
    std::vector<Json> rows;
    storage::RowCount total;
    bool more = false;
    std::int64_t last = 0;  ///< number of the last one
};
/// Newest first. `below`: only those of smaller numbers.
Result<RunList> list_runs_of(
    const Request& request,
    const std::string& experiment,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
);
Result<Json> get_run_of(
    const Request& request, const std::string& experiment, const std::string& run
);
Result<Json> cancel_run_of(
    const Request& request,
    RunControl& control,
    const std::string& experiment,
    const std::string& run
);
/// Of a client's run. Repeating is allowed. Errors: invalid_state with `current`.
Result<Json> complete_run(
    const Request& request, const std::string& experiment, const std::string& run
);
Result<Json> fail_run(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& error
);

/// Up to 1,000 {name, value, step?, timestamp?}; the same point again changes nothing.
Result<Json> log_metrics(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const Json& points
);
/// Up to 1,000 samples with a client's `id`; one of an id that is there already changes nothing.
Result<Json> log_samples(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const Json& samples
);

Result<std::int64_t> count_client_samples(const Request& request, std::int64_t run);
/// The last value of every metric that a client reported.
Result<Json> client_metrics(const Request& request, std::int64_t run);

/// The run behind a path, when the caller may do this to its experiment.
Result<domain::Run> need_run(
    const Request& request, const std::string& experiment, const std::string& run, domain::Deed deed
);
/// As the API shows it.
Result<Json> show_run(const Request& request, const domain::Run& run);

/// After the engine is done with a run: what its experiment becomes. Called by the run's carrier.
Status settle_experiment(const Request& request, const domain::Run& run);
/// As settle_experiment(), for those whose run is over and whose worker died before it said so.
Status settle_experiments_left(const Request& request);

}  // namespace lab::service
