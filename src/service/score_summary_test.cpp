#include "service/impl/score_summary.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace lab::service {
namespace {

TEST(ScoreSummary, HasTheFiguresOfNumpy) {
    // numpy: mean, std(ddof=1), percentile of [3, 1, 4, 1, 5, 9, 2, 6]
    const Json all = summary_of({3, 1, 4, 1, 5, 9, 2, 6, std::nan("")});
    EXPECT_EQ(all["count"], 8);
    EXPECT_NEAR(all["mean"].get<double>(), 3.875, 1e-12);
    EXPECT_NEAR(all["std"].get<double>(), 2.748376143938713, 1e-12);
    EXPECT_EQ(all["min"], 1.0);
    EXPECT_EQ(all["max"], 9.0);
    EXPECT_NEAR(all["p50"].get<double>(), 3.5, 1e-12);
    EXPECT_NEAR(all["p95"].get<double>(), 7.95, 1e-12);
    EXPECT_NEAR(all["p99"].get<double>(), 8.79, 1e-12);
}

TEST(ScoreSummary, OfNothingAndOfOneValueSaysWhatThereIs) {
    EXPECT_EQ(summary_of({}), (Json{{"count", 0}}));
    const Json one = summary_of({2});
    EXPECT_EQ(one["mean"], 2.0);
    EXPECT_FALSE(one.contains("std"));
}

TEST(ScoreSummary, TotalsAreKeptAndReadAgain) {
    ClientTotals totals;
    totals.add(Json::parse(R"({"cost": "0.000000000001", "latency_ms": 10, "scores": {"f1": 0.5},
        "usage": {"input_tokens": 3, "output_tokens": 4}})"));
    totals.add(Json::parse(R"({"cost": "1", "latency_ms": 30, "scores": {"f1": true, "x": null},
        "usage": {"input_tokens": 3, "total_tokens": 10}})"));
    totals.add(Json::parse(R"({"status": "failed", "latency_ms": 900, "scores": {"f1": 0}})"));
    const Json body = {{ClientTotals::kMember, totals.stored()}};
    const ClientTotals again = ClientTotals::from(body);
    EXPECT_EQ(again.samples, 3);
    EXPECT_EQ(again.failed, 1);
    EXPECT_EQ(again.tokens, 17);
    EXPECT_EQ(again.cost.exact(), "1.000000000001");
    EXPECT_EQ(again.latency_ms.mean(), 20.0);
    ASSERT_EQ(again.scores.size(), 1U);
    const Json shown = again.scores.at("f1").shown();
    EXPECT_EQ(shown["count"], 2);
    EXPECT_EQ(shown["mean"], 0.75);
    EXPECT_NEAR(shown["std"].get<double>(), std::sqrt(0.125), 1e-12);
    EXPECT_EQ(ClientTotals::from(Json::object()).samples, 0);
    EXPECT_EQ(ClientTotals::from(Json{{ClientTotals::kMember, "broken"}}).samples, 0);
}

}  // namespace
}  // namespace lab::service
