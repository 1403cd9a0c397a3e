#include "storage/events/fact_batch.h"

#include "platform/json/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace lab::storage {
namespace {

const FactPlace kPlace{
    .org_id = "00000000-0000-4000-8000-000000000001",
    .experiment_id = "00000000-0000-4000-8000-000000000002",
    .run_id = "00000000-0000-4000-8000-000000000003",
};

MetricFact metric_of(std::int64_t number) {
    return {
        .place = &kPlace,
        .at_ms = 1'767'225'600'007,
        .metric = "exact \"match\"",
        .value = 0.1,
        .model = "m\n",
        .variant = "v",
        .number = number,
    };
}

Json only_line(const std::string& text) {
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    auto json = parse_json(text);
    EXPECT_TRUE(json) << text;
    return json ? *std::move(json) : Json();
}

TEST(FactBatch, AMetricIsALineOfJson) {
    FactBatch batch;
    ASSERT_TRUE(batch.metric(metric_of(7)));
    const Json line = only_line(batch.metrics());
    EXPECT_EQ(line["timestamp"].dump(), "1767225600.007");
    EXPECT_EQ(line["metric_name"], "exact \"match\"");
    EXPECT_EQ(line["metric_value"], 0.1);
    EXPECT_EQ(line["model"], "m\n");
    EXPECT_EQ(line["run_id"], kPlace.run_id);
    EXPECT_EQ(batch.rows(), 1U);
    batch.clear();
    EXPECT_EQ(batch.bytes(), 0U);
}

TEST(FactBatch, AFactHasTheSameIdWheneverItIsToldAndNoOtherHas) {
    std::set<std::string> ids;
    for (std::int64_t number = 0; number < 2'000; ++number) {
        FactBatch batch;
        FactBatch again;
        ASSERT_TRUE(batch.metric(metric_of(number)));
        ASSERT_TRUE(again.metric(metric_of(number)));
        EXPECT_EQ(batch.metrics(), again.metrics());
        EXPECT_TRUE(ids.insert(only_line(batch.metrics())["event_id"]).second) << number;
    }
    MetricFact other = metric_of(0);
    other.metric = "f1";
    FactBatch batch;
    ASSERT_TRUE(batch.metric(other));
    EXPECT_TRUE(ids.insert(only_line(batch.metrics())["event_id"]).second);
}

TEST(FactBatch, WhatIsNotKnownIsLeftOut) {
    FactBatch batch;
    CallFact call{.place = &kPlace, .at_ms = 1'000, .sample = 3, .state = "done", .version = 9};
    ASSERT_TRUE(batch.call(call));
    const Json line = only_line(batch.calls());
    EXPECT_EQ(line["sample"], 3);
    EXPECT_FALSE(line.contains("cost_pico"));
    EXPECT_FALSE(line.contains("first_token_ns"));
    EXPECT_FALSE(line.contains("gone"));
    batch.clear();
    call.gone = true;
    call.cost_pico = 5;
    ASSERT_TRUE(batch.call(call));
    const Json gone = only_line(batch.calls());
    EXPECT_EQ(gone["gone"], 1);
    EXPECT_EQ(gone["version"], 9);
    EXPECT_FALSE(gone.contains("cost_pico"));
}

TEST(FactBatch, AnEventOfAnExperimentHasNoRun) {
    const FactPlace place{.org_id = kPlace.org_id, .experiment_id = kPlace.experiment_id};
    FactBatch batch;
    batch.event({
        .place = &place,
        .type = "experiment_created",
        .at = "2026-01-02T03:04:05.000006Z",
        .payload = R"({"name":"a"})",
    });
    const Json line = only_line(batch.events());
    EXPECT_FALSE(line.contains("run_id"));
    EXPECT_EQ(line["event_type"], "experiment_created");
    EXPECT_EQ(line["payload"], R"({"name":"a"})");
    EXPECT_EQ(line["timestamp"], "2026-01-02T03:04:05.000006Z");
}

}  // namespace
}  // namespace lab::storage
