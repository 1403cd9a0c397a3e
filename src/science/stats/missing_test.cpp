#include "domain/spec.h"
#include "science/stats/analysis.h"
#include "science/stats/mcnemar.h"
#include "science/stats/t_tests.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::science {
namespace {
using Values = std::vector<double>;

/// One side: scores of the items, NaN where all repetitions failed or none was run.
struct Side {
    Values values;
    std::vector<int> lost;
    std::vector<int> answered;
    void add(int count, double value, int lost_each = 0) {
        values.insert(values.end(), static_cast<std::size_t>(count), value);
        lost.insert(lost.end(), static_cast<std::size_t>(count), lost_each);
    }
};

MetricSample sample_of(const Side& side, MetricKind kind = MetricKind::binary) {
    MetricSample sample;
    sample.kind = kind;
    sample.values = side.values;
    sample.lost = side.lost;
    sample.answered = side.answered;
    sample.minimum = 0;
    sample.maximum = 1;
    sample.wording = {100, "points", 1};
    return sample;
}

bool ends_with_note(const Comparison& c) {
    return !c.missing_note.empty() && !c.notes.empty() && c.notes.back() == c.missing_note;
}

/// 100 items: the first 60 are answered by both, the last 40 only by b.
struct FortyLost {
    Side a;
    Side b;
    FortyLost() {
        a.add(55, 1);
        a.add(5, 0);
        a.add(40, kNaN, 1);
        b.add(40, 1);
        b.add(60, 0);
    }
};

TEST(Missing, AVerdictThatFailedSamplesCouldTurnIsNoted) {
    const FortyLost sides;
    const Comparison got = compare(sample_of(sides.a), sample_of(sides.b), {});
    EXPECT_EQ(got.verdict, Verdict::better) << "on the 60 items that both have";
    EXPECT_EQ(got.n, 60);
    EXPECT_EQ(got.lost, 40);
    // All 40 wrong: 55 against 40 of 100, 15 items that only a got right.
    EXPECT_NEAR(got.lowest.difference, 0.15, 1e-12);
    EXPECT_EQ(got.lowest.p, mcnemar(15, 0).p_mid);
    EXPECT_NEAR(got.highest.difference, 0.55, 1e-12);
    EXPECT_EQ(got.lowest.verdict, Verdict::better);
    EXPECT_TRUE(got.missing_note.empty()) << "a stays better in the worst case";

    const Comparison turned = compare(sample_of(sides.b), sample_of(sides.a), {});
    EXPECT_EQ(turned.verdict, Verdict::worse);
    EXPECT_EQ(turned.highest.p, got.lowest.p) << "the same bound from the other side";
    EXPECT_TRUE(turned.missing_note.empty());

    Side weaker = sides.b;
    for (std::size_t i = 60; i < 80; ++i) {
        weaker.values[i] = 1;
    }
    const Comparison open = compare(sample_of(sides.a), sample_of(weaker), {});
    EXPECT_EQ(open.verdict, Verdict::better) << "the items in question do not count";
    EXPECT_NEAR(open.lowest.difference, -0.05, 1e-12);
    EXPECT_EQ(open.lowest.p, mcnemar(15, 20).p_mid);
    ASSERT_TRUE(ends_with_note(open));
    EXPECT_EQ(
        open.missing_note,
        "40 samples failed: had they all spoken against this, the verdict would be \"no difference "
        "shown\" (-5.0 points, p = 0.41)"
    );
}

TEST(Missing, NoDifferenceShownMayBeOneAfterAll) {
    Side a;
    a.add(50, 1);
    a.add(30, 0);
    a.add(20, kNaN, 1);
    Side b;
    b.add(48, 1);
    b.add(52, 0);
    const Comparison got = compare(sample_of(a), sample_of(b), {});
    EXPECT_EQ(got.verdict, Verdict::no_difference_shown);
    EXPECT_EQ(got.highest.verdict, Verdict::better);
    EXPECT_EQ(got.lowest.verdict, Verdict::no_difference_shown);
    ASSERT_TRUE(ends_with_note(got));
    EXPECT_TRUE(got.missing_note.starts_with("20 samples failed: had they all gone one way"))
        << got.missing_note;
}

TEST(Missing, WhatWasNotRunTellsNothing) {
    FortyLost sides;
    std::ranges::fill(sides.a.lost, 0);
    const Comparison got = compare(sample_of(sides.a), sample_of(sides.b), {});
    EXPECT_EQ(got.dropped, 40);
    EXPECT_EQ(got.lost, 0);
    EXPECT_TRUE(std::isnan(got.lowest.difference));
    EXPECT_TRUE(got.missing_note.empty());
}

TEST(Missing, FailedRepetitionsAreFilledInsideTheirItem) {
    Side a;
    Side b;
    for (int i = 0; i < 20; ++i) {
        a.add(1, i % 2 == 0 ? 1.0 : 0.5, i < 4 ? 2 : 0);
        b.add(1, i % 3 == 0 ? 0.5 : 0.25);
        a.answered.push_back(i < 4 ? 2 : 4);
        b.answered.push_back(4);
    }
    const Comparison got =
        compare(sample_of(a, MetricKind::continuous), sample_of(b, MetricKind::continuous), {});
    EXPECT_EQ(got.n, 20);
    EXPECT_EQ(got.lost, 8);
    Values low;
    for (std::size_t i = 0; i < 20; ++i) {
        low.push_back((i < 4 ? a.values[i] / 2 : a.values[i]) - b.values[i]);
    }
    const PairedT t = paired_t(low, 0.95);
    EXPECT_NEAR(got.lowest.difference, t.mean_difference, 1e-12);
    EXPECT_NEAR(got.lowest.p, t.p_two_sided, 1e-12);
    EXPECT_GT(got.highest.difference, got.difference);
}

TEST(Missing, ClustersAndUnboundedAndCorpusMetrics) {
    const FortyLost sides;
    std::vector<int> clusters;
    for (int i = 0; i < 100; ++i) {
        clusters.push_back(i / 10);
    }
    MetricSample a = sample_of(sides.a);
    MetricSample b = sample_of(sides.b);
    a.clusters = b.clusters = clusters;
    const Comparison clustered = compare(a, b, {});
    EXPECT_EQ(clustered.clusters, 6) << "in the pairs";
    EXPECT_NEAR(clustered.lowest.difference, 0.15, 1e-12);
    EXPECT_GT(clustered.lowest.p, mcnemar(15, 0).p_mid) << "clusters count, not items";
    EXPECT_FALSE(std::isnan(clustered.lowest.p));
    a = sample_of(sides.a, MetricKind::continuous);
    b = sample_of(sides.b, MetricKind::continuous);
    a.maximum = b.maximum = std::numeric_limits<double>::infinity();
    const Comparison unbounded = compare(a, b, {});
    EXPECT_EQ(unbounded.lost, 40);
    EXPECT_TRUE(std::isnan(unbounded.lowest.difference)) << "nothing bounds them";
}

TEST(Missing, EveryFailedSampleAlikeIsNoCertainty) {
    Side a;
    a.add(3, 1);
    a.add(3, kNaN, 1);
    Side b;
    b.add(6, 0);
    const Comparison got =
        compare(sample_of(a, MetricKind::continuous), sample_of(b, MetricKind::continuous), {});
    EXPECT_EQ(got.highest.difference, 1) << "all six the same";
    EXPECT_EQ(got.highest.p, 1.0 / 32);
}

TEST(Missing, BoundsAreCorrectedWithTheirFamily) {
    Side a;
    a.add(60, 1);
    a.add(40, kNaN, 1);
    Side b;
    b.add(30, 1);
    b.add(30, 0);
    b.add(10, 1);
    b.add(30, 0);
    const Comparison alone = compare(sample_of(a), sample_of(b), {});
    EXPECT_EQ(alone.p, mcnemar(30, 0).p_mid);
    EXPECT_EQ(alone.lowest.p, mcnemar(30, 10).p_mid);
    EXPECT_EQ(alone.lowest.p_adjusted, alone.lowest.p);
    EXPECT_TRUE(alone.missing_note.empty()) << "shown even then";
    std::vector<Comparison> family(5, alone);
    apply_family(family, {});
    EXPECT_EQ(family[2].lowest.p_adjusted, alone.lowest.p)
        << "the largest of the five is left alone";
    EXPECT_TRUE(family[2].missing_note.empty());
    std::vector<Comparison> large(4000, alone);
    for (Comparison& c : large) {
        c.p = 0.5;
    }
    large[0].p = alone.p;
    apply_family(large, {});
    EXPECT_EQ(large[0].verdict, Verdict::better);
    EXPECT_EQ(large[0].lowest.verdict, Verdict::no_difference_shown);
    EXPECT_EQ(std::ranges::count(large[0].notes, large[0].missing_note), 1);
    apply_family(large, {});
    EXPECT_EQ(std::ranges::count(large[0].notes, large[0].missing_note), 1) << "not written twice";
    apply_family(std::span(large).first(1), {});
    EXPECT_TRUE(large[0].missing_note.empty());
    EXPECT_EQ(
        std::ranges::count_if(
            large[0].notes, [](const std::string& note) { return note.contains("failed"); }
        ),
        0
    );
}

}  // namespace
}  // namespace lab::science
