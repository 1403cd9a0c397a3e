#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <cstddef>
#include <string_view>

/// Analyses of data that the request brings along: nothing is stored, the answer is a function of
/// the request alone (api-facts section 17; README of science/stats for the formulas).
namespace lab::service {

inline constexpr std::size_t kAnalysisBytesMax = 16U << 20;
/// Rows after weights, which count an observation several times.
inline constexpr std::size_t kObservationsMax = 100'000;
/// bootstrap_iterations times rows.
inline constexpr std::int64_t kBootstrapDrawsMax = 200'000'000;

/// What the request bodies must look like; problems beyond it are in the errors of the functions.
const Json& hypothesis_schema();
const Json& metric_schema();
/// What the answers look like.
const Json& hypothesis_answer_schema();
const Json& metric_answer_schema();

/// Tests a hypothesis with the method that is named, or that the data ask for (choose_method in
/// impl/hypothesis.h). `request_id` is echoed where the body has none. An analysis that cannot be
/// computed is an answer with the status "failed".
/// Errors: validation, each detail with its path.
Result<Json> analyse_hypothesis(const Json& body, std::string_view request_id);

/// Describes columns of numbers: central_tendency, dispersion, distribution_shape, percentile,
/// correlation, regression, custom. Errors: validation.
Result<Json> analyse_metrics(const Json& body, std::string_view request_id);

/// What an analysis accepts and answers, for GET: "hypothesis" or "metric".
Json describe_agent(std::string_view name);
/// All of them, shortly.
Json list_agents();

}  // namespace lab::service
