#include "report/format.h"
#include "report/impl/display.h"
#include "report/impl/plot_frame.h"
#include "report/plots.h"
#include "report/svg.h"
#include "science/stats/words.h"

#include <algorithm>
#include <cmath>

namespace lab::report {
namespace {
struct Strip {
    std::string label;
    std::string value;
    const Histogram* histogram = nullptr;
    std::vector<double> marks;
};

void draw_histogram(
    Svg& svg, const Frame& frame, std::size_t row, const Scale& scale, const Histogram& histogram
) {
    const std::int64_t most = *std::ranges::max_element(histogram.counts);
    if (most <= 0) {
        return;
    }
    const double base = frame.top + frame.row_height * static_cast<double>(row + 1) - 3;
    const double room = frame.narrow ? frame.row_height - 22 : frame.row_height - 8;
    const auto bins = static_cast<double>(histogram.counts.size());
    const double step = (histogram.hi - histogram.lo) / bins;
    if (!(step > 0)) {
        svg.line(scale(histogram.lo), base, scale(histogram.lo), base - room, "spike");
        return;
    }
    std::vector<Svg::Point> outline{{scale(histogram.lo), base}};
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
        const double left = histogram.lo + step * static_cast<double>(i);
        if (left > scale.hi()) {
            break;
        }
        const double share = static_cast<double>(histogram.counts[i]) / static_cast<double>(most);
        outline.push_back({scale(left), base - room * share});
        outline.push_back({scale(left + step), base - room * share});
    }
    outline.push_back({outline.back().x, base});
    svg.path(outline, true, "area");
}

std::string strip_plot(
    const std::vector<Strip>& strips,
    Range range,
    double factor,
    const std::string& title,
    const std::string& what,
    double width
) {
    std::vector<std::string> labels;
    std::vector<std::string> values;
    std::vector<std::string> words;
    for (const Strip& strip : strips) {
        labels.push_back(strip.label);
        values.push_back(strip.value);
        words.push_back(strip.label + " " + strip.value);
    }
    if (strips.empty() || range.empty()) {
        return "";
    }
    if (!(range.hi > range.lo)) {
        range.widen(0.5);
    }
    Frame frame = make_frame(width, labels, values);
    frame.row_height = frame.narrow ? 62 : 44;
    const Scale scale(range.lo, range.hi, frame.track_left, frame.track_right);
    Svg svg(width, frame.height(), spoken(what, words), "plot");
    draw_axis(svg, frame, scale, factor, title);
    for (std::size_t row = 0; row < strips.size(); ++row) {
        svg.begin_group(words[row]);
        if (frame.narrow) {
            const double y = frame.top + frame.row_height * static_cast<double>(row) + 13;
            svg.text(0, y, Anchor::start, "lbl", abbreviate(labels[row], frame.label_columns()));
            svg.text(frame.width, y, Anchor::end, "val", values[row]);
        } else {
            draw_row_texts(svg, frame, row, labels[row], values[row]);
        }
        draw_histogram(svg, frame, row, scale, *strips[row].histogram);
        const double bottom = frame.top + frame.row_height * static_cast<double>(row + 1) - 3;
        for (const double mark : strips[row].marks) {
            if (scale.covers(mark)) {
                svg.line(scale(mark), bottom, scale(mark), bottom - frame.row_height * 0.6, "med");
            }
        }
        svg.end_group();
    }
    return svg.finish();
}
}  // namespace

std::string latency_plot(const Report& report, double width) {
    if (!has_latency(report)) {
        return "";
    }
    std::vector<Strip> strips;
    Range range;
    range.add(0);
    bool cut = false;
    for (const VariantSummary& variant : report.variants) {
        const LatencySummary& latency = variant.latency;
        if (latency.n == 0 || variant.latency_histogram.counts.empty()) {
            continue;
        }
        const double usual = std::isfinite(latency.p99) ? latency.p99 * 1.15 : latency.max;
        cut = cut || usual < latency.max;
        range.add(std::min(usual, latency.max));
        strips.push_back(
            {.label = variant.id,
             .value = format_duration(latency.p50) + " / " + format_duration(latency.p95),
             .histogram = &variant.latency_histogram,
             .marks = {latency.p50, latency.p95}}
        );
    }
    const bool milliseconds = range.hi < 1;
    const std::string title = std::string("latency, ") + (milliseconds ? "ms" : "s") +
                              (cut ? " (the slowest are beyond the edge)" : "");
    return strip_plot(
        strips, range, milliseconds ? 1000 : 1, title, "Latency, median / 95th percentile", width
    );
}

std::string score_plot(const Report& report, std::size_t metric, double width) {
    const science::MetricInfo& info = report.metrics[metric].info;
    if (info.kind == science::MetricKind::binary) {
        return "";
    }
    std::vector<Strip> strips;
    Range range;
    for (const VariantSummary& variant : report.variants) {
        if (metric >= variant.score_histograms.size() ||
            variant.score_histograms[metric].counts.empty()) {
            continue;
        }
        const Histogram& histogram = variant.score_histograms[metric];
        range.add(histogram.lo);
        range.add(histogram.hi);
        const science::Estimate& e = variant.metrics[metric];
        Strip strip{.label = variant.id, .value = "", .histogram = &histogram};
        if (std::isfinite(e.median)) {
            strip.value = "median " + format_figure(info, e.median);
            strip.marks = {e.median};
        } else {
            strip.value =
                format_figure(info, histogram.lo) + " to " + format_figure(info, histogram.hi);
        }
        strips.push_back(std::move(strip));
    }
    const std::string title = info.kind == science::MetricKind::corpus
                                  ? info.name + " of single items"
                                  : axis_title(info);
    const double factor = science::wording_for(info).scale;
    return strip_plot(strips, range, factor, title, "Item scores: " + info.name, width);
}

}  // namespace lab::report
