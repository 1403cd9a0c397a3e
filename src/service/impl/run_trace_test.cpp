#include "service/impl/run_trace.h"

#include "support/kept_spans.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

class NoExporter final : public SpanExporter {
  public:
    SpanDelivery send(std::span<const std::unique_ptr<SpanRecord>> /*spans*/) override {
        return {};
    }
    void interrupt() override {}
};

TEST(RunTrace, GoesOnWhereTheRunWasQueued) {
    test::KeptSpans kept;
    domain::Run run;
    Json body = {{"config", Json::object()}};
    keep_trace(body);
    EXPECT_FALSE(body.contains("trace")) << "nobody traces";
    {
        const SpanScope scope(kept.place());
        keep_trace(body);
    }
    run.body = dump_json(body);
    Tracer tracer(kept.clock(), kept, std::make_unique<NoExporter>(), {.sample_ratio = 0});
    const RunTrace trace = begin_run_trace(&tracer, run);
    EXPECT_TRUE(trace.span.recorded()) << "as the request was, whatever the ratio";
    EXPECT_EQ(trace.place.trace_id, kept.place().trace_id);
    EXPECT_NE(trace.place.span_id, kept.place().span_id);
    EXPECT_EQ(trace.span.place().span_id, trace.place.span_id);
}

TEST(RunTrace, BeginsOneWhereNothingIsKnown) {
    test::KeptSpans kept;
    Tracer tracer(kept.clock(), kept, std::make_unique<NoExporter>(), {});
    domain::Run run;
    for (const char* body : {"{}", "[]", "no JSON", R"({"trace": {"traceparent": "broken"}})"}) {
        run.body = body;
        EXPECT_TRUE(begin_run_trace(&tracer, run).span.recorded()) << body;
    }
    EXPECT_EQ(begin_run_trace(nullptr, run).place.sink, nullptr);
}

}  // namespace
}  // namespace lab::service
