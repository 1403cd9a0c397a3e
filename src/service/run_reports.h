#pragma once
#include "report/write.h"
#include "service/experiments.h"

#include <string>
#include <vector>

namespace lab::service {

/// The report of a run, or of several beside each other (of any experiments the caller may see), as
/// one text. Errors: not_found, validation (cannot be compared: runs of clients are reported
/// alone).
Result<std::string> render_run_report(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::vector<std::string>& others,
    report::Format format
);
/// Makes the reports (JSON and HTML) of the latest completed runs for Deps::report_cache: at most
/// `runs_max`. Gives how many runs have theirs. Errors: cancelled, timed_out; a report that cannot
/// be made is left out.
Result<std::size_t> warm_reports(const Request& request, std::int64_t runs_max);
/// The figures of an experiment: its samples, tokens and money over all runs, and the metrics of
/// the latest run of the engine that has results.
Result<Json> experiment_metrics(const Request& request, const std::string& experiment);
/// The latest run that has results, of the engine or of a client. Errors: not_found when there is
/// none.
Result<std::string> latest_reportable_run(const Request& request, const std::string& experiment);

}  // namespace lab::service
