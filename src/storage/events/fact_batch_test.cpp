#include "storage/events/fact_batch.h"

#include "support/row_binary.h"

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

using namespace std::string_literals;

Json only_row(std::string_view statement, const std::string& bytes) {
    const std::vector<Json> rows = test::RowBinary::read(statement, bytes);
    EXPECT_EQ(rows.size(), 1U);
    return rows.empty() ? Json() : rows.front();
}

TEST(FactBatch, AMetricIsARowOfBytes) {
    FactBatch batch;
    ASSERT_TRUE(batch.metric(metric_of(7)));
    const Json row = only_row(kInsertMetrics, batch.metrics());
    EXPECT_EQ(row["timestamp"], 1'767'225'600'007);
    EXPECT_EQ(row["metric_name"], "exact \"match\"");
    EXPECT_EQ(row["metric_value"], 0.1);
    EXPECT_EQ(row["model"], "m\n");
    EXPECT_EQ(row["org_id"], kPlace.org_id);
    EXPECT_EQ(row["experiment_id"], kPlace.experiment_id);
    EXPECT_EQ(row["run_id"], kPlace.run_id);
    EXPECT_EQ(batch.rows(), 1U);
    batch.clear();
    EXPECT_EQ(batch.bytes(), 0U);
}

// The example of a UUID in the format's documentation, and a length of two bytes.
TEST(FactBatch, BytesAreThoseOfTheDocumentation) {
    const FactPlace place{
        .org_id = "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
        .experiment_id = kPlace.experiment_id,
        .run_id = kPlace.run_id,
    };
    const std::string name(300, 'x');
    MetricFact fact = metric_of(1);
    fact.place = &place;
    fact.metric = name;
    FactBatch batch;
    ASSERT_TRUE(batch.metric(fact));
    EXPECT_EQ(
        batch.metrics().substr(24, 16),
        "\xe7\x11\xb3\x5c\x04\xc4\xf0\x61\xa0\xdb\xd3\x6a\x00\xa6\x7b\x90"s
    );
    EXPECT_EQ(batch.metrics().substr(72, 302), "\xac\x02" + name);
}

TEST(FactBatch, AFactHasTheSameIdWheneverItIsToldAndNoOtherHas) {
    std::set<std::string> ids;
    for (std::int64_t number = 0; number < 2'000; ++number) {
        FactBatch batch;
        FactBatch again;
        ASSERT_TRUE(batch.metric(metric_of(number)));
        ASSERT_TRUE(again.metric(metric_of(number)));
        EXPECT_EQ(batch.metrics(), again.metrics());
        EXPECT_TRUE(ids.insert(only_row(kInsertMetrics, batch.metrics())["event_id"]).second)
            << number;
    }
    MetricFact other = metric_of(0);
    other.metric = "f1";
    FactBatch batch;
    ASSERT_TRUE(batch.metric(other));
    EXPECT_TRUE(ids.insert(only_row(kInsertMetrics, batch.metrics())["event_id"]).second);
}

TEST(FactBatch, ACallIsARowOfBytes) {
    const CallFact call{
        .place = &kPlace,
        .at_ms = 1'000,
        .run_at_ms = 900,
        .sample = kCarried,
        .model = "m",
        .variant = "v",
        .state = "done",
        .error_code = "e",
        .http_status = 429,
        .answered_here = true,
        .attempts = 3,
        .cost_pico = -5,
        .input_tokens = 11,
        .output_tokens = 12,
        .latency_ns = 13,
        .version = 9,
    };
    FactBatch batch;
    ASSERT_TRUE(batch.call(call));
    const Json row = only_row(kInsertCalls, batch.calls());
    const auto wanted = Json{
        {"timestamp", 1'000},
        {"run_at", 900},
        {"org_id", kPlace.org_id},
        {"experiment_id", kPlace.experiment_id},
        {"run_id", kPlace.run_id},
        {"sample", kCarried},
        {"model", "m"},
        {"variant", "v"},
        {"state", "done"},
        {"error_code", "e"},
        {"http_status", 429},
        {"answered_here", 1},
        {"attempts", 3},
        {"cost_pico", -5},
        {"input_tokens", 11},
        {"output_tokens", 12},
        {"latency_ns", 13},
        {"first_token_ns", nullptr},
        {"version", 9},
        {"gone", 0},
    };
    EXPECT_EQ(row, wanted);
}

TEST(FactBatch, OfWhatIsGoneNothingElseIsTold) {
    FactBatch batch;
    const CallFact call{
        .place = &kPlace,
        .at_ms = 1'000,
        .sample = 3,
        .state = "done",
        .cost_pico = 5,
        .version = 9,
        .gone = true
    };
    ASSERT_TRUE(batch.call(call));
    const Json row = only_row(kInsertCalls, batch.calls());
    EXPECT_EQ(row["sample"], 3);
    EXPECT_EQ(row["gone"], 1);
    EXPECT_EQ(row["version"], 9);
    EXPECT_EQ(row["state"], "");
    EXPECT_TRUE(row["cost_pico"].is_null());
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
    const Json row = only_row(kInsertEvents, batch.events());
    EXPECT_TRUE(row["run_id"].is_null());
    EXPECT_EQ(row["event_type"], "experiment_created");
    EXPECT_EQ(row["payload"], R"({"name":"a"})");
    EXPECT_EQ(row["timestamp"], 1'767'323'045'000'006) << "microseconds since 1970";
    batch.clear();
    batch.event(
        {.place = &kPlace, .type = "run_created", .at = "2026-01-02T03:04:05Z", .payload = "{}"}
    );
    EXPECT_EQ(only_row(kInsertEvents, batch.events())["run_id"], kPlace.run_id);
}

}  // namespace
}  // namespace lab::storage
