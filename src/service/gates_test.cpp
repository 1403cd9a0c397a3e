#include "service/gates.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::service {
namespace {

using domain::GateSpec;

/// Two variants, one metric: 0.8 (0.7 to 0.88) and 0.5 (0.4 to 0.6), the second worse.
report::Report make_report() {
    report::Report out;
    out.metrics.push_back({.info = {.name = "accuracy"}, .primary = true, .scorer = "exact"});
    for (const auto& [id, value, lo, hi, p95] :
         {std::tuple("a", 0.8, 0.7, 0.88, 1.5), std::tuple("b", 0.5, 0.4, 0.6, 2.5)}) {
        report::VariantSummary variant;
        variant.id = id;
        science::Estimate estimate;
        estimate.value = value;
        estimate.interval.lo = lo;
        estimate.interval.hi = hi;
        variant.metrics.push_back(estimate);
        variant.latency.p95 = p95;
        out.variants.push_back(variant);
    }
    report::ComparisonRow row;
    row.a = 1;
    row.b = 0;
    row.comparison.verdict = science::Verdict::worse;
    out.comparisons.push_back(row);
    out.totals.planned = 200;
    out.totals.done = 190;
    out.totals.missing = 10;
    out.totals.unparsed = 19;
    out.totals.cost = Money::parse("0.3").value();
    return out;
}

std::vector<report::GateResult> judge(GateSpec gate, const report::Report& report) {
    domain::ExperimentSpec spec;
    spec.gates.push_back(std::move(gate));
    return judge_gates(spec, report);
}

bool passes(GateSpec gate, const report::Report& report = make_report()) {
    const auto results = judge(std::move(gate), report);
    EXPECT_FALSE(results.empty()) << "a gate always has a result";
    return std::ranges::all_of(results, &report::GateResult::passed);
}

TEST(Gates, BoundsAreInclusive) {
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "a", .min = 0.8}));
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .min = 0.8000001}));
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "a", .max = 0.8}));
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "a", .min = 0.7, .max = 0.9}));
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .min = 0.1, .max = 0.7}));
}

TEST(Gates, WithoutAVariantEveryOneMustPass) {
    const auto results = judge({.metric = "accuracy", .min = 0.6}, make_report());
    ASSERT_EQ(results.size(), 2U);
    EXPECT_TRUE(results[0].passed);
    EXPECT_FALSE(results[1].passed);
    EXPECT_EQ(results[0].condition, "accuracy of a at least 0.6");
    EXPECT_EQ(results[1].found, "0.5");
}

TEST(Gates, TheWholeIntervalCanBeAskedFor) {
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "a", .min = 0.7, .use_interval = true}));
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .min = 0.75, .use_interval = true}));
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "a", .max = 0.88, .use_interval = true}));
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .max = 0.85, .use_interval = true}));
    const auto results = judge(
        {.metric = "accuracy", .variant = "a", .min = 0.7, .use_interval = true}, make_report()
    );
    EXPECT_EQ(results[0].condition, "accuracy of a at least 0.7, the whole interval");
    EXPECT_EQ(results[0].found, "0.7 to 0.88");
}

TEST(Gates, AFigureThatIsNotThereFails) {
    report::Report report = make_report();
    report.variants[0].metrics[0].value = std::nan("");
    report.totals.cost.reset();
    report.totals.done = 0;
    report.variants[0].latency.p95 = report.variants[1].latency.p95 = std::nan("");
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .min = 0}, report));
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .max = 1}, report));
    for (const char* figure : {"cost_usd", "unparsed_share", "latency_p95_s"}) {
        const auto results = judge({.max = 1e9, .figure = figure}, report);
        ASSERT_EQ(results.size(), 1U);
        EXPECT_FALSE(results[0].passed) << figure;
        EXPECT_EQ(results[0].found, "n/a");
    }
    report.variants[0].metrics[0] = make_report().variants[0].metrics[0];
    report.variants[0].metrics[0].interval.lo = std::nan("");
    EXPECT_FALSE(
        passes({.metric = "accuracy", .variant = "a", .max = 0.9, .use_interval = true}, report)
    );
}

TEST(Gates, FiguresOfTheWholeRun) {
    EXPECT_TRUE(passes({.max = 0.05, .figure = "error_share"}));
    EXPECT_FALSE(passes({.max = 0.049, .figure = "error_share"}));
    EXPECT_TRUE(passes({.max = 0.1, .figure = "unparsed_share"}));
    EXPECT_FALSE(passes({.max = 0.099, .figure = "unparsed_share"}));
    EXPECT_TRUE(passes({.max = 0.3, .figure = "cost_usd"})) << "what was allowed to the cent";
    EXPECT_FALSE(passes({.max = 0.2999, .figure = "cost_usd"}));
    EXPECT_TRUE(passes({.max = 2.5, .figure = "latency_p95_s"}));
    EXPECT_FALSE(passes({.max = 2.4, .figure = "latency_p95_s"})) << "the slowest variant counts";
    report::Report half = make_report();
    half.variants[0].latency.p95 = std::nan("");
    EXPECT_FALSE(passes({.max = 2.4, .figure = "latency_p95_s"}, half));
}

TEST(Gates, AVerdictMustBeOneOfThoseNamed) {
    EXPECT_FALSE(passes({.metric = "accuracy", .verdict = {"better", "equivalent"}}));
    EXPECT_TRUE(passes({.metric = "accuracy", .verdict = {"worse"}}));
    EXPECT_TRUE(passes({.metric = "accuracy", .variant = "b", .verdict = {"worse", "better"}}));
    const auto results =
        judge({.metric = "accuracy", .verdict = {"better", "equivalent"}}, make_report());
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].condition, "accuracy of b against a is better or equivalent");
    EXPECT_EQ(results[0].found, "worse");
    report::Report open = make_report();
    open.comparisons[0].comparison.verdict = science::Verdict::undetermined;
    EXPECT_FALSE(passes({.metric = "accuracy", .verdict = {"no_difference_shown"}}, open));
}

TEST(Gates, AGateWithNothingToJudgeFails) {
    report::Report alone = make_report();
    alone.comparisons.clear();
    const auto results = judge({.metric = "accuracy", .verdict = {"better"}}, alone);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_FALSE(results[0].passed);
    EXPECT_EQ(results[0].found, "nothing to judge");
    EXPECT_FALSE(passes({.metric = "accuracy", .variant = "a", .verdict = {"better"}}))
        << "the baseline is not compared with itself";
    EXPECT_FALSE(passes({.metric = "f1", .min = 0}));
}

TEST(Gates, AllAreJudgedInTheirOrder) {
    domain::ExperimentSpec spec;
    spec.gates.push_back({.max = 1, .figure = "cost_usd"});
    spec.gates.push_back({.metric = "accuracy", .min = 0.1});
    const auto results = judge_gates(spec, make_report());
    ASSERT_EQ(results.size(), 3U);
    EXPECT_EQ(results[0].condition, "cost_usd at most 1");
    EXPECT_TRUE(judge_gates({}, make_report()).empty());
}

}  // namespace
}  // namespace lab::service
