#pragma once
#include "domain/spec.h"
#include "report/model.h"

#include <string>
#include <vector>

/// The sentences of a report that belong to the experiment as a whole.
namespace lab::service {

/// The variant the others are held against: the analysis', else the hypothesis', else the first.
std::string baseline_of(const domain::ExperimentSpec& spec);
/// The hypothesis as declared, in one sentence; empty without one.
std::string hypothesis_words(const domain::ExperimentSpec& spec);
/// What was found, in one or two sentences.
std::string answer_words(const domain::ExperimentSpec& spec, const report::Report& report);
/// Which analysis was done and why, a paragraph each.
std::vector<std::string> method_words(
    const domain::ExperimentSpec& spec, const report::Report& report
);

}  // namespace lab::service
