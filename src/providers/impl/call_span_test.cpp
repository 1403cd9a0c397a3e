#include "providers/impl/call_span.h"

#include "providers/observed.h"
#include "support/kept_spans.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {

using test::attribute_of;
using test::KeptSpans;

/// Answers at once with what it was given, and keeps where it was asked.
class Prepared final : public Provider {
  public:
    CallId start(CallRequest /*request*/, CallDone done) override {
        place = current_place();
        done(answer);
        return 1;
    }
    void cancel(CallId /*id*/) override {}
    const std::string& endpoint() const override { return name; }
    domain::Usage worst_case(const CallRequest& /*request*/) const override { return {}; }
    CallResult answer;
    SpanPlace place;
    std::string name = "https://user:hunter2@models.example.org:8443/v1?key=hunter2";
};

class Nobody final : public CallObserver {
  public:
    void on_call(const CallTold& /*call*/) override {}
};

class CallSpan : public testing::Test {
  protected:
    CallSpan() {
        auto inner = std::make_unique<Prepared>();
        prepared_ = inner.get();
        domain::ModelSpec model;
        model.provider = "google";
        model.model = "gemini";
        const domain::Pricing pricing{
            .input = Money::parse("1").value(), .output = Money::parse("2").value()
        };
        provider_ = observe_provider(std::move(inner), model, pricing, nobody_);
    }
    SpanRecord call() {
        CallRequest request;
        request.messages = {{"user", "the hidden prompt"}};
        request.parameters = &parameters_;
        provider_->start(std::move(request), [](CallResult) {});
        const auto spans = kept_.spans();
        EXPECT_EQ(spans.size(), 1U);
        return spans.empty() ? SpanRecord() : spans.front();
    }
    static std::string text(const SpanRecord& span, std::string_view name) {
        const SpanValue* const value = attribute_of(span, name);
        const auto* const out = value != nullptr ? std::get_if<std::string>(value) : nullptr;
        return out != nullptr ? *out : "";
    }
    static std::int64_t number(const SpanRecord& span, std::string_view name) {
        const SpanValue* const value = attribute_of(span, name);
        const auto* const out = value != nullptr ? std::get_if<std::int64_t>(value) : nullptr;
        return out != nullptr ? *out : -1;
    }

    KeptSpans kept_;
    Nobody nobody_;
    Prepared* prepared_ = nullptr;
    std::unique_ptr<Provider> provider_;
    Json parameters_ = {{"temperature", 0.25}, {"max_tokens", 64}, {"stop", "hunter2"}};
};

TEST_F(CallSpan, WithoutATraceThereIsNone) {
    provider_->start({}, [](CallResult) {});
    EXPECT_TRUE(kept_.spans().empty());
    EXPECT_EQ(prepared_->place.sink, nullptr);
}

TEST_F(CallSpan, SaysWhatTheConventionsAskFor) {
    const SpanScope scope(kept_.place());
    prepared_->answer.output = "the hidden output";
    prepared_->answer.http_status = 200;
    prepared_->answer.model_reported = "gemini-002";
    prepared_->answer.finish_reason = "stop";
    prepared_->answer.usage = {
        .input = 10, .cache_read = 5, .cache_write = 3, .output = 7, .reasoning = 2
    };
    const SpanRecord span = call();
    EXPECT_EQ(span.name, "chat gemini");
    EXPECT_EQ(span.kind, SpanKind::client);
    EXPECT_FALSE(span.failed);
    EXPECT_EQ(text(span, "gen_ai.operation.name"), "chat");
    EXPECT_EQ(text(span, "gen_ai.provider.name"), "gcp.gemini");
    EXPECT_EQ(text(span, "gen_ai.request.model"), "gemini");
    EXPECT_EQ(text(span, "gen_ai.response.model"), "gemini-002");
    EXPECT_EQ(text(span, "server.address"), "models.example.org");
    EXPECT_EQ(number(span, "gen_ai.request.max_tokens"), 64);
    EXPECT_EQ(*attribute_of(span, "gen_ai.request.temperature"), SpanValue(0.25));
    EXPECT_EQ(number(span, "gen_ai.usage.input_tokens"), 18);
    EXPECT_EQ(number(span, "gen_ai.usage.output_tokens"), 9);
    EXPECT_EQ(number(span, "gen_ai.usage.cache_read.input_tokens"), 5);
    EXPECT_EQ(number(span, "http.response.status_code"), 200);
    EXPECT_EQ(
        *attribute_of(span, "gen_ai.response.finish_reasons"),
        SpanValue(std::vector<std::string>{"stop"})
    );
    // Where it was asked is the call itself, so that the request can say so.
    EXPECT_EQ(prepared_->place.span_id, span.span_id);
    for (const auto& [name, value] : span.attributes) {
        const auto* const words = std::get_if<std::string>(&value);
        for (const char* secret : {"hidden", "hunter2"}) {
            EXPECT_TRUE(words == nullptr || !words->contains(secret)) << name;
        }
    }
}

TEST_F(CallSpan, ACallThatFailedSaysHow) {
    const SpanScope scope(kept_.place());
    prepared_->answer.outcome = Outcome::rate_limited;
    prepared_->answer.http_status = 429;
    prepared_->answer.error = Error(Code::rate_limited, "slow down, hunter2");
    const SpanRecord span = call();
    EXPECT_TRUE(span.failed);
    EXPECT_EQ(text(span, "error.type"), "rate_limited");
    EXPECT_EQ(number(span, "http.response.status_code"), 429);
    EXPECT_EQ(attribute_of(span, "gen_ai.usage.input_tokens"), nullptr);
}

}  // namespace
}  // namespace lab::providers
