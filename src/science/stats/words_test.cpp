#include "science/stats/analysis.h"

#include <gtest/gtest.h>

#include <limits>

namespace lab::science {
namespace {

TEST(Words, APValueIsNeverZero) {
    EXPECT_EQ(format_p(0), "< 1e-300");
    EXPECT_EQ(p_equation(0), "p < 1e-300");
    EXPECT_EQ(p_equation(2.9e-45), "p = 2.9e-45");
    EXPECT_EQ(format_p(0.00026874), "2.7e-04");
    EXPECT_EQ(format_p(0.0027), "0.0027");
    EXPECT_EQ(format_p(0.04961), "0.0496");
    EXPECT_EQ(format_p(0.5678), "0.57");
    EXPECT_EQ(format_p(1), "1");
    EXPECT_EQ(p_equation(kNaN), "p n/a");
}

TEST(Words, APValueNeverRoundsAcrossTheUsualLevels) {
    EXPECT_EQ(format_p(0.05), "0.0500");
    EXPECT_EQ(format_p(0.0501), "0.0501");
    EXPECT_EQ(format_p(0.9996), "1.00");
    EXPECT_EQ(format_p(0.0996), "0.10");
}

TEST(Words, APValueAtTheFloorOfItsTestIsAnUpperBound) {
    EXPECT_EQ(p_equation(1.0 / 10001, true), "p <= 1.0e-04");
    EXPECT_EQ(format_p(1.0 / 10001, true), "<= 1.0e-04");
    EXPECT_EQ(format_p(0.0027, false), "0.0027");
    EXPECT_EQ(p_equation(1, true), "p = 1") << "corrected to nothing";
    EXPECT_EQ(p_equation(kNaN, true), "p n/a");
}

TEST(Words, CountsHaveSeparators) {
    EXPECT_EQ(format_count(7), "7");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(2310), "2,310");
    EXPECT_EQ(format_count(1234567), "1,234,567");
    EXPECT_EQ(format_count(-1234), "-1,234");
    EXPECT_EQ(format_count(5e12), "more than a billion");
    EXPECT_EQ(format_count(kNaN), "n/a");
}

TEST(Words, AmountsAreScaledAndSmallOnesStayVisible) {
    const Wording points{100, "points", 1};
    EXPECT_EQ(format_amount(0.21531, points), "21.5");
    EXPECT_EQ(format_amount(-0.0001, points), "-0.01");
    EXPECT_EQ(format_amount(-0.0, points), "0.0");
    EXPECT_EQ(format_amount(kNaN, points), "n/a");
    EXPECT_EQ(format_amount(std::numeric_limits<double>::infinity(), points), "infinity");
    EXPECT_EQ(format_percent(0.95), "95 %");
    EXPECT_EQ(format_percent(0.999), "99.9 %");
}

TEST(Words, TheMetricSaysHowItsDifferencesAreWritten) {
    MetricInfo metric;
    metric.kind = MetricKind::binary;
    EXPECT_EQ(wording_for(metric).scale, 100);
    EXPECT_EQ(wording_for(metric).unit, "points");
    metric.kind = MetricKind::corpus;
    metric.maximum = 100;
    EXPECT_EQ(wording_for(metric).scale, 1);
    EXPECT_EQ(wording_for(metric).unit, "points");
    metric.kind = MetricKind::continuous;
    metric.maximum = 1;
    EXPECT_EQ(wording_for(metric).unit, "");
}

Comparison example() {
    Comparison c;
    c.wording = {100, "points", 1};
    c.n = 1319;
    c.difference = 0.215;
    c.se = 0.0147;
    c.interval = {0.187, 0.244};
    c.p_adjusted = 2.9e-45;
    c.family_size = 6;
    c.correction = "Holm";
    c.verdict = Verdict::better;
    return c;
}

TEST(Sentence, SaysByHowMuchAndHowSure) {
    Comparison c = example();
    EXPECT_EQ(
        verdict_sentence(c),
        "better by 21.5 points (18.7 to 24.4), p = 2.9e-45 (Holm, 6 comparisons)"
    );
    c.verdict = Verdict::worse;
    c.difference = -0.215;
    c.interval = {-0.244, -0.187};
    EXPECT_EQ(
        verdict_sentence(c),
        "worse by 21.5 points (18.7 to 24.4), p = 2.9e-45 (Holm, 6 comparisons)"
    );
}

TEST(Sentence, ARealButUnimportantDifferenceIsCalledThat) {
    Comparison c = example();
    c.minimum_effect = 0.3;
    c.equivalence_p_adjusted = 0.001;
    EXPECT_TRUE(verdict_sentence(c).ends_with("; smaller than the 30.0 points that would matter"));
}

TEST(Sentence, NothingShownSaysWhatWouldDecide) {
    Comparison c = example();
    c.verdict = Verdict::no_difference_shown;
    c.difference = 0.008;
    c.interval = {-0.02, 0.036};
    c.p_adjusted = 0.57;
    c.detectable = 0.04;
    c.items_needed = 2310;
    EXPECT_EQ(
        verdict_sentence(c),
        "no difference shown (+0.8 points, -2.0 to 3.6, p = 0.57; Holm, 6 comparisons): the "
        "smallest "
        "difference this set could show is 4.0 points at 80 % power; 2,310 items would decide the "
        "observed one"
    );
    c.clusters = 8;
    EXPECT_TRUE(verdict_sentence(c).ends_with("; 2,310 clusters would decide the observed one"))
        << verdict_sentence(c);
    c.clusters = 0;
    c.items_needed = kNaN;
    EXPECT_TRUE(verdict_sentence(c).ends_with("no number of items decides a difference of 0"));
}

TEST(Sentence, EquivalenceNamesTheMargin) {
    Comparison c = example();
    c.verdict = Verdict::equivalent;
    c.difference = 0.003;
    c.interval = {-0.009, 0.015};
    c.minimum_effect = 0.02;
    c.equivalence_p_adjusted = 0.003;
    EXPECT_EQ(
        verdict_sentence(c),
        "equivalent: the difference of +0.3 points (-0.9 to 1.5) lies within 2.0 points either "
        "way, "
        "p = 0.0030 (two one-sided tests, Holm, 6 comparisons)"
    );
}

TEST(Sentence, NoAnswerSaysWhy) {
    Comparison c = example();
    c.verdict = Verdict::undetermined;
    c.reason = "no item has a value on both sides";
    EXPECT_EQ(verdict_sentence(c), "n/a: no item has a value on both sides");
}

}  // namespace
}  // namespace lab::science
