#pragma once
#include "cli/console.h"
#include "platform/json/json.h"

/// Figures of evaluations as tables for people; programs get the answer itself (print_answer).
namespace lab::cli {

/// Results of one run: a line for each model and metric, then the comparisons.
Status print_results(const Console& console, const Json& results);
/// Runs held against each other: a line for each metric and run, then the tests.
Status print_comparison(const Console& console, const Json& comparison);

}  // namespace lab::cli
