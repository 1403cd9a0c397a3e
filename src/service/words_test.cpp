#include "service/words.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::service {
namespace {

using science::Verdict;

/// Shares of right answers of a, b, c ... ; comparisons are added by the test.
report::Report make_report(const std::vector<double>& values) {
    report::Report out;
    out.runs.emplace_back();
    out.metrics.push_back(
        {.info = {.name = "accuracy", .kind = science::MetricKind::binary},
         .primary = true,
         .scorer = "exact"}
    );
    for (std::size_t i = 0; i < values.size(); ++i) {
        report::VariantSummary variant;
        variant.id = std::string(1, static_cast<char>('a' + static_cast<int>(i)));
        variant.baseline = i == 0;
        science::Estimate estimate;
        estimate.design = science::Design::proportion;
        estimate.value = values[i];
        estimate.interval.lo = values[i] - 0.05;
        estimate.interval.hi = values[i] + 0.05;
        variant.metrics.push_back(estimate);
        out.variants.push_back(variant);
    }
    return out;
}

void add(report::Report& report, std::size_t a, std::size_t b, Verdict verdict) {
    report::ComparisonRow row;
    row.a = a;
    row.b = b;
    row.primary = true;
    row.comparison.verdict = verdict;
    row.comparison.sentence = "sentence " + std::to_string(a) + std::to_string(b);
    row.comparison.family_size = 3;
    row.comparison.correction = "Holm";
    report.comparisons.push_back(row);
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Words, TheBaselineIsTheAnalysisElseTheHypothesisElseTheFirst) {
    domain::ExperimentSpec spec;
    EXPECT_EQ(baseline_of(spec), "");
    spec.variants = {{.id = "one"}, {.id = "two"}, {.id = "three"}};
    EXPECT_EQ(baseline_of(spec), "one");
    spec.hypothesis = domain::Hypothesis{.metric = "accuracy", .baseline = "two"};
    EXPECT_EQ(baseline_of(spec), "two");
    spec.analysis.baseline = "three";
    EXPECT_EQ(baseline_of(spec), "three");
}

TEST(Words, WhatElseWasDeclaredStandsBelowTheAnswer) {
    report::Report report = make_report({0.5, 0.8});
    add(report, 1, 0, Verdict::better);
    domain::ExperimentSpec spec;
    EXPECT_EQ(hypothesis_words(spec, report), "") << "nothing was claimed";
    spec.hypothesis = domain::Hypothesis{.metric = "accuracy", .baseline = "a", .alpha = 0.01};
    EXPECT_EQ(
        hypothesis_words(spec, report),
        "Best accuracy: b, 80.0 % (75.0 to 85.0); better than a. The claim was declared with alpha "
        "0.01."
    );
    spec.hypothesis->minimum_effect = 0.02;
    EXPECT_TRUE(
        has(hypothesis_words(spec, report),
            "with alpha 0.01; the smallest difference that matters is 0.02.")
    );
}

TEST(Words, TheBestIsNamedAndWhatIsOpenIsSaid) {
    report::Report report = make_report({0.5, 0.8, 0.6});
    add(report, 1, 0, Verdict::better);
    add(report, 2, 0, Verdict::better);
    EXPECT_EQ(answer_words({}, report), "Best accuracy: b, 80.0 % (75.0 to 85.0); better than a.")
        << "nothing is said of c, which b was not compared with";
    add(report, 2, 1, Verdict::worse);
    EXPECT_TRUE(has(answer_words({}, report), "better than each of the 2 it was compared with"));
    report.comparisons.back().comparison.verdict = Verdict::no_difference_shown;
    EXPECT_TRUE(has(answer_words({}, report), "; no difference shown to c."));
}

TEST(Words, ABestBaselineIsSeenFromTheOtherSide) {
    report::Report report = make_report({0.9, 0.4});
    add(report, 1, 0, Verdict::worse);
    EXPECT_TRUE(has(answer_words({}, report), "Best accuracy: a")) << answer_words({}, report);
    EXPECT_TRUE(has(answer_words({}, report), "; better than b."));
}

TEST(Words, WithoutAComparisonNothingIsClaimed) {
    EXPECT_EQ(answer_words({}, make_report({0.5})), "Best accuracy: a, 50.0 % (45.0 to 55.0).");
}

TEST(Words, TheBestIsTheLowestWhereLowerIsBetter) {
    report::Report report = make_report({0.5, 0.2});
    report.metrics[0].info.higher_is_better = false;
    EXPECT_TRUE(has(answer_words({}, report), "Best accuracy: b"));
}

TEST(Words, MissingFiguresAreNeverTheBest) {
    report::Report report = make_report({0.5, 0.8});
    report.variants[1].metrics[0].value = std::nan("");
    EXPECT_TRUE(has(answer_words({}, report), "Best accuracy: a"));
    report.variants[0].metrics[0].value = std::nan("");
    EXPECT_EQ(answer_words({}, report), "accuracy: n/a.");
}

TEST(Words, ManyOpenComparisonsAreCounted) {
    report::Report report = make_report({0.9, 0.8, 0.8, 0.8, 0.8, 0.8});
    for (std::size_t i = 1; i < 6; ++i) {
        add(report, i, 0, Verdict::no_difference_shown);
    }
    EXPECT_TRUE(has(answer_words({}, report), "no difference shown to b, c, d, 2 more."))
        << answer_words({}, report);
}

/// A claim about accuracy against the baseline a.
domain::ExperimentSpec claim(const std::string& direction = "greater") {
    domain::ExperimentSpec spec;
    spec.hypothesis =
        domain::Hypothesis{.metric = "accuracy", .baseline = "a", .direction = direction};
    return spec;
}

TEST(Words, ADeclaredClaimIsAnsweredInOneLine) {
    report::Report report = make_report({0.5, 0.8, 0.6, 0.4});
    add(report, 1, 0, Verdict::better);
    report.comparisons[0].comparison.difference = 0.3;
    EXPECT_EQ(
        answer_words(claim(), report),
        "Declared before the run: accuracy greater than with a: shown (1 of 1 comparison)."
    );
    add(report, 2, 0, Verdict::no_difference_shown);
    report.comparisons[1].comparison.difference = 0.1;
    add(report, 3, 0, Verdict::worse);
    report.comparisons[2].comparison.difference = -0.1;
    add(report, 3, 1, Verdict::worse);
    EXPECT_EQ(
        answer_words(claim(), report),
        "Declared before the run: accuracy greater than with a: shown in part (1 of 3 comparisons; "
        "the opposite in 1)."
    ) << "the pair without the baseline is not what was declared";
    EXPECT_EQ(
        answer_words(claim("different"), report),
        "Declared before the run: accuracy different from a: shown in part (2 of 3 comparisons)."
    );
    report.comparisons[2].comparison.verdict = Verdict::undetermined;
    EXPECT_EQ(
        answer_words(claim("less"), report),
        "Declared before the run: accuracy less than with a: not shown (0 of 3 comparisons; the "
        "opposite in 1; n/a in 1)."
    );
}

TEST(Words, AClaimIsAboutTheNumberAndNotAboutWhatIsGood) {
    report::Report report = make_report({0.5, 0.8});
    report.metrics[0].info.higher_is_better = false;
    add(report, 1, 0, Verdict::worse);
    report.comparisons[0].comparison.difference = 0.3;
    EXPECT_TRUE(has(answer_words(claim(), report), ": shown (1 of 1"));
    // The same pair the other way round.
    report.comparisons[0].a = 0;
    report.comparisons[0].b = 1;
    report.comparisons[0].comparison.difference = -0.3;
    EXPECT_TRUE(has(answer_words(claim(), report), ": shown (1 of 1"));
}

TEST(Words, NobodyDeclaredAComparisonOfRuns) {
    report::Report report = make_report({0.5, 0.8});
    report.runs.emplace_back();
    add(report, 1, 0, Verdict::better);
    EXPECT_TRUE(answer_words(claim(), report).starts_with("Best accuracy: b"));
    EXPECT_EQ(hypothesis_words(claim(), report), "");
    EXPECT_TRUE(has(join(method_words(claim(), report), "\n"), "nobody declared the pairs"));
}

TEST(Words, WithNothingComparedTheClaimHasNoAnswer) {
    EXPECT_TRUE(answer_words(claim(), make_report({0.5})).starts_with("Best accuracy: a"));
}

TEST(Words, CorrectedPValuesStandBesideIntervalsThatAreNot) {
    report::Report report = make_report({0.5, 0.8});
    add(report, 1, 0, Verdict::no_difference_shown);
    std::string all = join(method_words({}, report), "\n");
    EXPECT_TRUE(has(all, "Intervals are not corrected: each is at 95 % by itself")) << all;
    EXPECT_FALSE(has(all, "\"<=\""));
    report.comparisons[0].comparison.p_at_floor = true;
    report.comparisons[0].comparison.correction = "uncorrected";
    all = join(method_words({}, report), "\n");
    EXPECT_FALSE(has(all, "corrected by")) << all;
    EXPECT_TRUE(has(all, "The p-values of the 3 comparisons stand uncorrected")) << all;
    EXPECT_TRUE(has(all, "written with \"<=\"")) << all;
}

TEST(Words, WhatMissingOutputsCouldChangeIsAWarning) {
    report::Report report = make_report({0.5, 0.8, 0.7, 0.6, 0.5, 0.4});
    for (std::size_t i = 1; i < 6; ++i) {
        add(report, i, 0, Verdict::better);
    }
    EXPECT_TRUE(output_warnings(report).empty());
    report.comparisons[1].comparison.missing_note = "40 samples failed";
    EXPECT_EQ(
        output_warnings(report),
        std::vector<std::string>{"c against a (accuracy): 40 samples failed."}
    );
    for (report::ComparisonRow& row : report.comparisons) {
        row.comparison.missing_note = "1 sample failed";
    }
    ASSERT_EQ(output_warnings(report).size(), 4U);
    EXPECT_TRUE(has(output_warnings(report)[3], "the verdict of 2 more comparisons"));
    report.comparisons[0].primary = false;
    EXPECT_EQ(output_warnings(report)[0].substr(0, 1), "c") << "exploratory ones are not warned of";
}

TEST(Words, RefusedAndEstimatedOutputsAreWarnings) {
    report::Report report = make_report({0.5});
    report::VariantSummary& v = report.variants[0];
    v.done = v.counted = 20;
    v.refused = 3;
    EXPECT_EQ(
        output_warnings(report),
        std::vector<std::string>{
            "a: 3 of 20 outputs were refused or filtered; they are scored like any other."
        }
    );
    v.refused = 0;
    v.estimated = 20;
    ASSERT_EQ(output_warnings(report).size(), 1U);
    EXPECT_TRUE(has(output_warnings(report)[0], "for all 20 answers"))
        << output_warnings(report)[0];
    v.estimated = 7;
    EXPECT_TRUE(has(output_warnings(report)[0], "for 7 of 20 answers"));
    v.replayed = 20;
    EXPECT_TRUE(output_warnings(report).empty()) << "a recording costs nothing";
}

TEST(Words, TheMethodSaysTheDesignTheFamilyAndTheRepetitions) {
    report::Report report = make_report({0.5, 0.8, 0.6});
    add(report, 1, 0, Verdict::better);
    domain::ExperimentSpec spec;
    spec.run.repetitions = 4;
    std::string all;
    for (const std::string& paragraph : method_words(spec, report)) {
        all += paragraph + "\n";
    }
    const science::DesignRow& row = science::row_of(science::Design::proportion);
    EXPECT_TRUE(has(all, std::string(row.when) + ": interval " + std::string(row.interval))) << all;
    EXPECT_TRUE(has(all, "corrected by Holm over 3 comparisons")) << all;
    EXPECT_TRUE(has(all, "answered 4 times by each variant")) << all;
    EXPECT_TRUE(has(all, "An output without a parsable answer is wrong")) << all;
    report.comparisons[0].comparison.family_size = 1;
    for (const std::string& paragraph : method_words({}, report)) {
        EXPECT_FALSE(has(paragraph, "corrected by")) << "one comparison needs no correction";
        EXPECT_FALSE(has(paragraph, "times by each variant"));
    }
}

}  // namespace
}  // namespace lab::service
