#include "science/stats/analysis.h"

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

Values zeros_and_ones(int ones, int zeros) {
    Values values(static_cast<std::size_t>(ones), 1.0);
    values.insert(values.end(), static_cast<std::size_t>(zeros), 0.0);
    return values;
}

bool has_note(const std::vector<std::string>& notes, std::string_view part) {
    return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
        return note.find(part) != std::string::npos;
    });
}

TEST(Estimate, ABinaryMetricGetsWilson) {
    const Values values = zeros_and_ones(60, 40);
    const Estimate got = estimate(sample_of(MetricKind::binary, values), {});
    EXPECT_EQ(got.design, Design::proportion);
    EXPECT_EQ(got.method, "Wilson 95 %");
    EXPECT_EQ(got.interval, wilson(60, 100, 0.95));
    EXPECT_EQ(got.successes, 60);
    EXPECT_EQ(got.value, 0.6);
    EXPECT_NEAR(got.se, std::sqrt(0.6 * 0.4 / 99), 1e-15);
    EXPECT_TRUE(got.notes.empty());
    EXPECT_TRUE(got.bootstrap_method.empty());
}

TEST(Estimate, BelowThirtyItemsABinaryMetricGetsClopperPearson) {
    const Values values = zeros_and_ones(29, 0);
    const Estimate got = estimate(sample_of(MetricKind::binary, values), {});
    EXPECT_EQ(got.method, "Clopper-Pearson 95 %");
    EXPECT_EQ(got.interval, clopper_pearson(29, 29, 0.95));
    EXPECT_LT(got.interval.lo, 0.9);
    EXPECT_TRUE(has_note(got.notes, "not certainty"));
    const Values thirty = zeros_and_ones(29, 1);
    EXPECT_EQ(estimate(sample_of(MetricKind::binary, thirty), {}).method, "Wilson 95 %");
}

TEST(Estimate, ABinaryMetricOverRepetitionsIsABoundedMean) {
    Values values(40, 1.0);
    values[3] = 0.5;
    MetricSample sample = sample_of(MetricKind::binary, values);
    sample.repetitions = 2;
    const Estimate got = estimate(sample, {});
    EXPECT_EQ(got.design, Design::mean);
    EXPECT_EQ(got.method, "t 95 %, 39 df");
    EXPECT_EQ(got.interval.hi, 1) << "clipped to what is possible";
    EXPECT_FALSE(got.successes.has_value());
    EXPECT_TRUE(has_note(got.notes, "repetitions"));
}

TEST(Estimate, RepetitionsShowWhereTheSpreadComesFrom) {
    const std::vector<double> values = {0.5, 1, 0, 0.5};
    const std::vector<double> inside = {0.5, 0, 0, 0.5};
    const std::vector<int> answered = {2, 2, 2, 2};
    MetricSample sample;
    sample.kind = MetricKind::binary;
    sample.repetitions = 2;
    sample.values = values;
    EXPECT_TRUE(std::isnan(estimate(sample, {}).parts.inside)) << "nothing was repeated";
    sample.inside = inside;
    sample.answered = answered;
    const Estimate got = estimate(sample, {});
    EXPECT_DOUBLE_EQ(got.parts.inside, 0.25);
    EXPECT_DOUBLE_EQ(got.parts.items, got.sd * got.sd - 0.125);
}

TEST(Estimate, AContinuousMetricGetsTAndMissingValuesAreCounted) {
    Values values;
    for (int i = 0; i < 300; ++i) {
        values.push_back(i % 10 == 0 ? kNaN : (i % 7) / 7.0);
    }
    const Estimate got = estimate(sample_of(MetricKind::continuous, values), {});
    EXPECT_EQ(got.n, 270);
    EXPECT_EQ(got.missing, 30);
    EXPECT_EQ(got.method, "t 95 %, 269 df");
    const Values present = present_values(values);
    EXPECT_EQ(got.value, mean(present));
    EXPECT_EQ(got.median, median(present));
    EXPECT_EQ(got.interval, t_interval(mean(present), standard_error(present), 269, 0.95));
    EXPECT_TRUE(got.bootstrap_method.empty()) << "neither small nor skewed";
}

TEST(Estimate, SmallOrSkewedSamplesShowABootstrapBesideT) {
    Values small;
    for (int i = 0; i < 50; ++i) {
        small.push_back(std::sin(i));
    }
    AnalysisOptions options;
    options.seed = 7;
    options.bootstrap_replicates = 2000;
    const Estimate got = estimate(sample_of(MetricKind::continuous, small), options);
    EXPECT_EQ(got.bootstrap_method, "BCa bootstrap 95 %, B=2000, mt19937_64 seed 7");
    EXPECT_NEAR(got.bootstrap.lo, got.interval.lo, 0.05);
    EXPECT_NEAR(got.bootstrap.hi, got.interval.hi, 0.05);
    EXPECT_EQ(got.method, "t 95 %, 49 df");

    Values skewed(300, 0.0);
    skewed[0] = 100;
    skewed[1] = 90;
    const Estimate long_tail = estimate(sample_of(MetricKind::continuous, skewed), options);
    EXPECT_TRUE(long_tail.bootstrap_method.starts_with("BCa"));
    EXPECT_GE(long_tail.bootstrap.lo, 0) << "unlike the t interval, it knows that scores are >= 0";
    EXPECT_LT(long_tail.interval.lo, 0);
}

TEST(Estimate, ClusteredItemsGetTheRobustStandardError) {
    Values values;
    std::vector<int> clusters;
    for (int i = 0; i < 80; ++i) {
        clusters.push_back(i / 10);
        values.push_back(i / 10 < 4 ? 1 : (i % 5 == 0 ? 1 : 0));
    }
    MetricSample sample = sample_of(MetricKind::binary, values);
    sample.clusters = clusters;
    const Estimate got = estimate(sample, {});
    const ClusteredSe robust = clustered_se(values, clusters);
    EXPECT_EQ(got.design, Design::clustered_mean);
    EXPECT_EQ(got.method, "cluster-robust CR1 95 %, t with 7 df, 8 clusters");
    EXPECT_EQ(got.se, robust.cr1);
    EXPECT_GT(got.se, 2 * robust.clt);
    EXPECT_EQ(got.clusters, 8);
    EXPECT_EQ(got.successes, std::count(values.begin(), values.end(), 1.0));
    EXPECT_TRUE(has_note(got.notes, "fewer than 30 clusters"));
}

TEST(Estimate, OneClusterHasNoInterval) {
    const Values values{0, 1, 1, 0};
    const std::vector<int> clusters(4, 3);
    MetricSample sample = sample_of(MetricKind::continuous, values);
    sample.clusters = clusters;
    const Estimate got = estimate(sample, {});
    EXPECT_EQ(got.value, 0.5);
    EXPECT_TRUE(std::isnan(got.se));
    EXPECT_TRUE(std::isnan(got.interval.lo));
    EXPECT_TRUE(has_note(got.notes, "one cluster"));
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

Corpus make_corpus(int items) {
    Corpus out;
    for (int i = 0; i < items; ++i) {
        const double length = 5 + i % 11;
        const double matches = std::floor(length * (0.3 + 0.4 * std::abs(std::sin(i))));
        out.stats.insert(out.stats.end(), {matches, length});
        out.values.push_back(100 * matches / length);
    }
    return out;
}

TEST(Estimate, ACorpusMetricComesFromSumsAndTheBootstrap) {
    const Corpus corpus = make_corpus(120);
    AnalysisOptions options;
    options.bootstrap_replicates = 1000;
    options.seed = 11;
    const Estimate got = estimate(corpus.sample(), options);
    double matches = 0;
    double length = 0;
    for (std::size_t i = 0; i < corpus.stats.size(); i += 2) {
        matches += corpus.stats[i];
        length += corpus.stats[i + 1];
    }
    EXPECT_EQ(got.design, Design::corpus);
    EXPECT_EQ(got.value, 100 * matches / length);
    EXPECT_NE(got.value, mean(corpus.values)) << "not the mean of the sentences";
    EXPECT_EQ(got.method, "BCa bootstrap 95 %, B=1000, mt19937_64 seed 11");
    EXPECT_LT(got.interval.lo, got.value);
    EXPECT_GT(got.interval.hi, got.value);
    EXPECT_NEAR(got.interval.hi - got.interval.lo, 2 * 1.96 * got.se, 0.2 * got.se);
    EXPECT_EQ(estimate(corpus.sample(), options).interval, got.interval);
}

TEST(Estimate, AClusteredCorpusMetricResamplesClusters) {
    const Corpus corpus = make_corpus(120);
    std::vector<int> clusters;
    for (int i = 0; i < 120; ++i) {
        clusters.push_back(i / 3);
    }
    MetricSample sample = corpus.sample();
    sample.clusters = clusters;
    AnalysisOptions options;
    options.bootstrap_replicates = 500;
    const Estimate got = estimate(sample, options);
    EXPECT_EQ(got.design, Design::clustered_corpus);
    EXPECT_EQ(got.clusters, 40);
    EXPECT_EQ(got.method, "BCa bootstrap 95 % of 40 clusters, B=500, mt19937_64 seed 0");

    const std::vector<int> one(120, 0);
    sample.clusters = one;
    const Estimate single = estimate(sample, options);
    EXPECT_EQ(single.value, got.value);
    EXPECT_TRUE(std::isnan(single.interval.lo));
    EXPECT_TRUE(std::isnan(single.se));
}

TEST(Estimate, AVeryLargeCorpusIsResampledInBlocks) {
    const Corpus corpus = make_corpus(30'000);
    AnalysisOptions options;
    options.bootstrap_replicates = 60;
    const Estimate got = estimate(corpus.sample(), options);
    EXPECT_NE(got.method.find("of 20000 blocks of items"), std::string::npos) << got.method;
    // The delta method for a ratio of sums, item by item.
    double expected = 0;
    for (std::size_t i = 0; i < corpus.stats.size(); i += 2) {
        expected += std::pow(corpus.stats[i] - got.value / 100 * corpus.stats[i + 1], 2);
    }
    double length = 0;
    for (std::size_t i = 1; i < corpus.stats.size(); i += 2) {
        length += corpus.stats[i];
    }
    EXPECT_NEAR(got.se, 100 * std::sqrt(expected) / length, 0.35 * got.se);
}

TEST(Estimate, NothingIsNotAvailableAndNeverZero) {
    for (const MetricKind kind : {MetricKind::binary, MetricKind::continuous, MetricKind::corpus}) {
        for (const Values& values : {Values{}, Values{kNaN, kNaN}}) {
            MetricSample sample = sample_of(kind, values);
            const Values stats(values.size(), 1.0);
            sample.stats = stats;
            sample.stats_size = 1;
            sample.aggregate = [](std::span<const double> sums) { return sums[0]; };
            const Estimate got = estimate(sample, {});
            EXPECT_EQ(got.n, 0);
            EXPECT_EQ(got.missing, static_cast<std::int64_t>(values.size()));
            EXPECT_TRUE(std::isnan(got.value));
            EXPECT_TRUE(std::isnan(got.se));
            EXPECT_TRUE(std::isnan(got.interval.lo));
            EXPECT_EQ(got.method, "n/a");
            EXPECT_TRUE(has_note(got.notes, "no item"));
        }
    }
}

TEST(Estimate, OneItemHasNoSpread) {
    const Values one{0.4};
    const Estimate got = estimate(sample_of(MetricKind::continuous, one), {});
    EXPECT_EQ(got.value, 0.4);
    EXPECT_TRUE(std::isnan(got.se));
    EXPECT_TRUE(std::isnan(got.interval.hi));
    EXPECT_TRUE(has_note(got.notes, "one item"));
    const Values yes{1};
    const Estimate binary = estimate(sample_of(MetricKind::binary, yes), {});
    EXPECT_NEAR(binary.interval.lo, 0.025, 1e-15) << "one success is still information";
    EXPECT_EQ(binary.interval.hi, 1);
}

TEST(Estimate, EqualValuesAreNotCertainty) {
    const Values equal(50, 0.1);
    const Estimate got = estimate(sample_of(MetricKind::continuous, equal), {});
    EXPECT_EQ(got.se, 0);
    EXPECT_EQ(got.interval, (Interval{got.value, got.value}));
    EXPECT_TRUE(has_note(got.notes, "which is not certainty"));
}

}  // namespace
}  // namespace lab::science
