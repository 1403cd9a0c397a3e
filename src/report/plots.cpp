#include "report/plots.h"

#include "report/format.h"
#include "report/impl/plot_frame.h"
#include "report/svg.h"
#include "science/stats/words.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace lab::report {
namespace {
/// Best first; n/a last.
std::vector<std::size_t> by_value(const Report& report, std::size_t metric) {
    std::vector<std::size_t> order(report.variants.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const bool higher = report.metrics[metric].info.higher_is_better;
    const auto rank = [&](std::size_t v) {
        const double value = report.variants[v].metrics[metric].value;
        const double badness = std::isnan(value) ? 0 : higher ? -value : value;
        return std::tuple(std::isnan(value), badness, v);
    };
    std::ranges::sort(order, {}, rank);
    return order;
}

}  // namespace

std::string interval_plot(const Report& report, std::size_t metric, double width) {
    const science::MetricInfo& info = report.metrics[metric].info;
    Range range;
    double base = std::numeric_limits<double>::quiet_NaN();
    std::vector<std::string> labels;
    std::vector<std::string> values;
    std::vector<std::string> words;
    const std::vector<std::size_t> order = by_value(report, metric);
    for (const std::size_t v : order) {
        const VariantSummary& variant = report.variants[v];
        const science::Estimate& e = variant.metrics[metric];
        range.add(e.value);
        range.add(e.interval.lo);
        range.add(e.interval.hi);
        base = variant.baseline ? e.value : base;
        labels.push_back(variant.id);
        values.push_back(format_figure(info, e.value) + " " + format_interval(info, e.interval));
        words.push_back(variant.id + " " + values.back());
    }
    if (range.empty()) {
        return "";
    }
    range.widen(0.06);
    range.lo = std::isfinite(info.minimum) ? std::max(range.lo, info.minimum) : range.lo;
    range.hi = std::isfinite(info.maximum) ? std::min(range.hi, info.maximum) : range.hi;
    if (!(range.hi > range.lo)) {
        range.widen(0.5);
    }
    const Frame frame = make_frame(width, labels, values);
    const Scale scale(range.lo, range.hi, frame.track_left, frame.track_right);
    Svg svg(width, frame.height(), spoken(info.name + " by variant", words), "plot");
    draw_axis(svg, frame, scale, science::wording_for(info).scale, axis_title(info));
    if (std::isfinite(base) && report.variants.size() > 1) {
        draw_reference(svg, frame, scale, base, "ref");
    }
    for (std::size_t row = 0; row < order.size(); ++row) {
        const VariantSummary& variant = report.variants[order[row]];
        const science::Estimate& e = variant.metrics[metric];
        const std::string counts = format_successes(e);
        const std::string n = counts.empty() ? "n = " + format_count(e.n) : counts;
        svg.begin_group(labels[row] + ": " + values[row] + ", " + n + ", " + e.method);
        draw_row_texts(svg, frame, row, labels[row], values[row]);
        draw_interval(svg, scale, frame.y(row), e.interval);
        if (std::isfinite(e.value)) {
            svg.circle(scale(e.value), frame.y(row), 5.5, variant.baseline ? "dot base" : "dot");
        }
        svg.end_group();
    }
    return svg.finish();
}

namespace {
std::string_view verdict_class(science::Verdict verdict) {
    switch (verdict) {
        case science::Verdict::better:
            return "better";
        case science::Verdict::worse:
            return "worse";
        case science::Verdict::equivalent:
            return "same";
        case science::Verdict::no_difference_shown:
        case science::Verdict::undetermined:
            break;
    }
    return "open";
}

/// A shape of its own for every verdict, so that colour is not needed.
void draw_verdict(Svg& svg, double x, double y, science::Verdict verdict) {
    const std::string css = "mark " + std::string(verdict_class(verdict));
    constexpr double r = 6.5;
    switch (verdict) {
        case science::Verdict::better:
            svg.path({{x - r, y + r * 0.8}, {x + r, y + r * 0.8}, {x, y - r}}, true, css);
            return;
        case science::Verdict::worse:
            svg.path({{x - r, y - r * 0.8}, {x + r, y - r * 0.8}, {x, y + r}}, true, css);
            return;
        case science::Verdict::equivalent:
            svg.rect(x - 5, y - 5, 10, 10, css);
            return;
        case science::Verdict::no_difference_shown:
        case science::Verdict::undetermined:
            svg.circle(x, y, 5.5, css);
            return;
    }
}
}  // namespace

std::string comparison_plot(
    const Report& report, const std::vector<const ComparisonRow*>& rows, double width
) {
    const bool any = std::ranges::any_of(rows, [](const ComparisonRow* row) {
        return std::isfinite(row->comparison.difference);
    });
    if (!any) {
        return "";
    }
    Range range;
    range.add(0);
    const bool one_baseline =
        std::ranges::all_of(rows, [&](const ComparisonRow* row) { return row->b == rows[0]->b; });
    const std::string& baseline = report.variants[rows[0]->b].id;
    std::vector<std::string> labels;
    std::vector<std::string> values;
    std::vector<std::string> words;
    double margin = 0;
    for (const ComparisonRow* row : rows) {
        const science::Comparison& c = row->comparison;
        range.add(c.difference);
        range.add(c.interval.lo);
        range.add(c.interval.hi);
        margin = c.minimum_effect ? *c.minimum_effect : margin;
        const std::string& a = report.variants[row->a].id;
        const std::string& b = report.variants[row->b].id;
        labels.push_back(one_baseline ? a : a + " − " + b);
        values.push_back(format_difference(c) + "  " + std::string(verdict_words(c.verdict)));
        words.push_back(a + " against " + b + " " + c.sentence);
    }
    range.widen(0.06);
    const Frame frame = make_frame(width, labels, values);
    const Scale scale(range.lo, range.hi, frame.track_left, frame.track_right);
    const science::Wording& wording = rows[0]->comparison.wording;
    const std::string metric = report.metrics[rows[0]->metric].info.name;
    Svg svg(width, frame.height(), spoken("Differences in " + metric, words), "plot");
    if (margin > 0) {
        const double left = scale(-margin);
        svg.rect(left, frame.top, scale(margin) - left, frame.bottom() - frame.top, "band");
    }
    std::string title = "difference in " + metric;
    title += one_baseline && !frame.narrow ? " to " + baseline : "";
    title += wording.unit.empty() ? "" : ", " + wording.unit;
    draw_axis(svg, frame, scale, wording.scale, title);
    draw_reference(svg, frame, scale, 0, "zero");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const science::Comparison& c = rows[i]->comparison;
        svg.begin_group(words[i]);
        draw_row_texts(svg, frame, i, labels[i], values[i]);
        draw_interval(svg, scale, frame.y(i), c.interval);
        if (std::isfinite(c.difference)) {
            draw_verdict(svg, scale(c.difference), frame.y(i), c.verdict);
        }
        svg.end_group();
    }
    return svg.finish();
}

}  // namespace lab::report
