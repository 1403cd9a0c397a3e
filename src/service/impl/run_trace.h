#pragma once
#include "domain/run.h"
#include "platform/telemetry/tracer.h"

namespace lab::service {

/// Keeps in the body of a run that is queued now where that happens, so that the trace goes on when
/// somebody carries the run out, here or elsewhere.
void keep_trace(Json& body);

/// A run in the hands of this process: where its work stands, and its span if it is recorded.
struct RunTrace {
    SpanPlace place;
    Span span;
};
/// `tracer`: null: nobody traces.
RunTrace begin_run_trace(Tracer* tracer, const domain::Run& run);

}  // namespace lab::service
