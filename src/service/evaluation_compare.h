#pragma once
#include "domain/run.h"
#include "service/evaluations.h"

namespace lab::service {

/// A run of an experiment or of an evaluation, by its id alone; nullopt when there is none for the
/// caller's eyes.
Result<std::optional<domain::Run>> find_visible_run(const Request& request, const std::string& id);

/// JSON Schema of the body of compare_runs.
const Json& compare_schema();
/// Runs of experiments and evaluations beside each other, metric by metric: values, the best one,
/// how far it is from the first run named, and a test of every pair. Runs over the same items are
/// compared item by item. p-values are corrected over all tests of the answer. Errors: validation
/// (a run that is not there, metrics they do not share).
Result<Json> compare_runs(const Request& request, const Json& body);

/// Every scorer and every metric they give: [{name, metric, description, kind, direction, minimum,
/// maximum, parameters, needs_reference}]. Errors: forbidden.
Result<Json> list_metric_types(const Request& request);

}  // namespace lab::service
