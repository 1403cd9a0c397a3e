// The paired figures of two published sets of recorded outputs, from their counts alone:
// tests/data/published/gsm8k_expected.json (Cobbe et al. 2021, four models on 1,319 problems) and
// bbh_expected.json (Suzgun et al. 2022, two prompts on eight tasks).
#include "domain/spec.h"
#include "science/stats/analysis.h"
#include "science/stats/rank_tests.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace lab::science {
namespace {
using Values = std::vector<double>;

Json load(const std::string& name) {
    std::ifstream file(std::string(LAB_SOURCE_DIR) + "/tests/data/published/" + name);
    EXPECT_TRUE(file.good()) << name;
    return Json::parse(file);
}

/// Equal to nine digits, however small.
void expect_near(double got, const Json& want, const std::string& what) {
    const auto expected = want.get<double>();
    EXPECT_NEAR(got, expected, 1e-9 * std::abs(expected)) << what;
}

void expect_interval(const Interval& got, const Json& want, const std::string& what) {
    expect_near(got.lo, want.at(0), what + " lo");
    expect_near(got.hi, want.at(1), what + " hi");
}

MetricSample binary(const Values& values) {
    MetricSample sample;
    sample.kind = MetricKind::binary;
    sample.values = values;
    sample.wording = {100, "points", 1};
    return sample;
}

AnalysisOptions exact_options() {
    AnalysisOptions options;
    options.mcnemar = domain::McNemarKind::exact;
    return options;
}

/// Appends the items of a paired table in the order both, only a, only b, neither.
void append_table(Values& a, Values& b, int both, int only_a, int only_b, int neither) {
    const auto add = [&](int count, double x, double y) {
        a.insert(a.end(), static_cast<std::size_t>(count), x);
        b.insert(b.end(), static_cast<std::size_t>(count), y);
    };
    add(both, 1, 1);
    add(only_a, 1, 0);
    add(only_b, 0, 1);
    add(neither, 0, 0);
}

void append_pair(Values& a, Values& b, int n, int correct_a, int correct_b, const Json& pair) {
    const int only_a = pair.at("only_a").get<int>();
    const int only_b = pair.at("only_b").get<int>();
    const int both = correct_a - only_a;
    ASSERT_EQ(both, correct_b - only_b);
    append_table(a, b, both, only_a, only_b, n - both - only_a - only_b);
}

void check_model(const Json& want, const std::string& name) {
    const auto n = want.at("n").get<std::size_t>();
    const auto correct = want.at("correct").get<std::size_t>();
    Values values(n, 0.0);
    std::fill_n(values.begin(), correct, 1.0);
    const Estimate got = estimate(binary(values), {});
    EXPECT_EQ(got.n, static_cast<std::int64_t>(n));
    EXPECT_EQ(got.successes, static_cast<std::int64_t>(correct));
    EXPECT_EQ(got.method, "Wilson 95 %");
    expect_near(got.value, want.at("accuracy"), name + " accuracy");
    expect_near(got.se, want.at("se_clt"), name + " se");
    expect_interval(got.interval, want.at("wilson95"), name + " wilson");
    const Interval exact = clopper_pearson(*got.successes, got.n, 0.95);
    expect_interval(exact, want.at("clopper_pearson95"), name + " clopper-pearson");
}

double p_of(const Comparison& c, const std::string& test) {
    for (const TestResult& result : c.tests) {
        if (result.name == test) {
            return result.p;
        }
    }
    ADD_FAILURE() << "no test " << test;
    return kNaN;
}

void check_pair(const Comparison& got, const Json& want, const std::string& name) {
    EXPECT_EQ(got.only_a, want.at("only_a").get<std::int64_t>()) << name;
    EXPECT_EQ(got.only_b, want.at("only_b").get<std::int64_t>()) << name;
    expect_near(got.difference, want.at("diff"), name + " diff");
    expect_near(got.se, want.at("se_paired"), name + " se");
    expect_interval(got.interval, want.at("ci95_t"), name + " ci");
    expect_near(p_of(got, "paired t"), want.at("p_t"), name + " p_t");
    expect_near(p_of(got, "McNemar, exact"), want.at("mcnemar_exact"), name + " exact");
    expect_near(p_of(got, "McNemar, mid-p"), want.at("mcnemar_mid"), name + " mid");
    expect_near(got.correlation, want.at("corr"), name + " corr");
}

TEST(Published, Gsm8kAccuraciesAndIntervals) {
    const Json expected = load("gsm8k_expected.json");
    EXPECT_EQ(expected.at("per_model").size(), 4U);
    for (const auto& [name, model] : expected.at("per_model").items()) {
        check_model(model, name);
    }
}

TEST(Published, Gsm8kPairsWithHolm) {
    const Json expected = load("gsm8k_expected.json");
    std::vector<Comparison> family;
    for (const auto& [name, pair] : expected.at("pairs").items()) {
        const std::size_t minus = name.find(" - ");
        const Json& a = expected.at("per_model").at(name.substr(0, minus));
        const Json& b = expected.at("per_model").at(name.substr(minus + 3));
        Values values_a;
        Values values_b;
        append_pair(
            values_a,
            values_b,
            a.at("n").get<int>(),
            a.at("correct").get<int>(),
            b.at("correct").get<int>(),
            pair
        );
        family.push_back(compare(binary(values_a), binary(values_b), exact_options()));
        check_pair(family.back(), pair, name);
        EXPECT_EQ(family.back().p, p_of(family.back(), "McNemar, exact"));
    }
    ASSERT_EQ(family.size(), 6U);
    apply_family(family, exact_options());
    const Json& holm = expected.at("holm_on_mcnemar_exact");
    for (std::size_t i = 0; i < family.size(); ++i) {
        expect_near(family[i].p_adjusted, holm.at(i), "holm " + std::to_string(i));
        EXPECT_EQ(family[i].family_size, 6);
    }
    EXPECT_EQ(
        family[0].sentence,
        "better by 21.5 points (18.7 to 24.4), p = 1.4e-44 (Holm, 6 comparisons)"
    );
    EXPECT_EQ(
        family[3].sentence, "worse by 4.3 points (1.5 to 7.1), p = 0.0032 (Holm, 6 comparisons)"
    );
}

TEST(Published, BbhTasks) {
    const Json expected = load("bbh_expected.json");
    EXPECT_EQ(expected.at("tasks").size(), 8U);
    for (const auto& [name, task] : expected.at("tasks").items()) {
        check_model(task.at("direct"), name + " direct");
        check_model(task.at("cot"), name + " cot");
        Values cot;
        Values direct;
        append_pair(
            cot,
            direct,
            task.at("n").get<int>(),
            task.at("cot").at("correct").get<int>(),
            task.at("direct").at("correct").get<int>(),
            task.at("cot_minus_direct")
        );
        check_pair(compare(binary(cot), binary(direct), {}), task.at("cot_minus_direct"), name);
    }
}

TEST(Published, BbhPooledIsClusteredByTask) {
    const Json expected = load("bbh_expected.json");
    Values cot;
    Values direct;
    Values task_differences;
    std::vector<int> clusters;
    int label = 0;
    for (const auto& [name, task] : expected.at("tasks").items()) {
        append_pair(
            cot,
            direct,
            task.at("n").get<int>(),
            task.at("cot").at("correct").get<int>(),
            task.at("direct").at("correct").get<int>(),
            task.at("cot_minus_direct")
        );
        clusters.resize(cot.size(), label++);
        task_differences.push_back(task.at("cot_minus_direct").at("diff").get<double>());
    }
    const Json& pooled = expected.at("pooled");
    MetricSample a = binary(cot);
    MetricSample b = binary(direct);
    const Comparison independent = compare(a, b, {});
    EXPECT_EQ(independent.n, pooled.at("n").get<std::int64_t>());
    expect_near(independent.difference, pooled.at("diff"), "diff");
    expect_near(independent.se, pooled.at("se_clt"), "se_clt");
    a.clusters = clusters;
    b.clusters = clusters;
    const Comparison got = compare(a, b, {});
    expect_near(got.difference, pooled.at("diff"), "clustered diff");
    expect_near(got.se, pooled.at("se_clustered_by_task_cr1"), "cr1");
    expect_near(got.se * std::sqrt(7.0 / 8), pooled.at("se_clustered_by_task_cr0"), "cr0 from cr1");
    EXPECT_EQ(got.clusters, 8);
    EXPECT_EQ(got.df, 7);
    EXPECT_EQ(got.interval_method, "cluster-robust CR1 95 %, t with 7 df, 8 clusters");
    // Eight tasks: the interval is five times as wide as if items were independent.
    EXPECT_GT(got.p, 1e-3);
    EXPECT_LT(got.p, 0.05);

    const Json& over_tasks = expected.at("wilcoxon_over_tasks");
    expect_near(wilcoxon_signed_rank(task_differences).statistic, over_tasks.at("W"), "W");
    expect_near(wilcoxon_exact(task_differences).p, over_tasks.at("p_exact"), "Wilcoxon exact");
}

}  // namespace
}  // namespace lab::science
