#include "service/impl/run_trace.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr const char* kTrace = "trace";

std::optional<TraceContext> kept_trace(const domain::Run& run) {
    const auto body = parse_json(run.body);
    if (!body || !body->is_object() || !body->contains(kTrace)) {
        return std::nullopt;
    }
    const Json& kept = (*body)[kTrace];
    if (!kept.is_object()) {
        return std::nullopt;
    }
    return parse_trace_context(kept.value("traceparent", ""), kept.value("tracestate", ""));
}

}  // namespace

void keep_trace(Json& body) {
    const TraceContext here = context_of(current_place());
    if (!here.trace_id.empty()) {
        body[kTrace] = {
            {"traceparent", format_traceparent(here)}, {"tracestate", here.trace_state}
        };
    }
}

RunTrace begin_run_trace(Tracer* tracer, const domain::Run& run) {
    if (tracer == nullptr) {
        return {};
    }
    const std::optional<TraceContext> parent = kept_trace(run);
    RunTrace out{.place = tracer->new_place(parent), .span = {}};
    out.span = Span::at(out.place, parent ? parent->span_id : "", "run", SpanKind::internal);
    if (out.span.recorded()) {
        out.span.set("llm_research.run.id", run.id);
        out.span.set("llm_research.run.number", run.number);
        out.span.set("llm_research.run.samples", run.planned);
        out.span.set("llm_research.experiment.id", run.experiment_id);
        out.span.set("llm_research.experiment.name", run.experiment_name);
    }
    return out;
}

}  // namespace lab::service
