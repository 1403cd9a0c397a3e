#pragma once
#include "domain/spec.h"
#include "report/model.h"

#include <vector>

namespace lab::service {

/// Judges the conditions of the experiment file. A figure that is n/a fails its gate: what cannot
/// be shown has not passed.
std::vector<report::GateResult> judge_gates(
    const domain::ExperimentSpec& spec, const report::Report& report
);

}  // namespace lab::service
