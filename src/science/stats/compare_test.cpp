#include "base/rng.h"
#include "domain/spec.h"
#include "science/stats/analysis.h"
#include "science/stats/mcnemar.h"
#include "science/stats/permutation.h"
#include "science/stats/power.h"
#include "science/stats/t_tests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {
using Values = std::vector<double>;

MetricSample sample_of(MetricKind kind, const Values& values) {
    MetricSample sample;
    sample.kind = kind;
    sample.values = values;
    return sample;
}

bool has_note(const std::vector<std::string>& notes, std::string_view part) {
    return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
        return note.find(part) != std::string::npos;
    });
}

struct Table {
    Values a;
    Values b;
};

Table table_of(int both, int only_a, int only_b, int neither) {
    Table out;
    const auto add = [&](int count, double x, double y) {
        out.a.insert(out.a.end(), static_cast<std::size_t>(count), x);
        out.b.insert(out.b.end(), static_cast<std::size_t>(count), y);
    };
    add(both, 1, 1);
    add(only_a, 1, 0);
    add(only_b, 0, 1);
    add(neither, 0, 0);
    return out;
}

Comparison compare_tables(const Table& table, const AnalysisOptions& options = {}) {
    return compare(
        sample_of(MetricKind::binary, table.a), sample_of(MetricKind::binary, table.b), options
    );
}

AnalysisOptions quick() {
    AnalysisOptions options;
    options.bootstrap_replicates = 400;
    return options;
}

TEST(CompareBinary, McNemarDecidesMidPByDefaultExactOnDemand) {
    const Table table = table_of(40, 25, 10, 25);
    const Comparison got = compare_tables(table);
    EXPECT_EQ(got.design, Design::proportion);
    EXPECT_EQ(got.tests.front().name, "McNemar, mid-p");
    EXPECT_EQ(got.p, mcnemar(25, 10).p_mid);
    EXPECT_EQ(got.only_a, 25);
    EXPECT_EQ(got.only_b, 10);
    EXPECT_EQ(got.both, 40);
    EXPECT_EQ(got.neither, 25);
    EXPECT_NEAR(got.difference, 0.15, 1e-15);
    EXPECT_EQ(got.interval_method, "paired t 95 %, 99 df");
    AnalysisOptions options;
    options.mcnemar = domain::McNemarKind::exact;
    EXPECT_EQ(compare_tables(table, options).p, mcnemar(25, 10).p_exact);
    EXPECT_EQ(compare_tables(table, options).tests.front().name, "McNemar, exact");
}

TEST(CompareBinary, DetectableDifferenceFollowsFromTheDiscordantShares) {
    const Comparison got = compare_tables(table_of(40, 12, 10, 38));
    const double sd = paired_binary_sd(0.12, 0.10);
    EXPECT_NEAR(got.detectable, detectable_effect(sd / 10, 0.05, 0.8), 1e-15);
    EXPECT_EQ(got.items_needed, items_up(paired_items(sd, got.difference, 0.05, 0.8)));
    EXPECT_GT(got.items_needed, 1000);
    EXPECT_EQ(got.verdict, Verdict::no_difference_shown);
}

TEST(CompareBinary, SoFewItemsThatNothingCanBeShownPromiseNothing) {
    const Comparison four = compare_tables(table_of(1, 2, 1, 0));
    EXPECT_GT(mcnemar(4, 0).p_mid, 0.05) << "even the largest difference of four items";
    EXPECT_TRUE(std::isnan(four.detectable));
    EXPECT_TRUE(four.sentence.ends_with(": so few items cannot show any difference"))
        << four.sentence;
    const Comparison eight = compare_tables(table_of(6, 1, 0, 1));
    EXPECT_LE(mcnemar(5, 0).p_mid, 0.05) << "five that differ are needed";
    EXPECT_EQ(eight.detectable, 5.0 / 8);
    EXPECT_GE(eight.items_needed, 5 / (1.0 / 8)) << "five that differ, one in eight does";
}

TEST(CompareBinary, EqualDifferencesHaveNoInterval) {
    const Comparison got = compare_tables(table_of(0, 6, 0, 0));
    EXPECT_EQ(got.difference, 1);
    EXPECT_TRUE(std::isnan(got.interval.lo) && std::isnan(got.interval.hi)) << "not [1, 1]";
    EXPECT_EQ(got.verdict, Verdict::better);
    EXPECT_EQ(got.p, mcnemar(6, 0).p_mid);
}

TEST(CompareBinary, NoDiscordantItemIsPOneAndNoCertainty) {
    AnalysisOptions options;
    options.minimum_effect = 0.02;
    const Comparison few = compare_tables(table_of(30, 0, 0, 20), options);
    EXPECT_EQ(few.p, 1);
    EXPECT_EQ(few.se, 0);
    EXPECT_EQ(few.verdict, Verdict::no_difference_shown);
    EXPECT_NEAR(few.equivalence_p, std::pow(0.98, 50), 1e-12);
    EXPECT_TRUE(has_note(few.notes, "not certainty"));
    EXPECT_TRUE(std::isnan(few.detectable));
    const Comparison many = compare_tables(table_of(300, 0, 0, 200), options);
    EXPECT_EQ(many.verdict, Verdict::equivalent) << "0.98^500 = 4e-5";
}

TEST(CompareBinary, ItemsThatOnlyOneSideHasAreDroppedAndCounted) {
    Table table = table_of(40, 25, 10, 25);
    table.a[0] = kNaN;
    table.b[1] = kNaN;
    table.a[99] = table.b[99] = kNaN;
    const Comparison got = compare_tables(table);
    EXPECT_EQ(got.n, 97);
    EXPECT_EQ(got.dropped, 3);
    EXPECT_EQ(got.both, 38);
    EXPECT_NEAR(got.value_a, 63.0 / 97, 1e-15);
}

TEST(CompareBinary, RepetitionsMakeItAComparisonOfMeans) {
    Table table = table_of(10, 12, 4, 10);
    table.a[0] = 0.5;
    const Comparison got = compare_tables(table, quick());
    EXPECT_EQ(got.design, Design::mean);
    EXPECT_EQ(got.tests.front().name, "paired t");
    EXPECT_FALSE(got.only_a.has_value());
}

Table scores(int items, double shift) {
    Table out;
    for (int i = 0; i < items; ++i) {
        const double common = std::sin(i);
        out.a.push_back(common + 0.3 * std::sin(3.7 * i) + shift);
        out.b.push_back(common + 0.3 * std::cos(2.9 * i));
    }
    return out;
}

Comparison compare_scores(const Table& table, const AnalysisOptions& options) {
    return compare(
        sample_of(MetricKind::continuous, table.a),
        sample_of(MetricKind::continuous, table.b),
        options
    );
}

TEST(CompareMeans, WhatFewItemsCanShowIsWhatTheTTestCanFind) {
    const Comparison got = compare_scores(scores(6, 0.2), quick());
    EXPECT_NEAR(paired_t_power(got.detectable / got.sd, 6, 0.05), 0.8, 1e-9);
    EXPECT_GT(got.detectable, 1.2 * detectable_effect(got.se, 0.05, 0.8));
    EXPECT_GE(paired_t_power(got.difference / got.sd, got.items_needed, 0.05), 0.8);
    const Comparison two = compare_scores(scores(2, 1), quick());
    EXPECT_GE(two.items_needed, 2);
}

TEST(CompareContinuous, PairedTDecidesBesideWilcoxonAndSignFlips) {
    const Table table = scores(150, 0.1);
    const Comparison got = compare_scores(table, quick());
    Values d;
    for (std::size_t i = 0; i < table.a.size(); ++i) {
        d.push_back(table.a[i] - table.b[i]);
    }
    const PairedT t = paired_t(d, 0.95);
    EXPECT_EQ(got.design, Design::mean);
    EXPECT_EQ(got.p, t.p_two_sided);
    EXPECT_EQ(got.se, t.se);
    EXPECT_EQ(got.interval, t.interval);
    EXPECT_NEAR(got.effect_dz, t.mean_difference / t.sd, 1e-15);
    EXPECT_GT(got.correlation, 0.7);
    ASSERT_EQ(got.tests.size(), 3U);
    EXPECT_EQ(got.tests[1].name, "Wilcoxon signed rank, zeros dropped");
    EXPECT_EQ(got.tests[2].name, "sign-flip permutation, 400 draws, mt19937_64 seed 0");
    EXPECT_NEAR(got.tests[2].p, got.p, 4 * got.tests[2].p_error + 0.005);
    EXPECT_EQ(
        compare_scores(scores(15, 0.1), quick()).tests[2].name, "sign-flip permutation, exact"
    );
}

TEST(CompareContinuous, WithoutVariationTheSignsDecide) {
    Table table = scores(10, 0);
    for (std::size_t i = 0; i < table.b.size(); ++i) {
        table.a[i] = table.b[i] + 0.1;  // differences equal up to rounding
    }
    const Comparison got = compare_scores(table, quick());
    EXPECT_EQ(got.se, 0);
    EXPECT_EQ(got.tests.front().name, "sign-flip permutation, exact");
    EXPECT_NEAR(got.p, 2.0 / 1024, 1e-15);
    EXPECT_TRUE(std::isnan(got.effect_dz));
    EXPECT_TRUE(has_note(got.notes, "same amount"));
    EXPECT_EQ(got.verdict, Verdict::better);
}

TEST(CompareContinuous, IdenticalVariantsAreNotShownToDiffer) {
    const Table table = scores(50, 0);
    AnalysisOptions options = quick();
    options.minimum_effect = 0.1;
    const Comparison got = compare_scores({table.a, table.a}, options);
    EXPECT_EQ(got.difference, 0);
    EXPECT_EQ(got.p, 1);
    EXPECT_TRUE(std::isnan(got.equivalence_p)) << "no standard error, no equivalence";
    EXPECT_EQ(got.verdict, Verdict::no_difference_shown);
    EXPECT_EQ(
        got.sentence,
        "no difference shown (0.000, p = 1; one comparison): the two agree on all 50 items"
    );
}

TEST(CompareContinuous, EquivalenceNeedsTwoOneSidedTests) {
    const Table table = scores(400, 0.0);
    AnalysisOptions options = quick();
    options.minimum_effect = 0.2;
    const Comparison got = compare_scores(table, options);
    EXPECT_NEAR(got.equivalence_p, equivalence_p(got.difference, got.se, got.df, 0.2), 1e-15);
    EXPECT_EQ(got.verdict, Verdict::equivalent);
    options.minimum_effect = 0.001;
    EXPECT_EQ(compare_scores(table, options).verdict, Verdict::no_difference_shown);
    options.minimum_effect.reset();
    EXPECT_TRUE(std::isnan(compare_scores(table, options).equivalence_p));
    EXPECT_EQ(compare_scores(table, options).verdict, Verdict::no_difference_shown);
}

TEST(CompareClustered, TheRobustStandardErrorDecides) {
    const Table table = table_of(60, 30, 10, 60);
    std::vector<int> clusters;
    for (int i = 0; i < 160; ++i) {
        clusters.push_back(i / 20);
    }
    MetricSample a = sample_of(MetricKind::binary, table.a);
    MetricSample b = sample_of(MetricKind::binary, table.b);
    a.clusters = b.clusters = clusters;
    const Comparison got = compare(a, b, quick());
    Values d;
    for (std::size_t i = 0; i < table.a.size(); ++i) {
        d.push_back(table.a[i] - table.b[i]);
    }
    const ClusteredSe robust = clustered_se(d, clusters);
    EXPECT_EQ(got.design, Design::clustered_mean);
    EXPECT_EQ(got.clusters, 8);
    EXPECT_EQ(got.se, robust.cr1);
    EXPECT_EQ(got.df, 7);
    EXPECT_EQ(got.interval, t_interval(got.difference, robust.cr1, 7, 0.95));
    EXPECT_EQ(got.tests[0].name, "t with the cluster-robust standard error");
    EXPECT_EQ(got.tests[1].name, "sign-flip permutation of clusters, exact");
    EXPECT_EQ(got.tests[2].name, "McNemar, mid-p (ignores clusters)");
    EXPECT_GT(got.p, got.tests[2].p);
    EXPECT_TRUE(has_note(got.notes, "fewer than 30 clusters"));
}

TEST(CompareClustered, ClustersWouldDecideAndNotItems) {
    // Eight clusters of 50 items, one clearly better and seven as good.
    Values a;
    std::vector<int> clusters;
    for (int i = 0; i < 400; ++i) {
        a.push_back(i < 50 ? 1 : 0);
        clusters.push_back(i / 50);
    }
    const Values b(400, 0);
    MetricSample left = sample_of(MetricKind::binary, a);
    MetricSample right = sample_of(MetricKind::binary, b);
    left.clusters = right.clusters = clusters;
    const Comparison got = compare(left, right, {});
    EXPECT_EQ(got.verdict, Verdict::no_difference_shown);
    const double sd = got.se * std::sqrt(8);
    EXPECT_EQ(got.items_needed, clusters_for(sd, got.difference, 0.05, 0.8));
    EXPECT_GT(got.items_needed, 8);
    EXPECT_LT(got.items_needed, 400);
    EXPECT_TRUE(got.sentence.contains(" clusters would decide")) << got.sentence;
}

TEST(CompareClustered, OneClusterHasNoAnswer) {
    const Table table = table_of(6, 3, 1, 6);
    const std::vector<int> clusters(16, 1);
    MetricSample a = sample_of(MetricKind::binary, table.a);
    MetricSample b = sample_of(MetricKind::binary, table.b);
    a.clusters = b.clusters = clusters;
    const Comparison got = compare(a, b, quick());
    EXPECT_TRUE(std::isnan(got.p));
    EXPECT_TRUE(std::isnan(got.se));
    EXPECT_EQ(got.verdict, Verdict::undetermined);
    EXPECT_NE(got.sentence.find("n/a: all items are in one cluster"), std::string::npos);
}

struct Corpus {
    Values values;
    Values stats;
    MetricSample sample() const {
        MetricSample out = sample_of(MetricKind::corpus, values);
        out.stats = stats;
        out.stats_size = 2;
        out.aggregate = [](std::span<const double> sums) { return 100 * sums[0] / sums[1]; };
        return out;
    }
};

Corpus make_corpus(int items, double quality, double phase) {
    Corpus out;
    for (int i = 0; i < items; ++i) {
        const double length = 8 + i % 11;
        const double share = quality + 0.2 * std::sin(i) + 0.05 * std::sin(7 * i + phase);
        const double matches = std::floor(length * share);
        out.stats.insert(out.stats.end(), {matches, length});
        out.values.push_back(100 * matches / length);
    }
    return out;
}

TEST(CompareCorpus, ThePairedBootstrapDecides) {
    const Corpus a = make_corpus(200, 0.55, 1);
    const Corpus b = make_corpus(200, 0.50, 2);
    AnalysisOptions options;
    options.bootstrap_replicates = 1000;
    options.seed = 5;
    const Comparison got = compare(a.sample(), b.sample(), options);
    EXPECT_EQ(got.design, Design::corpus);
    EXPECT_EQ(got.tests.front().name, "paired bootstrap, B=1000, mt19937_64 seed 5");
    EXPECT_EQ(got.p, 1.0 / 1001) << "never 0";
    EXPECT_TRUE(got.p_at_floor);
    EXPECT_TRUE(got.sentence.contains("p <= 1.0e-03")) << got.sentence;
    EXPECT_EQ(got.verdict, Verdict::better);
    EXPECT_EQ(got.difference, got.value_a - got.value_b);
    EXPECT_GT(got.correlation, 0.5) << "paired: the same items for both";
    const Estimate alone_a = estimate(a.sample(), options);
    const Estimate alone_b = estimate(b.sample(), options);
    EXPECT_LT(got.se, 0.7 * std::hypot(alone_a.se, alone_b.se));
    EXPECT_EQ(got.value_a, alone_a.value);
}

TEST(CompareCorpus, UnderNoDifferenceThePValueRejectsAsOftenAsItSays) {
    // No package of reference computes this p, so its meaning is tested: two systems with the same
    // distribution, and the share of sets in which p <= 0.1.
    Rng rng(2024);
    const int sets = 300;
    int rejected = 0;
    for (int set = 0; set < sets; ++set) {
        Corpus a;
        Corpus b;
        for (int i = 0; i < 80; ++i) {
            const double length = 5 + static_cast<double>(rng.below(20));
            const double ease = rng.uniform();
            for (Corpus* const corpus : {&a, &b}) {
                const double matches = std::floor(length * (ease + rng.uniform()) / 2);
                corpus->stats.insert(corpus->stats.end(), {matches, length});
                corpus->values.push_back(matches / length);
            }
        }
        AnalysisOptions options;
        options.bootstrap_replicates = 199;
        options.seed = static_cast<std::uint64_t>(set);
        rejected += compare(a.sample(), b.sample(), options).p <= 0.1 ? 1 : 0;
    }
    // 30 expected, standard deviation 5.2.
    EXPECT_GT(rejected, 30 - 16);
    EXPECT_LT(rejected, 30 + 16);
}

TEST(CompareCorpus, FewItemsCannotShowMoreThanTheirSwapsCan) {
    AnalysisOptions options;
    options.bootstrap_replicates = 1000;
    for (const int items : {2, 5, 6}) {
        // One side is far better in every item.
        const Comparison got = compare(
            make_corpus(items, 0.75, 1).sample(), make_corpus(items, 0.25, 1).sample(), options
        );
        EXPECT_EQ(got.p, std::ldexp(1.0, 1 - items)) << items;
        EXPECT_FALSE(got.p_at_floor) << "it is what so few items give, not what the draws give";
        EXPECT_EQ(got.verdict, items < 6 ? Verdict::no_difference_shown : Verdict::better);
        EXPECT_TRUE(has_note(got.notes, "items cannot give a p-value below"));
        EXPECT_EQ(std::isnan(got.detectable), items < 6);
        EXPECT_EQ(got.sentence.ends_with(": so few items cannot show any difference"), items < 6);
        EXPECT_GE(got.items_needed, 6);
    }
    const Comparison many =
        compare(make_corpus(20, 0.75, 1).sample(), make_corpus(20, 0.25, 1).sample(), options);
    EXPECT_EQ(many.p, 1.0 / 1001);
    EXPECT_FALSE(has_note(many.notes, "cannot give"));
}

TEST(CompareCorpus, IdenticalSystemsHavePOne) {
    const Corpus a = make_corpus(60, 0.55, 1);
    const Comparison got = compare(a.sample(), a.sample(), quick());
    EXPECT_EQ(got.p, 1);
    EXPECT_EQ(got.se, 0);
    EXPECT_EQ(got.verdict, Verdict::no_difference_shown);
}

TEST(CompareCorpus, WithoutReplicatesThereIsNoAnswer) {
    const Corpus a = make_corpus(60, 0.55, 1);
    AnalysisOptions options;
    options.bootstrap_replicates = 0;
    const Comparison got = compare(a.sample(), a.sample(), options);
    EXPECT_EQ(got.verdict, Verdict::undetermined);
    EXPECT_EQ(got.sentence, "n/a: a corpus metric needs bootstrap replicates");
}

TEST(CompareCorpus, ClustersAreResampledWhole) {
    const Corpus a = make_corpus(200, 0.55, 1);
    const Corpus b = make_corpus(200, 0.50, 2);
    std::vector<int> clusters;
    for (int i = 0; i < 200; ++i) {
        clusters.push_back(i % 20);
    }
    MetricSample sample_a = a.sample();
    MetricSample sample_b = b.sample();
    sample_a.clusters = sample_b.clusters = clusters;
    const Comparison got = compare(sample_a, sample_b, quick());
    EXPECT_EQ(got.design, Design::clustered_corpus);
    EXPECT_EQ(got.clusters, 20);
    EXPECT_NE(got.interval_method.find("of 20 clusters"), std::string::npos);
}

TEST(CompareDifferentItems, WelchWithAWarning) {
    const Table table = scores(80, 0.4);
    const Values shorter(table.b.begin(), table.b.begin() + 60);
    const Comparison got = compare_different_items(
        sample_of(MetricKind::continuous, table.a),
        sample_of(MetricKind::continuous, shorter),
        quick()
    );
    EXPECT_EQ(got.design, Design::different_items);
    EXPECT_EQ(got.p, welch_t(table.a, shorter, 0.95).p_two_sided);
    EXPECT_EQ(got.n, 140);
    EXPECT_TRUE(has_note(got.notes, "different items"));
    const Corpus corpus = make_corpus(20, 0.5, 0);
    const Comparison none = compare_different_items(corpus.sample(), corpus.sample(), quick());
    EXPECT_EQ(none.verdict, Verdict::undetermined);
}

TEST(Compare, TooLittleIsUndeterminedAndNeverZero) {
    for (const MetricKind kind : {MetricKind::binary, MetricKind::continuous, MetricKind::corpus}) {
        for (const auto& [a, b] : std::vector<std::pair<Values, Values>>{
                 {{}, {}}, {{kNaN, kNaN}, {1, 0}}, {{kNaN, 1}, {0, kNaN}}
             }) {
            const Values stats(a.size(), 1.0);
            MetricSample sample_a = sample_of(kind, a);
            MetricSample sample_b = sample_of(kind, b);
            sample_a.stats = sample_b.stats = stats;
            sample_a.stats_size = sample_b.stats_size = 1;
            sample_a.aggregate =
                sample_b.aggregate = [](std::span<const double> sums) { return sums[0]; };
            const Comparison got = compare(sample_a, sample_b, quick());
            EXPECT_EQ(got.n, 0);
            EXPECT_TRUE(std::isnan(got.p));
            EXPECT_TRUE(std::isnan(got.difference));
            EXPECT_EQ(got.verdict, Verdict::undetermined);
            EXPECT_EQ(got.sentence, "n/a: no item has a value on both sides");
        }
    }
}

TEST(Compare, OnePairOfScoresIsUndetermined) {
    const Comparison got = compare_scores({{0.5}, {0.2}}, quick());
    EXPECT_NEAR(got.difference, 0.3, 1e-15);
    EXPECT_TRUE(std::isnan(got.p));
    EXPECT_EQ(got.sentence, "n/a: only one item has a value on both sides");
}

TEST(Compare, InfiniteScoresAreUndetermined) {
    const double infinity = std::numeric_limits<double>::infinity();
    const Comparison got = compare_scores({{infinity, 1, 2}, {1, 1, 3}}, quick());
    EXPECT_TRUE(std::isnan(got.p));
    EXPECT_EQ(got.verdict, Verdict::undetermined);
}

TEST(Compare, LowerIsBetterTurnsTheVerdictAround) {
    const Table table = scores(200, 0.5);
    MetricSample a = sample_of(MetricKind::continuous, table.a);
    MetricSample b = sample_of(MetricKind::continuous, table.b);
    EXPECT_EQ(compare(a, b, quick()).verdict, Verdict::better);
    a.higher_is_better = b.higher_is_better = false;
    EXPECT_EQ(compare(a, b, quick()).verdict, Verdict::worse);
    EXPECT_EQ(compare(b, a, quick()).verdict, Verdict::better);
}

}  // namespace
}  // namespace lab::science
