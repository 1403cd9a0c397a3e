#include "domain/spec.h"
#include "science/stats/analysis.h"
#include "science/stats/distributions.h"
#include "science/stats/impl/replicates.h"
#include "science/stats/mcnemar.h"
#include "science/stats/t_tests.h"

#include <algorithm>
#include <cmath>

/// What the samples without an output could do to a comparison: Manski's worst case, every one of
/// them on one side. Samples that were not run at all are not counted: the order of a run is drawn,
/// so that they tell nothing.
namespace lab::science {
namespace {

int lost_of(const MetricSample& sample, std::size_t item) {
    return sample.lost.empty() ? 0 : sample.lost[item];
}

/// The item's value if each of its failed repetitions had scored `score`; NaN when it has none.
double filled(const MetricSample& sample, std::size_t item, double score) {
    const double value = sample.values[item];
    const int lost = lost_of(sample, item);
    if (lost == 0) {
        return value;
    }
    const int answered = std::isnan(value)         ? 0
                         : sample.answered.empty() ? 1
                                                   : sample.answered[item];
    const double sum = answered > 0 ? value * answered : 0;
    return (sum + lost * score) / (answered + lost);
}

/// The items that both sides have when failed samples are filled in.
struct Filled {
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> d;
    std::vector<int> clusters;
};

Filled fill(const MetricSample& a, const MetricSample& b, double score_a, double score_b) {
    Filled out;
    double largest = 0;
    for (std::size_t item = 0; item < a.values.size(); ++item) {
        const double of_a = filled(a, item, score_a);
        const double of_b = filled(b, item, score_b);
        if (std::isnan(of_a) || std::isnan(of_b)) {
            continue;
        }
        out.a.push_back(of_a);
        out.b.push_back(of_b);
        out.d.push_back(of_a - of_b);
        largest = std::max({largest, std::abs(of_a), std::abs(of_b)});
        if (!a.clusters.empty()) {
            out.clusters.push_back(a.clusters[item]);
        }
    }
    for (double& d : out.d) {
        d = std::abs(d) <= largest * impl::kNoise ? 0 : d;
    }
    return out;
}

/// p of the test that decides for this design. Where nothing varies it is that of equal signs,
/// 2^(1-n), as the sign flips have it.
double deciding_p(const Comparison& c, const Filled& pairs, const AnalysisOptions& options) {
    if (c.design == Design::proportion && impl::is_zero_or_one(pairs.a) &&
        impl::is_zero_or_one(pairs.b)) {
        std::int64_t only_a = 0;
        std::int64_t only_b = 0;
        for (const double d : pairs.d) {
            only_a += d > 0 ? 1 : 0;
            only_b += d < 0 ? 1 : 0;
        }
        const McNemar table = mcnemar(only_a, only_b);
        return options.mcnemar == domain::McNemarKind::exact ? table.p_exact : table.p_mid;
    }
    double units = static_cast<double>(pairs.d.size());
    double p = kNaN;
    if (c.design == Design::clustered_mean) {
        const ClusteredSe robust = clustered_se(pairs.d, pairs.clusters);
        units = static_cast<double>(robust.clusters);
        p = robust.cr1 > 0 ? t_two_sided(robust.mean / robust.cr1, units - 1) : kNaN;
    } else {
        p = paired_t(pairs.d, options.confidence).p_two_sided;
    }
    if (std::isnan(p) && units >= 2) {
        return pairs.d.front() == 0 ? 1 : std::exp2(1 - units);
    }
    return p;
}

MissingBound bound(const Comparison& c, const Filled& pairs, const AnalysisOptions& options) {
    MissingBound out;
    out.difference = mean(pairs.d);
    out.p = deciding_p(c, pairs, options);
    return out;
}

bool is_shown(Verdict verdict) { return verdict == Verdict::better || verdict == Verdict::worse; }

void judge_bound(
    MissingBound& bound,
    const Comparison& c,
    std::vector<double> p,
    std::size_t i,
    const AnalysisOptions& options
) {
    p[i] = bound.p;
    bound.p_adjusted = impl::corrected(p, options.correction)[i];
    bound.verdict = Verdict::no_difference_shown;
    if (bound.p_adjusted <= options.alpha && bound.difference != 0) {
        bound.verdict =
            (bound.difference > 0) == c.higher_is_better ? Verdict::better : Verdict::worse;
    }
}

/// The bound that takes the verdict away, the nearer one of two; nullptr when none does.
const MissingBound* changing(const Comparison& c) {
    if (is_shown(c.verdict)) {
        const MissingBound& other = c.difference > 0 ? c.lowest : c.highest;
        return other.verdict != c.verdict ? &other : nullptr;
    }
    if (c.verdict == Verdict::undetermined) {
        return nullptr;
    }
    const MissingBound* out = nullptr;
    for (const MissingBound* one : {&c.lowest, &c.highest}) {
        if (is_shown(one->verdict) && (out == nullptr || one->p_adjusted < out->p_adjusted)) {
            out = one;
        }
    }
    return out;
}

}  // namespace

void impl::bound_missing(
    Comparison& c, const MetricSample& a, const MetricSample& b, const AnalysisOptions& options
) {
    for (std::size_t item = 0; item < a.values.size(); ++item) {
        c.lost += lost_of(a, item) + lost_of(b, item);
    }
    const bool of_items = c.design == Design::proportion || c.design == Design::mean ||
                          c.design == Design::clustered_mean;
    if (c.lost == 0 || !of_items || !std::isfinite(a.minimum) || !std::isfinite(a.maximum)) {
        return;
    }
    c.lowest = bound(c, fill(a, b, a.minimum, a.maximum), options);
    c.highest = bound(c, fill(a, b, a.maximum, a.minimum), options);
}

void impl::judge_missing(
    std::span<Comparison> family,
    std::size_t i,
    const std::vector<double>& p,
    const AnalysisOptions& options
) {
    Comparison& c = family[i];
    if (!c.missing_note.empty()) {
        std::erase(c.notes, c.missing_note);
        c.missing_note.clear();
    }
    if (std::isnan(c.lowest.difference)) {
        return;
    }
    judge_bound(c.lowest, c, p, i, options);
    judge_bound(c.highest, c, p, i, options);
    if (const MissingBound* other = changing(c)) {
        c.missing_note = missing_sentence(c, *other);
        c.notes.push_back(c.missing_note);
    }
}

}  // namespace lab::science
