#pragma once
#include "service/request.h"
#include "storage/events/fact_figures.h"

#include <optional>

namespace lab::service {

/// A copy of the facts that is made for questions, while it can be asked. Any thread.
class FactCopy {
  public:
    virtual ~FactCopy() = default;
    /// nullptr: it is away, an operator closed the way to it, or it is too far behind the store.
    virtual storage::FactFigures* usable() = 0;
    /// How long the first fact waits that it does not have yet.
    virtual Duration behind() const = 0;
    /// It was asked, and could not answer.
    virtual void failed(const Error& error) = 0;
};

/// When, and for some of the questions where. Without `from`: the last year of one
/// experiment, the last 30 days of all.
struct FactWindow {
    std::optional<WallTime> from;
    std::optional<WallTime> to;
    std::optional<std::string> experiment = {};  ///< id
};

// The figures of facts that the caller may see, from the copy where there is one that can be asked,
// else from the store: the same numbers. `source` says which, `behind_seconds` how old they may be.
// Errors of all: validation (a time that makes no sense, too much to look at), not_found.

/// Values of a metric over time, by model. `step`: hour, day or week (UTC; weeks begin on Monday).
Result<Json> metric_series(
    const Request& request,
    FactCopy* copy,
    const std::string& experiment,
    const std::string& metric,
    const std::string& step,
    const FactWindow& window
);
/// The means of a metric, run by run, and the line through them: least squares over the runs'
/// numbers, with the two-sided t test of its slope.
Result<Json> metric_trend(
    const Request& request,
    FactCopy* copy,
    const std::string& experiment,
    const std::string& metric,
    const FactWindow& window
);
/// How long calls took, by model and day.
Result<Json> call_latency(const Request& request, FactCopy* copy, const FactWindow& window);
/// What was spent. `by`: owner, experiment or model.
Result<Json> spent_costs(
    const Request& request, FactCopy* copy, const std::string& by, const FactWindow& window
);

}  // namespace lab::service
