#pragma once
#include "domain/run.h"
#include "storage/store/session.h"

namespace lab::storage {

/// How many runs of the engine are in this state, whoever they belong to: for metrics.
Result<std::int64_t> count_runs(const Ctx& ctx, Session& session, domain::RunState state);

}  // namespace lab::storage
