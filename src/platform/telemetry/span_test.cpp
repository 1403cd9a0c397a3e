#include "platform/telemetry/span.h"

#include "support/kept_spans.h"

#include <gtest/gtest.h>

#include <thread>

namespace lab {
namespace {

using std::chrono::milliseconds;
using test::attribute_of;
using test::KeptSpans;

std::string text(const std::array<char, 16>& id) { return {id.data(), id.size()}; }
std::string text(const std::array<char, 32>& id) { return {id.data(), id.size()}; }

TEST(Span, WithoutATraceThereIsNone) {
    EXPECT_EQ(current_place().sink, nullptr);
    Span span = child_span("nothing", SpanKind::internal);
    EXPECT_FALSE(span.recorded());
    span.set("a", 1);
    span.fail("x");
    span.end();
    const SpanScope scope(span);
    EXPECT_EQ(current_place().sink, nullptr);
    EXPECT_EQ(context_of(current_place()).trace_id, "");
}

TEST(Span, OfATraceThatIsNotSampledNothingIsRecordedAndTheContextGoesOn) {
    KeptSpans kept;
    const SpanScope scope(kept.place(false));
    EXPECT_FALSE(child_span("nothing", SpanKind::internal).recorded());
    const TraceContext context = context_of(current_place());
    EXPECT_EQ(
        format_traceparent(context),
        "00-" + std::string(32, 'a') + "-" + std::string(16, 'b') + "-00"
    );
    EXPECT_TRUE(kept.spans().empty());
}

TEST(Span, StandsBelowTheSpanOfItsThread) {
    KeptSpans kept;
    {
        const SpanScope scope(kept.place());
        Span outer = child_span("outer", SpanKind::server);
        const SpanScope within(outer);
        const Span inner = child_span("inner", SpanKind::client);
    }
    EXPECT_EQ(current_place().sink, nullptr);
    ASSERT_EQ(kept.spans().size(), 2U);
    const SpanRecord inner = *kept.find("inner");
    const SpanRecord outer = *kept.find("outer");
    EXPECT_EQ(text(outer.trace_id), std::string(32, 'a'));
    EXPECT_EQ(text(inner.trace_id), std::string(32, 'a'));
    EXPECT_EQ(text(outer.parent_id), std::string(16, 'b'));
    EXPECT_EQ(inner.parent_id, outer.span_id);
    EXPECT_NE(inner.span_id, outer.span_id);
    EXPECT_EQ(text(outer.span_id), "0000000000000001");
    EXPECT_EQ(outer.kind, SpanKind::server);
}

TEST(Span, AnotherThreadStandsWhereItIsTold) {
    KeptSpans kept;
    const SpanScope scope(kept.place());
    const Span span = child_span("here", SpanKind::internal);
    std::thread([place = span.place()] {
        EXPECT_EQ(current_place().sink, nullptr);
        const SpanScope there(place);
        const Span below = child_span("there", SpanKind::internal);
    }).join();
    EXPECT_EQ(text(kept.find("there")->parent_id), "0000000000000001");
}

TEST(Span, KnowsWhenItBeganAndHowLongItTook) {
    KeptSpans kept;
    const SpanScope scope(kept.place());
    const WallTime now = kept.clock().wall();
    {
        const Span span = child_span("now", SpanKind::internal);
        kept.time().advance(milliseconds(30));
    }
    const Span before = child_span("before", SpanKind::internal, milliseconds(20));
    EXPECT_EQ(kept.find("now")->begun, now);
    EXPECT_EQ(kept.find("now")->took, milliseconds(30));
    Span(Span::below(current_place(), "past", SpanKind::internal, milliseconds(5))).end();
    EXPECT_EQ(kept.find("past")->begun, now + milliseconds(25));
    EXPECT_EQ(kept.find("past")->took, milliseconds(5));
}

TEST(Span, GoesOnWithWhatCameFromOutside) {
    KeptSpans kept;
    SpanPlace self = kept.place();
    self.trace_state = std::make_shared<const std::string>("v=1");
    Span::at(self, "00f067aa0ba902b7", "in", SpanKind::server).end();
    Span::at(self, "", "root", SpanKind::server).end();
    EXPECT_EQ(text(kept.find("in")->parent_id), "00f067aa0ba902b7");
    EXPECT_EQ(text(kept.find("in")->span_id), std::string(16, 'b'));
    EXPECT_EQ(kept.find("in")->trace_state, "v=1");
    EXPECT_EQ(kept.find("root")->parent_id[0], '\0');
}

TEST(Span, KeepsAttributesOfEveryKind) {
    KeptSpans kept;
    Span span = Span::at(kept.place(), "", "all", SpanKind::internal);
    span.set("flag", true);
    span.set("count", 7U);
    span.set("share", 0.5);
    span.set("word", "one");
    span.set("word", std::string("two"));  // the last one counts
    span.set_list("list", {"a", "b"});
    span.fail("timed_out");
    span.end();
    span.set("late", 1);
    const SpanRecord all = *kept.find("all");
    EXPECT_EQ(*attribute_of(all, "flag"), SpanValue(true));
    EXPECT_EQ(*attribute_of(all, "count"), SpanValue(std::int64_t{7}));
    EXPECT_EQ(*attribute_of(all, "share"), SpanValue(0.5));
    EXPECT_EQ(*attribute_of(all, "word"), SpanValue(std::string("two")));
    EXPECT_EQ(*attribute_of(all, "list"), SpanValue(std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(*attribute_of(all, "error.type"), SpanValue(std::string("timed_out")));
    EXPECT_TRUE(all.failed);
    EXPECT_EQ(all.attributes.size(), 6U);
    EXPECT_EQ(kept.spans().size(), 1U);
}

TEST(Span, IsBounded) {
    KeptSpans kept;
    Span span = Span::at(kept.place(), "", std::string(9999, 'n'), SpanKind::internal);
    for (int i = 0; i < 60; ++i) {
        span.set("attribute" + std::to_string(i), std::string(9999, 'x'));
    }
    span.end();
    const SpanRecord only = kept.spans().at(0);
    EXPECT_EQ(only.name.size(), SpanRecord::kTextBytesMax);
    EXPECT_EQ(only.attributes.size(), SpanRecord::kAttributesMax);
    EXPECT_EQ(only.attributes_dropped, 60 - SpanRecord::kAttributesMax);
    EXPECT_EQ(std::get<std::string>(only.attributes[0].second).size(), SpanRecord::kTextBytesMax);
    EXPECT_GT(only.bytes, SpanRecord::kAttributesMax * SpanRecord::kTextBytesMax);
}

TEST(Span, AnotherInItsPlaceEndsIt) {
    KeptSpans kept;
    Span span = Span::at(kept.place(), "", "first", SpanKind::internal);
    span = Span::at(kept.place(), "", "second", SpanKind::internal);
    EXPECT_TRUE(kept.find("first"));
    EXPECT_FALSE(kept.find("second"));
    const Span moved = std::move(span);
    EXPECT_TRUE(moved.recorded());
    EXPECT_FALSE(kept.find("second"));
}

}  // namespace
}  // namespace lab
