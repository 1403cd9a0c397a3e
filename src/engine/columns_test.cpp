#include "engine/columns.h"

#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using test::qa_rows;
using test::World;

/// Two variants, three items, two repetitions.
std::string yaml_with(const std::string& scorer) {
    return "name: c\ndataset: {path: r.jsonl}\nprompts: ['{{question}}']\n"
           "models: [{id: a, provider: openai, model: a}, {id: b, provider: openai, model: b}]\n"
           "scorers: [{type: " +
           scorer + ", reference: '{{answer}}'}]\nrun: {repetitions: 2}\n";
}

class Columns : public testing::Test {
  protected:
    domain::SampleResult sample(int variant, std::int64_t item, int repetition) {
        domain::SampleResult out;
        out.index = (variant * 3 + item) * 2 + repetition;
        out.variant = variant;
        out.item = item;
        out.repetition = repetition;
        out.item_id = "q" + std::to_string(item);
        out.attempts = 1;
        out.cost = Money::from_pico(100);
        return out;
    }
    domain::SampleResult answered(int variant, std::int64_t item, int repetition, bool right) {
        domain::SampleResult out = sample(variant, item, repetition);
        out.output = right ? "answer " + std::to_string(item) : "wrong";
        out.scores = world_.scores->score(out.output, world_.items->load(item)).value();
        out.finish_reason = "stop";
        return out;
    }
    domain::SampleResult failed(
        int variant, std::int64_t item, int repetition, const std::string& code, int status = 0
    ) {
        domain::SampleResult out = sample(variant, item, repetition);
        out.state = domain::SampleState::failed;
        out.error_code = code;
        out.error_message = code + " of " + std::to_string(item);
        out.http_status = status;
        out.attempts = 3;
        out.cost = Money();
        return out;
    }
    void store(const std::vector<domain::SampleResult>& samples) {
        storage::Journal journal(*world_.reader);
        const auto stored = journal.commit(world_.ctx, world_.run, {}, samples);
        ASSERT_TRUE(stored) << stored.error().message;
    }
    Result<RunColumns> try_read() {
        storage::Journal journal(*world_.reader);
        return collect(world_.ctx, journal, world_.run, *world_.plan, *world_.scores, 2);
    }
    RunColumns read() {
        auto out = try_read();
        EXPECT_TRUE(out) << (out ? "" : out.error().message);
        return out.value_or(RunColumns());
    }
    World world_{yaml_with("exact_match"), qa_rows(3)};
};

TEST_F(Columns, RepetitionsAreAveragedInsideTheItem) {
    store(
        {answered(0, 0, 0, true),
         answered(0, 0, 1, true),
         answered(0, 1, 0, true),
         answered(0, 1, 1, false),
         answered(0, 2, 0, false),
         answered(0, 2, 1, false),
         answered(1, 2, 0, true)}
    );
    const RunColumns columns = read();
    ASSERT_EQ(columns.variants.size(), 2U);
    EXPECT_EQ(columns.variants[0].values[0], (std::vector<double>{1, 0.5, 0}));
    EXPECT_EQ(columns.variants[0].planned, 6);
    EXPECT_EQ(columns.variants[0].done, 6);
    const std::vector<double>& second = columns.variants[1].values[0];
    EXPECT_TRUE(std::isnan(second[0])) << "not run: missing, not wrong";
    EXPECT_TRUE(std::isnan(second[1]));
    EXPECT_EQ(second[2], 1) << "the mean is over the repetitions there are";
    EXPECT_EQ(columns.variants[1].done, 1);
    EXPECT_TRUE(columns.variants[0].stats[0].empty());
}

TEST_F(Columns, AFailureIsMissingAndTallied) {
    store(
        {failed(0, 0, 0, "UPSTREAM_ERROR", 500),
         failed(0, 0, 1, "UPSTREAM_ERROR", 500),
         failed(0, 1, 0, "UPSTREAM_TIMEOUT"),
         answered(0, 1, 1, true),
         failed(1, 0, 0, "UPSTREAM_ERROR", 400)}
    );
    const RunColumns columns = read();
    EXPECT_EQ(columns.variants[0].failed, 3);
    EXPECT_EQ(columns.variants[0].done, 1);
    EXPECT_EQ(columns.variants[0].calls, 10);
    EXPECT_TRUE(std::isnan(columns.variants[0].values[0][0]));
    EXPECT_EQ(columns.variants[0].values[0][1], 1) << "the other repetition stands for the item";
    ASSERT_EQ(columns.errors.size(), 3U) << "a status of its own is a kind of its own";
    EXPECT_EQ(columns.errors[0].code, "UPSTREAM_ERROR");
    EXPECT_EQ(columns.errors[0].count, 2);
    EXPECT_EQ(columns.errors[0].message, "UPSTREAM_ERROR of 0") << "of the first one";
    EXPECT_EQ(columns.errors[1].count, 1);
}

TEST_F(Columns, EachItemKnowsItsRepetitionsAndTheirSpread) {
    store(
        {answered(0, 0, 0, true),
         answered(0, 0, 1, false),
         answered(0, 1, 0, true),
         failed(0, 1, 1, "UPSTREAM_ERROR", 500),
         failed(0, 2, 0, "UPSTREAM_ERROR", 500),
         failed(0, 2, 1, "UPSTREAM_ERROR", 500)}
    );
    const RunColumns columns = read();
    const VariantColumns& first = columns.variants[0];
    EXPECT_EQ(first.lost, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(first.answered[0], (std::vector<int>{2, 1, 0}));
    EXPECT_DOUBLE_EQ(first.inside[0][0], 0.5) << "of 1 and 0, divisor 1";
    EXPECT_TRUE(std::isnan(first.inside[0][1])) << "one answer has no spread";
    EXPECT_TRUE(std::isnan(first.inside[0][2]));
    const VariantColumns& second = columns.variants[1];
    EXPECT_TRUE(second.lost.empty()) << "not run is not failed";
    EXPECT_EQ(second.answered[0], (std::vector<int>{0, 0, 0}));
}

TEST_F(Columns, RefusalsAndEstimatesAreCounted) {
    auto refused = answered(0, 0, 0, false);
    refused.finish_reason = "content_filter";
    refused.usage = {.input = 3, .estimated = true};
    auto cached = answered(0, 0, 1, true);
    cached.cached = true;
    cached.usage = {.input = 3, .estimated = true};
    store({refused, cached, answered(0, 1, 0, true)});
    const VariantColumns column = read().variants[0];
    EXPECT_EQ(column.refused, 1);
    EXPECT_EQ(column.truncated, 0);
    EXPECT_EQ(column.counted, 2) << "what comes from the cache was counted where it was paid for";
    EXPECT_EQ(column.estimated, 1);
}

TEST_F(Columns, BeyondTwentyKindsOfErrorsTheKnownOnesAreStillCounted) {
    World world(yaml_with("exact_match"), qa_rows(20));
    storage::Journal journal(*world.reader);
    std::vector<domain::SampleResult> samples;
    for (int i = 0; i < 80; ++i) {
        domain::SampleResult one = failed(0, 0, 0, "E", i < 40 ? i : 7);
        one.index = i;
        samples.push_back(one);
    }
    ASSERT_TRUE(journal.commit(world.ctx, world.run, {}, samples));
    const RunColumns columns =
        collect(world.ctx, journal, world.run, *world.plan, *world.scores, 2).value();
    ASSERT_EQ(columns.errors.size(), 20U) << "memory does not grow with the kinds";
    EXPECT_EQ(columns.errors[0].count, 41) << "most frequent first";
    EXPECT_EQ(columns.errors[1].count, 1);
}

TEST_F(Columns, AddsUpTokensMoneyAndTimes) {
    auto one = answered(0, 0, 0, true);
    one.usage = {.input = 1, .cache_read = 2, .cache_write = 3, .output = 4, .reasoning = 5};
    one.latency = 1500ms;
    one.time_to_first_token = 250ms;
    one.attempts = 2;
    auto two = answered(0, 0, 1, true);
    two.usage = {.input = 10, .output = 20, .estimated = true};
    two.latency = 500ms;
    two.finish_reason = "length";
    store({one, two});
    const VariantColumns column = read().variants[0];
    EXPECT_EQ(
        column.usage,
        (domain::Usage{
            .input = 11,
            .cache_read = 2,
            .cache_write = 3,
            .output = 24,
            .reasoning = 5,
            .estimated = true
        })
    );
    EXPECT_EQ(column.cost.pico(), 200);
    EXPECT_EQ(column.calls, 3);
    EXPECT_EQ(column.truncated, 1);
    EXPECT_EQ(column.latency_s, (std::vector<float>{1.5F, 0.5F}));
    EXPECT_EQ(column.time_to_first_token_s, (std::vector<float>{0.25F}));
    EXPECT_EQ(column.unpriced, 0);
}

TEST_F(Columns, AnUnknownPriceIsCountedAndNotZero) {
    auto one = answered(0, 0, 0, true);
    one.cost.reset();
    store({one, answered(0, 0, 1, true)});
    const VariantColumns column = read().variants[0];
    EXPECT_EQ(column.unpriced, 1);
    EXPECT_EQ(column.cost.pico(), 100);
}

TEST_F(Columns, ACacheHitCostsNoTokensAndNoTime) {
    auto hit = answered(0, 0, 0, true);
    hit.cached = true;
    hit.cost = Money();
    hit.attempts = 0;
    hit.usage = {.input = 100, .output = 100};
    hit.latency = 9s;
    auto replayed = answered(0, 1, 0, true);
    replayed.replayed = true;
    replayed.usage = {.input = 7};
    store({hit, replayed});
    const VariantColumns column = read().variants[0];
    EXPECT_EQ(column.cached, 1);
    EXPECT_EQ(column.replayed, 1);
    EXPECT_EQ(column.done, 2);
    EXPECT_EQ(column.usage, (domain::Usage{.input = 7}));
    EXPECT_TRUE(column.latency_s.empty());
    EXPECT_EQ(column.values[0][0], 1) << "it is an answer all the same";
}

TEST_F(Columns, ASampleOutsideThePlanIsRefused) {
    auto stray = answered(0, 0, 0, true);
    stray.index = 12;
    store({stray});
    const auto out = try_read();
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::internal);
}

TEST_F(Columns, ScoresOfOtherScorersAreRefused) {
    auto odd = answered(0, 0, 0, true);
    odd.scores = R"({"v":[1,2,3],"p":[1],"x":[""]})";
    store({odd});
    EXPECT_FALSE(try_read());
}

TEST(CorpusMetric, StatisticsAreMeansOverRepetitions) {
    World world(yaml_with("bleu"), qa_rows(3));
    storage::Journal journal(*world.reader);
    std::vector<domain::SampleResult> samples;
    std::vector<std::vector<double>> stats;
    for (int repetition = 0; repetition < 2; ++repetition) {
        domain::SampleResult out;
        out.index = 2 + repetition;
        out.item = 1;
        out.repetition = repetition;
        out.output = repetition == 0 ? "answer 1" : "an answer that is much longer";
        out.scores = world.scores->score(out.output, world.items->load(1)).value();
        stats.push_back(decode_scores(out.scores, *world.scores)->stats[0]);
        samples.push_back(out);
    }
    ASSERT_TRUE(journal.commit(world.ctx, world.run, {}, samples));
    const RunColumns columns =
        collect(world.ctx, journal, world.run, *world.plan, *world.scores, 2).value();
    const std::size_t width = world.scores->slots()[0].info.stats_size;
    ASSERT_EQ(columns.variants[0].stats[0].size(), 3 * width);
    for (std::size_t k = 0; k < width; ++k) {
        EXPECT_EQ(columns.variants[0].stats[0][width + k], (stats[0][k] + stats[1][k]) / 2);
        EXPECT_EQ(columns.variants[0].stats[0][k], 0) << "nothing of an item that was not run";
    }
    EXPECT_TRUE(std::isnan(columns.variants[0].values[0][0]));
}

TEST(Clusters, AreNumberedByTheTextOfTheField) {
    const auto items = Items::select(
        test::dataset_of(
            {R"({"g":"a"})", R"({"g":"b"})", R"({"g":"a"})", R"({"g":7})", R"({"g":"7"})"}
        ),
        {}
    );
    ASSERT_TRUE(items);
    EXPECT_EQ(clusters_of(*items, "g"), (std::vector<int>{0, 1, 0, 2, 2}));
    EXPECT_TRUE(clusters_of(*items, "").empty());
}

}  // namespace
}  // namespace lab::engine
