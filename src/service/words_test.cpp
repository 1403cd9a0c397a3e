#include "service/words.h"

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

TEST(Words, AHypothesisIsSaidAsItWasDeclared) {
    domain::ExperimentSpec spec;
    EXPECT_EQ(hypothesis_words(spec), "");
    spec.hypothesis = domain::Hypothesis{.metric = "accuracy", .baseline = "base", .alpha = 0.01};
    EXPECT_EQ(
        hypothesis_words(spec),
        "Declared before the run: accuracy is higher than with base (alpha 0.01)."
    );
    spec.hypothesis->direction = "less";
    spec.hypothesis->minimum_effect = 0.02;
    EXPECT_EQ(
        hypothesis_words(spec),
        "Declared before the run: accuracy is lower than with base (alpha 0.01, smallest "
        "difference that matters 0.02)."
    );
    spec.hypothesis->direction = "different";
    EXPECT_TRUE(has(hypothesis_words(spec), "accuracy is different from base"));
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

TEST(Words, ADeclaredHypothesisIsAnswered) {
    report::Report report = make_report({0.5, 0.8});
    add(report, 1, 0, Verdict::better);
    domain::ExperimentSpec spec;
    spec.hypothesis = domain::Hypothesis{.metric = "accuracy", .baseline = "a"};
    EXPECT_TRUE(has(answer_words(spec, report), "b against a: sentence 10"))
        << answer_words(spec, report);
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
