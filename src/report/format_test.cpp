#include "report/format.h"

#include "report/impl/test_demo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lab::report {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Money dollars(const char* amount) { return Money::parse(amount).value(); }

TEST(Format, CountsHaveSeparators) {
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1319), "1,319");
    EXPECT_EQ(format_count(1000000), "1,000,000");
    EXPECT_EQ(format_count(-123456), "-123,456");
}

TEST(Format, SignificantFiguresKeepTheirZeros) {
    EXPECT_EQ(format_significant(0.41200), "0.412");
    EXPECT_EQ(format_significant(34.2), "34.2");
    EXPECT_EQ(format_significant(1319.4), "1,319");
    EXPECT_EQ(format_significant(-0.0999951), "-0.100");
    EXPECT_EQ(format_significant(1e-7), "1.00e-07");
    EXPECT_EQ(format_significant(0), "0");
    EXPECT_EQ(format_significant(kNaN), "n/a");
    EXPECT_EQ(format_significant(-std::numeric_limits<double>::infinity()), "-infinity");
}

TEST(Format, SharesAreNeverRoundedToNothingOrAll) {
    EXPECT_EQ(format_share(12, 1319), "12 (0.9 %)");
    EXPECT_EQ(format_share(0, 10), "0");
    EXPECT_EQ(format_share(1, 100000), "1 (< 0.1 %)");
    EXPECT_EQ(format_share(99999, 100000), "99,999 (99.9 %)");
    EXPECT_EQ(format_share(10, 10), "10 (100.0 %)");
    EXPECT_EQ(format_share(3, 0), "3");
}

TEST(Format, MoneyShowsSmallSumsAndUnknownOnes) {
    EXPECT_EQ(format_money(std::nullopt), "n/a");
    EXPECT_EQ(format_money(Money{}), "$0");
    EXPECT_EQ(format_money(dollars("12.4")), "$12.40");
    EXPECT_EQ(format_money(dollars("1234567.891")), "$1,234,567.89");
    EXPECT_EQ(format_money(dollars("0.5")), "$0.50");
    EXPECT_EQ(format_money(dollars("0.021828075")), "$0.0218");
    EXPECT_EQ(format_money(dollars("0.000000000001")), "$0.000000000001");
    EXPECT_EQ(format_money(dollars("-3")), "-$3.00");
}

TEST(Format, DurationsChooseTheirUnit) {
    EXPECT_EQ(format_duration(0.00041), "0.41 ms");
    EXPECT_EQ(format_duration(0.412), "412 ms");
    EXPECT_EQ(format_duration(0.99996), "1.00 s");
    EXPECT_EQ(format_duration(1.236), "1.24 s");
    EXPECT_EQ(format_duration(59.96), "1 min 00 s");
    EXPECT_EQ(format_duration(125), "2 min 05 s");
    EXPECT_EQ(format_duration(3725), "1 h 02 min");
    EXPECT_EQ(format_duration(0), "0 s");
    EXPECT_EQ(format_duration(kNaN), "n/a");
}

TEST(Format, PIsNeverZero) {
    for (const double p : {0.0, 1e-310, 1e-100, 1e-5}) {
        EXPECT_NE(format_p(p).find_first_of("123456789"), std::string::npos) << p;
    }
    EXPECT_EQ(format_p(kNaN), "n/a");
}

TEST(Format, FiguresFollowTheirMetric) {
    science::MetricInfo binary;
    binary.kind = science::MetricKind::binary;
    EXPECT_EQ(format_figure(binary, 0.5625473843821076), "56.3 %");
    EXPECT_EQ(format_figure(binary, kNaN), "n/a");
    EXPECT_EQ(format_interval(binary, {0.5356, 0.5891}), "[53.6, 58.9]");
    EXPECT_EQ(format_interval(binary, {kNaN, kNaN}), "");
    science::MetricInfo corpus;
    corpus.kind = science::MetricKind::corpus;
    corpus.maximum = 100;
    EXPECT_EQ(format_figure(corpus, 33.4461), "33.45");
    EXPECT_EQ(unit_of(corpus), "points");
    science::MetricInfo score;
    EXPECT_EQ(format_figure(score, 0.41234), "0.412");
}

TEST(Format, DifferencesCarryTheirSign) {
    science::Comparison c;
    c.wording = {100, "points", 1};
    c.difference = 0.2153;
    c.interval = {-0.0004, 0.2441};
    EXPECT_EQ(format_difference(c), "+21.5");
    EXPECT_EQ(format_difference_interval(c), "[-0.04, +24.4]");
    c.difference = 0;
    EXPECT_EQ(format_difference(c), "0.0");
}

TEST(Format, MetricsOfTheSameNameAreToldApart) {
    Report report;
    report.metrics.resize(3);
    for (MetricColumn& column : report.metrics) {
        column.info.name = "accuracy";
        column.scorer = "choice";
    }
    EXPECT_EQ(
        metric_keys(report),
        (std::vector<std::string>{"accuracy", "choice.accuracy", "choice.accuracy.2"})
    );
    EXPECT_EQ(scorers_of(report), std::vector<std::string>{"choice"});
}

TEST(Format, NotesAreSaidOnceWithWhatTheyAreAbout) {
    Report report;
    for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
        report.variants.push_back({.id = id});
    }
    std::vector<ComparisonRow> rows(5);
    std::vector<const ComparisonRow*> all;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].a = i + 1;
        rows[i].comparison.notes = {"all of us"};
        if (i > 0) {
            rows[i].comparison.notes.emplace_back("most of us");
        }
        all.push_back(&rows[i]);
    }
    rows[2].comparison.notes.emplace_back("me");
    const std::vector<NoteLine> lines = comparison_notes(report, all);
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0].about + ": " + lines[0].note, "all comparisons: all of us");
    EXPECT_EQ(lines[1].about + ": " + lines[1].note, "4 of 5 comparisons: most of us");
    EXPECT_EQ(lines[2].about + ": " + lines[2].note, "d against a: me");
    EXPECT_EQ(comparison_notes(report, {&rows[0]})[0].about, "b against a");
}

TEST(Format, EstimatesOfTokensAreCalledThat) {
    EXPECT_EQ(estimated_words(0, 10), "");
    EXPECT_EQ(estimated_words(3, 10), "partly estimated");
    EXPECT_EQ(estimated_words(10, 10), "all estimated");
    EXPECT_EQ(estimated_words(0, 0), "");
}

TEST(Format, TitleNamesEveryRun) {
    Report report = demo_empty().report;
    EXPECT_EQ(title_of(report), "empty #3");
    report.runs.push_back(report.runs[0]);
    report.runs[1].number = 4;
    EXPECT_EQ(title_of(report), "empty #3, #4");
    EXPECT_EQ(title_of(Report{}), "no run");
}

}  // namespace
}  // namespace lab::report
