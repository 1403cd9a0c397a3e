#include "science/stats/analysis.h"

#include "base/rng.h"
#include "domain/spec.h"
#include "science/stats/corrections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace lab::science {
namespace {
using Values = std::vector<double>;

/// One metric of a few variants over the same items, with missing values.
struct World {
    std::vector<Values> values;
    std::vector<Values> stats;
    std::vector<int> clusters;
    std::vector<MetricSample> samples;
};

double share(std::span<const double> sums) { return 100 * sums[0] / sums[1]; }

World make_world(MetricKind kind, bool clustered, std::uint64_t seed, int items, double missing) {
    Rng rng(seed);
    World out;
    const int variants = 3;
    out.values.resize(variants);
    out.stats.resize(variants);
    for (int i = 0; i < items; ++i) {
        out.clusters.push_back(static_cast<int>(rng.below(7)));
        const double difficulty = rng.uniform();
        for (std::size_t v = 0; v < variants; ++v) {
            const double quality = difficulty + 0.1 * static_cast<double>(v);
            double x = 0.7 * quality + 0.3 * rng.uniform();
            if (kind == MetricKind::binary) {
                x = rng.uniform() < quality ? 1 : 0;
            }
            const double length = 4 + static_cast<double>(rng.below(9));
            out.stats[v].insert(out.stats[v].end(), {std::floor(x * length), length});
            out.values[v].push_back(rng.uniform() < missing ? kNaN : x);
        }
    }
    for (std::size_t v = 0; v < variants; ++v) {
        MetricSample sample;
        sample.kind = kind;
        sample.values = out.values[v];
        if (clustered) {
            sample.clusters = out.clusters;
        }
        if (kind == MetricKind::corpus) {
            sample.stats = out.stats[v];
            sample.stats_size = 2;
            sample.aggregate = share;
        }
        out.samples.push_back(sample);
    }
    return out;
}

AnalysisOptions quick() {
    AnalysisOptions options;
    options.bootstrap_replicates = 200;
    options.seed = 3;
    options.minimum_effect = 0.05;
    return options;
}

void expect_mirrored(const Comparison& ab, const Comparison& ba) {
    const auto close = [](double x, double y) {
        return (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= 1e-12 * (1 + std::abs(x));
    };
    EXPECT_TRUE(close(ab.difference, -ba.difference));
    EXPECT_TRUE(close(ab.se, ba.se));
    EXPECT_TRUE(close(ab.interval.lo, -ba.interval.hi));
    EXPECT_TRUE(close(ab.interval.hi, -ba.interval.lo));
    EXPECT_TRUE(close(ab.p, ba.p)) << ab.p << " " << ba.p;
    EXPECT_TRUE(close(ab.equivalence_p, ba.equivalence_p));
    EXPECT_TRUE(close(ab.detectable, ba.detectable));
    EXPECT_EQ(ab.n, ba.n);
    EXPECT_EQ(ab.dropped, ba.dropped);
    EXPECT_EQ(ab.only_a, ba.only_b);
    ASSERT_EQ(ab.tests.size(), ba.tests.size());
    for (std::size_t i = 0; i < ab.tests.size(); ++i) {
        EXPECT_EQ(ab.tests[i].name, ba.tests[i].name);
        EXPECT_TRUE(close(ab.tests[i].p, ba.tests[i].p)) << ab.tests[i].name;
    }
    if (ab.verdict == Verdict::better || ab.verdict == Verdict::worse) {
        EXPECT_NE(ab.verdict, ba.verdict);
    } else {
        EXPECT_EQ(ab.verdict, ba.verdict);
    }
}

TEST(Analysis, SwappingTheSidesMirrorsEveryFigure) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        for (const MetricKind kind :
             {MetricKind::binary, MetricKind::continuous, MetricKind::corpus}) {
            for (const bool clustered : {false, true}) {
                const int items = static_cast<int>(2 + (seed * seed) % 90);
                const World world = make_world(kind, clustered, seed, items, 0.1);
                const auto& s = world.samples;
                SCOPED_TRACE(seed);
                expect_mirrored(compare(s[0], s[1], quick()), compare(s[1], s[0], quick()));
            }
        }
    }
}

bool same(double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); }

TEST(Analysis, SharingTheResamplingChangesNoBit) {
    for (const double missing : {0.0, 0.05}) {
        for (const MetricKind kind :
             {MetricKind::binary, MetricKind::continuous, MetricKind::corpus}) {
            for (const bool clustered : {false, true}) {
                const World world = make_world(kind, clustered, 17, 60, missing);
                const std::vector<VariantPair> pairs{{0, 1}, {0, 2}, {2, 1}};
                const MetricAnalysis all = analyse(world.samples, pairs, quick());
                ASSERT_EQ(all.estimates.size(), 3U);
                ASSERT_EQ(all.comparisons.size(), 3U);
                for (std::size_t v = 0; v < 3; ++v) {
                    const Estimate alone = estimate(world.samples[v], quick());
                    EXPECT_EQ(all.estimates[v].method, alone.method);
                    EXPECT_TRUE(same(all.estimates[v].value, alone.value));
                    EXPECT_TRUE(same(all.estimates[v].se, alone.se));
                    EXPECT_TRUE(same(all.estimates[v].interval.lo, alone.interval.lo));
                    EXPECT_TRUE(same(all.estimates[v].bootstrap.hi, alone.bootstrap.hi));
                }
                for (std::size_t k = 0; k < pairs.size(); ++k) {
                    const Comparison alone =
                        compare(world.samples[pairs[k].a], world.samples[pairs[k].b], quick());
                    EXPECT_EQ(all.comparisons[k].sentence, alone.sentence);
                    EXPECT_TRUE(same(all.comparisons[k].p, alone.p));
                    EXPECT_TRUE(same(all.comparisons[k].interval.lo, alone.interval.lo));
                }
            }
        }
    }
}

TEST(Analysis, TheOrderOfItemsDoesNotMatter) {
    for (const MetricKind kind : {MetricKind::binary, MetricKind::continuous}) {
        for (const bool clustered : {false, true}) {
            World world = make_world(kind, clustered, 5, 240, 0.05);
            const Estimate before = estimate(world.samples[0], quick());
            const Comparison pair_before = compare(world.samples[0], world.samples[1], quick());
            for (Values& values : world.values) {
                std::reverse(values.begin(), values.end());
            }
            std::reverse(world.clusters.begin(), world.clusters.end());
            const Estimate after = estimate(world.samples[0], quick());
            const Comparison pair_after = compare(world.samples[0], world.samples[1], quick());
            EXPECT_NEAR(before.value, after.value, 1e-15);
            EXPECT_NEAR(before.se, after.se, 1e-15);
            EXPECT_NEAR(pair_before.difference, pair_after.difference, 1e-15);
            EXPECT_NEAR(pair_before.p, pair_after.p, 1e-12);
        }
    }
}

TEST(Analysis, TheTableHasOneRowForEachDesign) {
    std::set<Design> seen;
    for (const DesignRow& row : analysis_table()) {
        EXPECT_TRUE(seen.insert(row.design).second);
        EXPECT_FALSE(row.when.empty());
        EXPECT_FALSE(row.interval.empty());
        EXPECT_FALSE(row.test.empty());
        EXPECT_EQ(&row_of(row.design), &row);
    }
    EXPECT_EQ(seen.size(), 6U);
}

std::vector<Comparison> family_of(const std::vector<double>& p) {
    std::vector<Comparison> family;
    for (const double one : p) {
        Comparison c;
        c.n = 100;
        c.p = one;
        c.difference = 0.1;
        c.planning_sd = 0.5;
        c.interval = {0.02, 0.18};
        c.reason = "no data";
        family.push_back(c);
    }
    return family;
}

TEST(Family, HolmIsTheDefaultAndCountsOnlyTestsThatHappened) {
    std::vector<Comparison> family = family_of({0.01, kNaN, 0.02, 0.3});
    apply_family(family, {});
    const Values adjusted = holm(Values{0.01, 0.02, 0.3});
    EXPECT_EQ(family[0].p_adjusted, adjusted[0]);
    EXPECT_TRUE(std::isnan(family[1].p_adjusted));
    EXPECT_EQ(family[2].p_adjusted, adjusted[1]);
    EXPECT_EQ(family[3].p_adjusted, adjusted[2]);
    for (const Comparison& c : family) {
        EXPECT_EQ(c.family_size, 3);
        EXPECT_EQ(c.correction, "Holm");
    }
    EXPECT_EQ(family[0].verdict, Verdict::better);
    EXPECT_EQ(family[1].verdict, Verdict::undetermined);
    EXPECT_EQ(family[1].sentence, "n/a: no data");
    EXPECT_EQ(family[2].verdict, Verdict::better);
    EXPECT_EQ(family[3].verdict, Verdict::no_difference_shown);
}

TEST(Family, OtherCorrectionsAreTakenAtTheirWord) {
    AnalysisOptions options;
    options.correction = domain::CorrectionMethod::bh;
    std::vector<Comparison> family = family_of({0.04, 0.01, 0.03});
    apply_family(family, options);
    EXPECT_EQ(family[0].correction, "Benjamini-Hochberg");
    EXPECT_EQ(family[1].p_adjusted, benjamini_hochberg(Values{0.04, 0.01, 0.03})[1]);
    options.correction = domain::CorrectionMethod::none;
    apply_family(family, options);
    EXPECT_EQ(family[0].p_adjusted, 0.04);
    EXPECT_EQ(family[0].correction, "uncorrected");
}

TEST(Family, TheDetectableDifferenceAnswersForTheCorrection) {
    std::vector<Comparison> family = family_of({0.2, 0.3, 0.4, 0.5});
    apply_family(family, {});
    EXPECT_EQ(family[0].detectable_alpha, 0.05 / 4);
    const double strict = family[0].detectable;
    const double strict_items = family[0].items_needed;
    AnalysisOptions options;
    options.correction = domain::CorrectionMethod::none;
    apply_family(family, options);
    EXPECT_EQ(family[0].detectable_alpha, 0.05);
    EXPECT_LT(family[0].detectable, strict);
    EXPECT_LT(family[0].items_needed, strict_items);
}

TEST(Family, EquivalenceIsCorrectedToo) {
    std::vector<Comparison> family = family_of({0.9, 0.8});
    for (Comparison& c : family) {
        c.minimum_effect = 0.3;
    }
    family[0].equivalence_p = 0.03;
    family[1].equivalence_p = 0.02;
    apply_family(family, {});
    EXPECT_NEAR(family[0].equivalence_p_adjusted, 0.04, 1e-15);
    EXPECT_EQ(family[0].verdict, Verdict::equivalent);
    family[1].equivalence_p = 0.04;
    apply_family(family, {});
    EXPECT_EQ(family[0].verdict, Verdict::no_difference_shown) << "2 * 0.03 > 0.05";
}

TEST(Family, TooFewReplicatesForTheFamilyAreSaid) {
    std::vector<Comparison> family = family_of(Values(36, 1.0 / 201));
    for (Comparison& c : family) {
        c.design = Design::corpus;
    }
    apply_family(family, quick());
    EXPECT_EQ(family[0].verdict, Verdict::no_difference_shown);
    ASSERT_FALSE(family[0].notes.empty());
    EXPECT_EQ(
        family[0].notes.back(),
        "200 replicates cannot show a difference in a family of 36: use more"
    );
}

}  // namespace
}  // namespace lab::science
