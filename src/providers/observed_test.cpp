#include "providers/observed.h"

#include <gmock/gmock.h>

namespace lab::providers {
namespace {

/// Answers at once with what it was given.
class Prepared final : public Provider {
  public:
    CallId start(CallRequest /*request*/, CallDone done) override {
        done(answer);
        return 7;
    }
    void cancel(CallId id) override { cancelled = id; }
    bool is_replay() const override { return replay; }
    const std::string& endpoint() const override { return name; }
    domain::Usage worst_case(const CallRequest& /*request*/) const override {
        return {.input = 3, .output = 4};
    }
    CallResult answer;
    CallId cancelled = 0;
    bool replay = false;
    std::string name = "somewhere";
};

class Recorder final : public CallObserver {
  public:
    void on_call(const CallTold& call) override {
        told.push_back(
            std::string(call.provider) + " " + std::string(call.model) + " " +
            std::string(to_string(call.result.outcome)) + " " +
            (call.cost ? call.cost->exact() : "no cost")
        );
    }
    std::vector<std::string> told;
};

domain::ModelSpec some_model() {
    domain::ModelSpec model;
    model.provider = "openai";
    model.model = "gpt";
    return model;
}

TEST(ObservedProvider, TellsOfEachCallBeforeItsAskerHears) {
    auto inner = std::make_unique<Prepared>();
    Prepared& prepared = *inner;
    prepared.answer.usage = {.input = 1'000'000};
    Recorder recorder;
    const domain::Pricing pricing{.input = Money::parse("0.5").value(), .output = std::nullopt};
    const auto provider = observe_provider(std::move(inner), some_model(), pricing, recorder);
    std::size_t known_when_done = 0;
    const CallId id = provider->start({}, [&](CallResult result) {
        known_when_done = recorder.told.size();
        EXPECT_EQ(result.usage.input, 1'000'000);
    });
    EXPECT_EQ(id, 7U);
    EXPECT_EQ(known_when_done, 1U);
    prepared.answer.outcome = Outcome::rate_limited;
    provider->start({}, [](CallResult) {});
    EXPECT_THAT(
        recorder.told, testing::ElementsAre("openai gpt ok 0.5", "openai gpt rate_limited no cost")
    );
}

TEST(ObservedProvider, IsOtherwiseTheProvider) {
    auto inner = std::make_unique<Prepared>();
    Prepared& prepared = *inner;
    Recorder recorder;
    const auto provider = observe_provider(std::move(inner), some_model(), {}, recorder);
    provider->cancel(7);
    EXPECT_EQ(prepared.cancelled, 7U);
    EXPECT_EQ(provider->endpoint(), "somewhere");
    EXPECT_EQ(provider->worst_case({}).output, 4);
    EXPECT_FALSE(provider->is_replay());
}

TEST(ObservedProvider, LeavesRecordedAnswersAlone) {
    auto inner = std::make_unique<Prepared>();
    inner->replay = true;
    Recorder recorder;
    const auto provider = observe_provider(std::move(inner), some_model(), {}, recorder);
    provider->start({}, [](CallResult) {});
    EXPECT_TRUE(recorder.told.empty());
}

}  // namespace
}  // namespace lab::providers
