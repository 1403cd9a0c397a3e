#include "platform/otlp/messages.h"

#include "platform/otlp/impl/wire.h"
#include "support/kept_spans.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

namespace lab::otlp {
namespace {

/// All fields with this number, of a message.
std::vector<Field> all(std::string_view message, int number) {
    std::vector<Field> out;
    Reader reader(message);
    while (const auto field = reader.next()) {
        if (field->number == number) {
            out.push_back(*field);
        }
    }
    return out;
}
Field one(std::string_view message, int number) {
    const auto found = all(message, number);
    EXPECT_EQ(found.size(), 1U) << number;
    return found.empty() ? Field{} : found.front();
}

/// Attributes of a message, where they stand in the field with this number; values as written.
std::map<std::string, std::string> attributes(std::string_view message, int number) {
    std::map<std::string, std::string> out;
    for (const Field& field : all(message, number)) {
        out[std::string(one(field.bytes, 1).bytes)] = one(field.bytes, 2).bytes;
    }
    return out;
}

std::vector<std::unique_ptr<SpanRecord>> records(const test::KeptSpans& kept) {
    std::vector<std::unique_ptr<SpanRecord>> out;
    for (const SpanRecord& record : kept.spans()) {
        out.push_back(std::make_unique<SpanRecord>(record));
    }
    return out;
}

std::string text_value(std::string_view text) { return Message().text_always(1, text).str(); }

class OtlpMessages : public testing::Test {
  protected:
    /// The one span of a request.
    std::string span() {
        request_ = encode_traces({{"service.name", "lab"}}, "1.2.3", records(kept_));
        const Field resource_spans = one(request_, 1);
        EXPECT_EQ(
            attributes(one(resource_spans.bytes, 1).bytes, 1),
            (std::map<std::string, std::string>{{"service.name", text_value("lab")}})
        );
        const Field scope_spans = one(resource_spans.bytes, 2);
        EXPECT_EQ(one(one(scope_spans.bytes, 1).bytes, 1).bytes, "llm-research");
        EXPECT_EQ(one(one(scope_spans.bytes, 1).bytes, 2).bytes, "1.2.3");
        return std::string(one(scope_spans.bytes, 2).bytes);
    }

    test::KeptSpans kept_;
    std::string request_;
};

TEST_F(OtlpMessages, ASpanHasItsPlaceNameTimesAndStatus) {
    SpanPlace self = kept_.place();
    self.trace_state = std::make_shared<const std::string>("v=1");
    Span made = Span::at(self, "00f067aa0ba902b7", "select_run", SpanKind::client);
    kept_.time().advance(std::chrono::microseconds(1500));
    made.fail("CONFLICT");
    made.end();
    const std::string span = this->span();
    EXPECT_EQ(one(span, 1).bytes, std::string(16, '\xaa'));
    EXPECT_EQ(one(span, 2).bytes, std::string(8, '\xbb'));
    EXPECT_EQ(one(span, 3).bytes, "v=1");
    EXPECT_EQ(one(span, 4).bytes, std::string_view("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
    EXPECT_EQ(one(span, 5).bytes, "select_run");
    EXPECT_EQ(one(span, 6).value, 3U);
    EXPECT_EQ(one(span, 8).value - one(span, 7).value, 1'500'000U);
    EXPECT_EQ(one(span, 7).value / 1'000'000'000, 1'700'000'001U);
    EXPECT_EQ(one(one(span, 15).bytes, 3).value, 2U);
    EXPECT_EQ(one(span, 16).value, 1U);
}

TEST_F(OtlpMessages, ARootThatWentWellHasNeitherParentNorStatus) {
    Span::at(kept_.place(), "", "root", SpanKind::server).end();
    const std::string span = this->span();
    EXPECT_TRUE(all(span, 4).empty());
    EXPECT_TRUE(all(span, 3).empty());
    EXPECT_TRUE(all(span, 15).empty());
}

TEST_F(OtlpMessages, AttributesKeepTheirKind) {
    Span made = Span::at(kept_.place(), "", "x", SpanKind::internal);
    made.set("b", false);
    made.set("i", -1);
    made.set("d", 0.5);
    made.set("s", "");
    made.set_list("l", {"x", "y"});
    made.end();
    auto found = attributes(span(), 9);
    EXPECT_EQ(found["b"], Message().varint_always(2, 0).str());
    EXPECT_EQ(found["i"], Message().varint_always(3, static_cast<std::uint64_t>(-1)).str());
    EXPECT_EQ(found["d"], Message().number_always(4, 0.5).str());
    EXPECT_EQ(found["s"], text_value(""));
    Message list;
    list.message(1, Message().text(1, "x")).message(1, Message().text(1, "y"));
    EXPECT_EQ(found["l"], Message().message(5, list).str());
}

TEST_F(OtlpMessages, NoSecretLeaves) {
    const std::string key = "sk-" + std::string(40, 'q');
    Span made = Span::at(kept_.place(), "", "call with " + key, SpanKind::internal);
    made.set("api_key", "open-sesame");
    made.set("password", 12345678);
    made.set("note", "Authorization: Bearer " + key);
    made.set_list("notes", {"postgresql://lab:hunter2secret@db/lab"});
    made.set("gen_ai.usage.input_tokens", 17);
    made.set("mail", "of ada@example.org");
    made.end();
    auto found = attributes(span(), 9);
    for (const std::string& secret :
         std::vector<std::string>{key, "open-sesame", "hunter2secret", "ada@example.org"}) {
        EXPECT_EQ(request_.find(secret), std::string::npos) << secret;
    }
    EXPECT_EQ(found["api_key"], text_value("[redacted]"));
    EXPECT_EQ(found["password"], text_value("[redacted]"));
    EXPECT_EQ(found["gen_ai.usage.input_tokens"], Message().varint_always(3, 17).str());
}

class OtlpMetrics : public testing::Test {
  protected:
    /// The metric with this name, as the requests have it.
    std::string metric(std::string_view name) const {
        for (const std::string& request : requests_) {
            for (const Field& found : all(one(one(request, 1).bytes, 2).bytes, 2)) {
                if (one(found.bytes, 1).bytes == name) {
                    return std::string(found.bytes);
                }
            }
        }
        return "";
    }
    void encode(std::size_t bytes_max = 1U << 20) {
        const WallTime begun{std::chrono::seconds(100)};
        requests_ = encode_metrics(
            {{"service.name", "lab"}},
            "1",
            metrics_,
            begun,
            begun + std::chrono::seconds(5),
            bytes_max
        );
    }
    static std::string eights(std::initializer_list<std::uint64_t> values) {
        std::string out;
        for (const std::uint64_t value : values) {
            append_fixed64(out, value);
        }
        return out;
    }

    MetricsSnapshot metrics_{
        {.name = "requests_total",
         .help = "Requests",
         .kind = MetricShown::Kind::counter,
         .bounds = {},
         .points = {{.labels = {{"path", "/a"}}, .value = 3, .buckets = {}}}},
        {.name = "running",
         .help = "",
         .kind = MetricShown::Kind::gauge,
         .bounds = {},
         .points = {{.labels = {}, .value = 0, .buckets = {}}}},
        {.name = "seconds",
         .help = "Took",
         .kind = MetricShown::Kind::histogram,
         .bounds = {0.1, 1},
         .points = {{.labels = {{"path", "/a"}}, .sum = 8.5, .count = 4, .buckets = {1, 2, 1}}}},
    };
    std::vector<std::string> requests_;
};

TEST_F(OtlpMetrics, ACounterIsACumulativeSum) {
    encode();
    ASSERT_EQ(requests_.size(), 1U);
    const std::string counter = metric("requests_total");
    EXPECT_EQ(one(counter, 2).bytes, "Requests");
    const std::string_view sum = one(counter, 7).bytes;
    EXPECT_EQ(one(sum, 2).value, 2U);
    EXPECT_EQ(one(sum, 3).value, 1U);
    const std::string_view point = one(sum, 1).bytes;
    EXPECT_EQ(one(point, 2).value, 100'000'000'000U);
    EXPECT_EQ(one(point, 3).value, 105'000'000'000U);
    EXPECT_EQ(one(point, 4).value, std::bit_cast<std::uint64_t>(3.0));
    EXPECT_EQ(attributes(point, 7)["path"], text_value("/a"));
}

TEST_F(OtlpMetrics, AGaugeShowsANullToo) {
    encode();
    const std::string gauge = metric("running");
    const std::string_view point = one(one(gauge, 5).bytes, 1).bytes;
    EXPECT_TRUE(all(point, 2).empty());
    EXPECT_EQ(one(point, 4).value, 0U);
}

TEST_F(OtlpMetrics, AHistogramHasABucketMoreThanBounds) {
    encode();
    const std::string histogram = metric("seconds");
    const std::string_view data = one(histogram, 9).bytes;
    EXPECT_EQ(one(data, 2).value, 2U);
    const std::string_view point = one(data, 1).bytes;
    EXPECT_EQ(one(point, 4).value, 4U);
    EXPECT_EQ(one(point, 5).value, std::bit_cast<std::uint64_t>(8.5));
    EXPECT_EQ(one(point, 6).bytes, eights({1, 2, 1}));
    EXPECT_EQ(
        one(point, 7).bytes,
        eights({std::bit_cast<std::uint64_t>(0.1), std::bit_cast<std::uint64_t>(1.0)})
    );
    EXPECT_EQ(attributes(point, 9)["path"], text_value("/a"));
}

TEST_F(OtlpMetrics, MuchIsSentInPieces) {
    encode(1);
    EXPECT_EQ(requests_.size(), 3U);
    for (const char* name : {"requests_total", "running", "seconds"}) {
        EXPECT_NE(metric(name), "") << name;
    }
    metrics_.clear();
    encode();
    EXPECT_TRUE(requests_.empty());
}

TEST_F(OtlpMessages, ReadsWhatWasNotTaken) {
    Message partial;
    partial.varint(1, 3).text(2, "too old");
    const PartialSuccess read = decode_partial_success(Message().message(1, partial).str());
    EXPECT_EQ(read.rejected, 3);
    EXPECT_EQ(read.message, "too old");
    EXPECT_EQ(decode_partial_success("").rejected, 0);
    EXPECT_EQ(decode_partial_success("\x0a\x50nonsense").rejected, 0);
    EXPECT_EQ(decode_status_message(Message().varint(1, 3).text(2, "bad").str()), "bad");
    EXPECT_EQ(decode_status_message("<html>"), "");
}

}  // namespace
}  // namespace lab::otlp
