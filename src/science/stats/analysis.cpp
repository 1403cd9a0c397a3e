#include "science/stats/analysis.h"

#include "base/error.h"
#include "domain/spec.h"
#include "science/stats/corrections.h"
#include "science/stats/impl/replicates.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>

namespace lab::science {
namespace {
// analysis.h only declares the enumerations, and takes their first value as the default.
static_assert(domain::CorrectionMethod{} == domain::CorrectionMethod::holm);
static_assert(domain::McNemarKind{} == domain::McNemarKind::midp);

constexpr std::array<DesignRow, 6> kTable{{
    {Design::proportion,
     "binary metric, one answer per item",
     "Wilson; Clopper-Pearson below 30 items",
     "McNemar, mid-p (or exact)",
     "the other McNemar p, paired t and its interval of the difference"},
    {Design::mean,
     "continuous metric, or a binary one averaged over repetitions",
     "t with n-1 df; BCa bootstrap beside it below 200 items or when skewed",
     "paired t; sign-flip permutation when the differences do not vary",
     "Wilcoxon signed rank with zeros dropped, sign-flip permutation"},
    {Design::corpus,
     "corpus metric: the figure belongs to the whole set",
     "BCa bootstrap over items; percentile where BCa does not exist",
     "paired bootstrap over items, the same draws for both",
     "z with the bootstrap's standard error"},
    {Design::clustered_mean,
     "items come in clusters, binary or continuous metric",
     "cluster-robust CR1, t with G-1 df",
     "t with the cluster-robust standard error of the difference, G-1 df",
     "sign-flip permutation of whole clusters; McNemar, which ignores clusters"},
    {Design::clustered_corpus,
     "items come in clusters, corpus metric",
     "BCa bootstrap over clusters; percentile where BCa does not exist",
     "paired bootstrap over clusters, the same draws for both",
     "z with the bootstrap's standard error"},
    {Design::different_items,
     "the two sides have different items",
     "as above for each side",
     "Welch t",
     "Mann-Whitney U"},
}};

std::string_view correction_name(domain::CorrectionMethod method) {
    switch (method) {
        case domain::CorrectionMethod::holm:
            return "Holm";
        case domain::CorrectionMethod::bh:
            return "Benjamini-Hochberg";
        case domain::CorrectionMethod::none:
            break;
    }
    return "uncorrected";
}

Verdict judge(const Comparison& c, double alpha) {
    if (std::isnan(c.p_adjusted)) {
        return Verdict::undetermined;
    }
    if (c.p_adjusted <= alpha && c.difference != 0) {
        return (c.difference > 0) == c.higher_is_better ? Verdict::better : Verdict::worse;
    }
    return c.equivalence_p_adjusted <= alpha ? Verdict::equivalent : Verdict::no_difference_shown;
}

/// A bootstrap p cannot go below 1/(B+1); a large family may ask for less than that.
void note_resolution(Comparison& c, const AnalysisOptions& options) {
    const bool bootstrapped = c.design == Design::corpus || c.design == Design::clustered_corpus;
    const double smallest = 1.0 / (options.bootstrap_replicates + 1);
    if (bootstrapped && options.correction == domain::CorrectionMethod::holm &&
        smallest * c.family_size > options.alpha) {
        c.notes.push_back(fmt::format(
            "{} replicates cannot show a difference in a family of {}: use more",
            options.bootstrap_replicates,
            c.family_size
        ));
    }
}
}  // namespace

std::span<const DesignRow> analysis_table() { return kTable; }

const DesignRow& row_of(Design design) {
    for (const DesignRow& row : kTable) {
        if (row.design == design) {
            return row;
        }
    }
    LAB_ASSERT(false, "every design has a row in the analysis table");
    return kTable.front();
}

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::better:
            return "better";
        case Verdict::worse:
            return "worse";
        case Verdict::equivalent:
            return "equivalent";
        case Verdict::no_difference_shown:
            return "no_difference_shown";
        case Verdict::undetermined:
            break;
    }
    return "undetermined";
}

std::vector<double> impl::corrected(std::span<const double> p, domain::CorrectionMethod method) {
    switch (method) {
        case domain::CorrectionMethod::holm:
            return holm(p);
        case domain::CorrectionMethod::bh:
            return benjamini_hochberg(p);
        case domain::CorrectionMethod::none:
            break;
    }
    return {p.begin(), p.end()};
}

void apply_family(std::span<Comparison> family, const AnalysisOptions& options) {
    std::vector<double> p;
    std::vector<double> equivalence;
    int size = 0;
    for (const Comparison& c : family) {
        p.push_back(c.p);
        equivalence.push_back(c.equivalence_p);
        size += std::isnan(c.p) ? 0 : 1;
    }
    const std::vector<double> adjusted = impl::corrected(p, options.correction);
    const std::vector<double> equivalence_adjusted =
        impl::corrected(equivalence, options.correction);
    const bool strict = options.correction == domain::CorrectionMethod::holm && size > 1;
    for (std::size_t i = 0; i < family.size(); ++i) {
        Comparison& c = family[i];
        c.alpha = options.alpha;
        c.family_size = size;
        c.correction = correction_name(options.correction);
        c.p_adjusted = adjusted[i];
        c.equivalence_p_adjusted = equivalence_adjusted[i];
        impl::set_detectable(c, strict ? options.alpha / size : options.alpha);
        c.verdict = judge(c, options.alpha);
        note_resolution(c, options);
        impl::judge_missing(family, i, p, options);
        c.sentence = verdict_sentence(c);
    }
}

void impl::judge_alone(Comparison& comparison, const AnalysisOptions& options) {
    apply_family(std::span(&comparison, 1), options);
}

namespace {
/// Variants that have values for the same items, and their common resampling.
struct Group {
    std::vector<std::size_t> variants;
    std::vector<impl::Replicates> replicates;  ///< parallel to variants
};

using Present = std::vector<std::vector<std::uint32_t>>;

/// Replicates of each variant that wants them; nullptr otherwise.
struct Shared {
    std::map<std::vector<std::uint32_t>, Group> groups;
    std::vector<const impl::Replicates*> of_variant;
};

Shared resample_together(
    std::span<const MetricSample> variants, const Present& present, const AnalysisOptions& options
) {
    Shared out;
    out.of_variant.resize(variants.size(), nullptr);
    for (std::size_t v = 0; v < variants.size(); ++v) {
        if (!present[v].empty() && impl::wants_bootstrap(variants[v], present[v])) {
            out.groups[present[v]].variants.push_back(v);
        }
    }
    for (auto& [items, group] : out.groups) {
        std::vector<const MetricSample*> samples;
        for (const std::size_t v : group.variants) {
            samples.push_back(&variants[v]);
        }
        group.replicates = impl::replicate(samples, items, options);
        for (std::size_t k = 0; k < group.variants.size(); ++k) {
            out.of_variant[group.variants[k]] = &group.replicates[k];
        }
    }
    return out;
}
}  // namespace

MetricAnalysis analyse(
    std::span<const MetricSample> variants,
    std::span<const VariantPair> pairs,
    const AnalysisOptions& options
) {
    Present present;
    for (const MetricSample& variant : variants) {
        present.push_back(impl::present_items(variant));
    }
    const Shared shared = resample_together(variants, present, options);
    MetricAnalysis out;
    for (std::size_t v = 0; v < variants.size(); ++v) {
        out.estimates.push_back(impl::estimate_with(variants[v], options, shared.of_variant[v]));
    }
    for (const VariantPair& pair : pairs) {
        const bool same_items = present[pair.a] == present[pair.b];
        const impl::ReplicatePair replicates =
            same_items ? impl::ReplicatePair{shared.of_variant[pair.a], shared.of_variant[pair.b]}
                       : impl::ReplicatePair{};
        out.comparisons.push_back(
            impl::compare_with(variants[pair.a], variants[pair.b], options, replicates)
        );
    }
    return out;
}

}  // namespace lab::science
