#include "service/words.h"

#include "base/text.h"
#include "science/stats/words.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::service {
namespace {

const report::ComparisonRow* find_row(
    const report::Report& report, std::size_t metric, std::size_t a, std::size_t b
) {
    for (const report::ComparisonRow& row : report.comparisons) {
        if (row.metric == metric && row.a == a && row.b == b) {
            return &row;
        }
    }
    return nullptr;
}

/// Index of the variant with the best figure of a metric; nullopt when all are n/a.
std::optional<std::size_t> best_of(const report::Report& report, std::size_t metric) {
    std::optional<std::size_t> best;
    const bool higher = report.metrics[metric].info.higher_is_better;
    for (std::size_t i = 0; i < report.variants.size(); ++i) {
        const double value = report.variants[i].metrics[metric].value;
        if (std::isnan(value)) {
            continue;
        }
        const bool first = !best;
        if (first || (higher ? value > report.variants[*best].metrics[metric].value
                             : value < report.variants[*best].metrics[metric].value)) {
            best = i;
        }
    }
    return best;
}

std::string figure_words(const report::Report& report, std::size_t metric, std::size_t variant) {
    const science::MetricInfo& info = report.metrics[metric].info;
    const science::Estimate& e = report.variants[variant].metrics[metric];
    const science::Wording wording = science::wording_for(info);
    const std::string unit = info.kind == science::MetricKind::binary ? " %" : "";
    std::string out = science::format_amount(e.value, wording) + unit;
    if (!std::isnan(e.interval.lo)) {
        out += " (" + science::format_amount(e.interval.lo, wording) + " to " +
               science::format_amount(e.interval.hi, wording) + ")";
    }
    return out;
}

/// Against every other variant: "better than all 3 others", or what is open.
std::string standing(const report::Report& report, std::size_t metric, std::size_t best) {
    std::size_t compared = 0;
    std::vector<std::string> open;
    std::string last;
    for (std::size_t i = 0; i < report.variants.size(); ++i) {
        if (i == best) {
            continue;
        }
        const report::ComparisonRow* row = find_row(report, metric, best, i);
        const bool turned = row == nullptr;
        if (turned) {
            row = find_row(report, metric, i, best);
        }
        if (row == nullptr) {
            continue;
        }
        ++compared;
        last = report.variants[i].id;
        const science::Verdict wanted = turned ? science::Verdict::worse : science::Verdict::better;
        if (row->comparison.verdict != wanted) {
            open.push_back(report.variants[i].id);
        }
    }
    if (compared == 0) {
        return "";
    }
    if (open.empty()) {
        return compared == 1 ? "; better than " + last
                             : "; better than each of the " + std::to_string(compared) +
                                   " it was compared with";
    }
    if (open.size() > 3) {
        const std::size_t more = open.size() - 3;
        open.resize(3);
        open.push_back(std::to_string(more) + " more");
    }
    return "; no difference shown to " + join(open, ", ");
}

/// The best of each primary metric, and how it stands to the others.
std::string best_words(const report::Report& report) {
    std::vector<std::string> parts;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        if (!report.metrics[m].primary) {
            continue;
        }
        const std::optional<std::size_t> best = best_of(report, m);
        if (!best) {
            parts.push_back(report.metrics[m].info.name + ": n/a");
            continue;
        }
        parts.push_back(
            "Best " + report.metrics[m].info.name + ": " + report.variants[*best].id + ", " +
            figure_words(report, m, *best) + standing(report, m, *best)
        );
    }
    return parts.empty() ? "" : join(parts, ". ") + ".";
}

/// How the comparisons that a claim is about came out.
struct ClaimCount {
    int all = 0;
    int shown = 0;
    int opposite = 0;
    int unanswered = 0;
};

ClaimCount count_claim(
    const domain::Hypothesis& claim, const std::string& baseline, const report::Report& report
) {
    ClaimCount out;
    for (const report::ComparisonRow& row : report.comparisons) {
        const bool turned = report.variants[row.a].id == baseline;
        if (report.metrics[row.metric].info.name != claim.metric ||
            (!turned && report.variants[row.b].id != baseline)) {
            continue;
        }
        ++out.all;
        const science::Verdict verdict = row.comparison.verdict;
        if (verdict == science::Verdict::undetermined) {
            ++out.unanswered;
        } else if (verdict == science::Verdict::better || verdict == science::Verdict::worse) {
            const bool higher = (row.comparison.difference > 0) != turned;
            const bool as_claimed =
                claim.direction == "different" || higher == (claim.direction != "less");
            ++(as_claimed ? out.shown : out.opposite);
        }
    }
    return out;
}

/// The claim of the experiment; nullptr when none was declared, or several runs are compared.
const domain::Hypothesis* declared_claim(
    const domain::ExperimentSpec& spec, const report::Report& report
) {
    return spec.hypothesis && report.runs.size() == 1 ? &*spec.hypothesis : nullptr;
}

/// The one line that answers the declared claim; empty when nothing was compared.
std::string claim_words(
    const domain::ExperimentSpec& spec,
    const domain::Hypothesis& claim,
    const report::Report& report
) {
    const std::string baseline = claim.baseline.empty() ? baseline_of(spec) : claim.baseline;
    const ClaimCount count = count_claim(claim, baseline, report);
    if (count.all == 0) {
        return "";
    }
    std::string out = "Declared before the run: " + claim.metric;
    out += claim.direction == "less"        ? " less than with "
           : claim.direction == "different" ? " different from "
                                            : " greater than with ";
    out += baseline + ": ";
    out += count.shown == 0 ? "not shown" : count.shown == count.all ? "shown" : "shown in part";
    out += " (" + std::to_string(count.shown) + " of " + std::to_string(count.all) +
           (count.all == 1 ? " comparison" : " comparisons");
    if (count.opposite > 0) {
        out += "; the opposite in " + std::to_string(count.opposite);
    }
    if (count.unanswered > 0) {
        out += "; n/a in " + std::to_string(count.unanswered);
    }
    return out + ").";
}

}  // namespace

std::string baseline_of(const domain::ExperimentSpec& spec) {
    if (!spec.analysis.baseline.empty()) {
        return spec.analysis.baseline;
    }
    if (spec.hypothesis && !spec.hypothesis->baseline.empty()) {
        return spec.hypothesis->baseline;
    }
    return spec.variants.empty() ? "" : spec.variants[0].id;
}

std::string hypothesis_words(const domain::ExperimentSpec& spec, const report::Report& report) {
    const domain::Hypothesis* const claim = declared_claim(spec, report);
    if (claim == nullptr) {
        return "";
    }
    std::string out = best_words(report);
    out += std::string(out.empty() ? "" : " ") + "The claim was declared with alpha " +
           format_double(claim->alpha);
    if (claim->minimum_effect) {
        out += "; the smallest difference that matters is " + format_double(*claim->minimum_effect);
    }
    return out + ".";
}

std::string answer_words(const domain::ExperimentSpec& spec, const report::Report& report) {
    if (const domain::Hypothesis* const declared = declared_claim(spec, report)) {
        if (std::string claim = claim_words(spec, *declared, report); !claim.empty()) {
            return claim;
        }
    }
    return best_words(report);
}

namespace {

/// How p-values and intervals of several comparisons are to be read.
void add_family_words(std::vector<std::string>& out, const report::Report& report) {
    int family = 0;
    std::string correction;
    bool at_floor = false;
    for (const report::ComparisonRow& row : report.comparisons) {
        at_floor = at_floor || row.comparison.p_at_floor;
        if (row.primary) {
            family = row.comparison.family_size;
            correction = row.comparison.correction;
        }
    }
    if (family > 1 && correction == "uncorrected") {
        out.push_back(
            "The p-values of the " + std::to_string(family) +
            " comparisons stand uncorrected, as the experiment asks for."
        );
    } else if (family > 1) {
        out.push_back(
            "p-values are corrected by " + correction + " over " + std::to_string(family) +
            " comparisons: the pairs compared times the primary metrics. Other metrics are "
            "exploratory and stand uncorrected. Intervals are not corrected: each is at " +
            science::format_percent(report.confidence) +
            " by itself, so that it may leave out 0 where no difference is shown."
        );
    }
    if (at_floor) {
        out.push_back(
            "A p-value from random draws cannot be below 1 / (draws + 1): where it reaches that, "
            "it is written with \"<=\"."
        );
    }
}

}  // namespace

std::vector<std::string> method_words(
    const domain::ExperimentSpec& spec, const report::Report& report
) {
    std::vector<std::string> out;
    std::set<science::Design> designs;
    for (const report::VariantSummary& variant : report.variants) {
        for (const science::Estimate& e : variant.metrics) {
            designs.insert(e.design);
        }
    }
    for (const science::Design design : designs) {
        const science::DesignRow& row = science::row_of(design);
        std::string text = std::string(row.when) + ": interval " + std::string(row.interval) +
                           "; test " + std::string(row.test);
        text += row.beside.empty() ? "." : "; beside it " + std::string(row.beside) + ".";
        out.push_back(std::move(text));
    }
    add_family_words(out, report);
    if (report.runs.size() > 1) {
        out.push_back(
            "These runs are compared after they were made: nobody declared the pairs of their "
            "variants before."
        );
    }
    if (spec.run.repetitions > 1) {
        out.push_back(
            "Each item was answered " + std::to_string(spec.run.repetitions) +
            " times by each variant; repetitions are averaged inside the item first, so that n "
            "counts items. How much single answers to one item vary is shown apart from how much "
            "items do."
        );
    }
    out.push_back(
        "An output without a parsable answer is wrong, and its share is shown. A sample without an "
        "output is missing: it is counted apart and left out. Where those that failed could change "
        "a verdict, it is said, by counting all of them as wrong or as right."
    );
    return out;
}

namespace {

void add_missing_warnings(std::vector<std::string>& out, const report::Report& report) {
    constexpr std::size_t kNamedMax = 3;
    std::size_t found = 0;
    for (const report::ComparisonRow& row : report.comparisons) {
        if (!row.primary || row.comparison.missing_note.empty() || ++found > kNamedMax) {
            continue;
        }
        out.push_back(
            report.variants[row.a].id + " against " + report.variants[row.b].id + " (" +
            report.metrics[row.metric].info.name + "): " + row.comparison.missing_note + "."
        );
    }
    if (found > kNamedMax) {
        out.push_back(
            "Missing outputs could change the verdict of " + std::to_string(found - kNamedMax) +
            " more comparisons: see their notes."
        );
    }
}

std::string of_all(std::int64_t part, std::int64_t all, const std::string& what) {
    return (part == all ? "all " : std::to_string(part) + " of ") + std::to_string(all) + what;
}

}  // namespace

std::vector<std::string> output_warnings(const report::Report& report) {
    std::vector<std::string> out;
    add_missing_warnings(out, report);
    for (const report::VariantSummary& v : report.variants) {
        if (v.done > 0 && v.unparsed * 10 > v.done) {
            out.push_back(
                v.id + ": no answer could be found in " + std::to_string(v.unparsed) + " of " +
                std::to_string(v.done) + " outputs; they count as wrong."
            );
        }
        if (v.refused > 0) {
            out.push_back(
                v.id + ": " + of_all(v.refused, v.done, " outputs") +
                " were refused or filtered; they are scored like any other."
            );
        }
        if (v.truncated > 0) {
            out.push_back(
                v.id + ": " + std::to_string(v.truncated) +
                " outputs were cut off at the token limit."
            );
        }
        // Recorded outputs were not billed here, whatever their tokens.
        if (v.estimated > 0 && v.replayed < v.done) {
            out.push_back(
                v.id + ": the server counted no tokens, or not in a way that can be, for " +
                of_all(v.estimated, v.counted, " answers") +
                ": they are estimated from the text, and so is what they cost."
            );
        }
    }
    return out;
}

}  // namespace lab::service
