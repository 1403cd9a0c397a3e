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

std::string hypothesis_answer(const domain::Hypothesis& hypothesis, const report::Report& report) {
    std::vector<std::string> parts;
    for (const report::ComparisonRow& row : report.comparisons) {
        if (report.metrics[row.metric].info.name == hypothesis.metric &&
            report.variants[row.b].baseline) {
            parts.push_back(
                report.variants[row.a].id + " against " + report.variants[row.b].id + ": " +
                row.comparison.sentence
            );
        }
        if (parts.size() == 3) {
            break;
        }
    }
    return join(parts, ". ");
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

std::string hypothesis_words(const domain::ExperimentSpec& spec) {
    if (!spec.hypothesis) {
        return "";
    }
    const domain::Hypothesis& h = *spec.hypothesis;
    std::string out = "Declared before the run: " + h.metric + " is ";
    out += h.direction == "less" ? "lower" : h.direction == "different" ? "different" : "higher";
    out += h.direction == "different" ? " from " : " than with ";
    out += baseline_of(spec) + " (alpha " + format_double(h.alpha);
    if (h.minimum_effect) {
        out += ", smallest difference that matters " + format_double(*h.minimum_effect);
    }
    return out + ").";
}

std::string answer_words(const domain::ExperimentSpec& spec, const report::Report& report) {
    if (spec.hypothesis && report.runs.size() == 1) {
        const std::string answer = hypothesis_answer(*spec.hypothesis, report);
        if (!answer.empty()) {
            return answer;
        }
    }
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
    int family = 0;
    std::string correction;
    for (const report::ComparisonRow& row : report.comparisons) {
        if (row.primary) {
            family = row.comparison.family_size;
            correction = row.comparison.correction;
        }
    }
    if (family > 1) {
        out.push_back(
            "p-values are corrected by " + correction + " over " + std::to_string(family) +
            " comparisons: the pairs compared times the primary metrics. Other metrics are "
            "exploratory and stand uncorrected."
        );
    }
    if (spec.run.repetitions > 1) {
        out.push_back(
            "Each item was answered " + std::to_string(spec.run.repetitions) +
            " times by each variant; repetitions are averaged inside the item first, so that n "
            "counts items."
        );
    }
    out.push_back(
        "An output without a parsable answer is wrong, and its share is shown. A sample without an "
        "output is missing: it is counted apart and left out."
    );
    return out;
}

}  // namespace lab::service
