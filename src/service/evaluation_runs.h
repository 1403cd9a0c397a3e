#pragma once
#include "service/evaluations.h"
#include "service/experiments.h"
#include "service/run_samples.h"

/// Runs of definitions. Automated evaluations and comparisons become an experiment and are carried
/// out by the engine, as every other run; scores of people and of custom programs are reported by a
/// client. The runs live in an experiment of the service's own that nobody else sees.
namespace lab::service {

/// JSON Schemas of the bodies of run_evaluation and add_scores.
const Json& evaluation_run_schema();
const Json& scores_schema();

/// Queues a run, or opens one for a client's scores. As it is shown. Errors: invalid_state (no
/// definition), validation with every problem of the config ("config.metrics[0]").
Result<Json> run_evaluation(
    const Request& request, RunControl& control, const std::string& id, const Json& body
);
/// Waits until the run is over, its evaluation cannot go on by itself, or little is left of the
/// request's time; then as it is.
Result<Json> await_evaluation_run(
    const Request& request, const std::string& id, const std::string& run
);
/// Whether a run, as it is shown, is over.
bool is_over(const Json& run);

Result<RunList> list_evaluation_runs(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
);
Result<Json> get_evaluation_run(
    const Request& request, const std::string& id, const std::string& run
);
/// Errors: invalid_state when it is over.
Result<Json> cancel_evaluation_run(
    const Request& request, RunControl& control, const std::string& id, const std::string& run
);
/// What came of it so far: metrics over all models, of each model, comparisons of the models, and a
/// page of samples.
Result<Json> evaluation_results(
    const Request& request, const std::string& id, const std::string& run, const SampleQuery& query
);
/// Scores of a client, up to 1,000; the same one again changes nothing. Ends the run when the body
/// says so or every expected sample has its score. Errors: invalid_state (of the engine, or over).
Result<Json> add_scores(
    const Request& request, const std::string& id, const std::string& run, const Json& body
);

/// After the engine is done with a run: what its definition becomes. Called by the run's carrier.
Status settle_evaluation(const Request& request, const domain::Run& run);
/// Noun::may_remove: not while a run is under way. Its runs go with it.
Status may_remove_evaluation(const Request& request, const storage::Resource& one);

}  // namespace lab::service
