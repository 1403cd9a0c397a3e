#pragma once
#include "domain/spec.h"
#include "report/model.h"

#include <string>
#include <vector>

/// The sentences of a report that belong to the experiment as a whole.
namespace lab::service {

/// The variant the others are held against: the analysis', else the hypothesis', else the first.
std::string baseline_of(const domain::ExperimentSpec& spec);
/// What stands below the answer to a declared claim: the best figures and what else was declared.
/// Empty without a claim, and where several runs are compared: nobody declared that.
std::string hypothesis_words(const domain::ExperimentSpec& spec, const report::Report& report);
/// The answer to the declared claim in one line; without one the best of each primary metric.
std::string answer_words(const domain::ExperimentSpec& spec, const report::Report& report);
/// Which analysis was done and why, a paragraph each.
std::vector<std::string> method_words(
    const domain::ExperimentSpec& spec, const report::Report& report
);

/// What the outputs, their tokens and those that are missing have that a reader must know.
std::vector<std::string> output_warnings(const report::Report& report);

}  // namespace lab::service
