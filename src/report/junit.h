#pragma once
#include "report/model.h"
#include "report/sink.h"

namespace lab::report {

/// JUnit XML as CI servers read it: one suite per run with a case for its completion and one for
/// each gate; without gates one for each variant and primary metric (skipped where it is n/a). A
/// report of several runs has these last in a suite of their own.
Status write_junit(const Report& report, const Sink& sink);

}  // namespace lab::report
