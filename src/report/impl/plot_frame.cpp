#include "report/impl/plot_frame.h"

#include "report/format.h"
#include "report/impl/display.h"

#include <fmt/format.h>

#include <algorithm>

namespace lab::report {

namespace {
std::size_t columns_in(double room) { return static_cast<std::size_t>(room / (13 * 0.61)); }
}  // namespace

std::size_t Frame::label_columns() const {
    return columns_in(narrow ? width * 0.52 : track_left - 16);
}

Frame make_frame(
    double width, const std::vector<std::string>& labels, const std::vector<std::string>& values
) {
    Frame out;
    out.narrow = width < kNarrowBelow;
    out.width = width;
    out.rows = labels.size();
    out.row_height = out.narrow ? 48 : 34;
    double label = 0;
    double value = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        label = std::max(label, text_width(labels[i]));
        value = std::max(value, text_width(values[i]));
    }
    out.track_left = out.narrow ? 12 : std::min(label + 20, width * 0.38);
    out.track_right = out.narrow ? width - 12 : width - std::min(value + 16, width * 0.36);
    return out;
}

void draw_row_texts(
    Svg& svg,
    const Frame& frame,
    std::size_t row,
    const std::string& label,
    const std::string& value
) {
    std::size_t columns = frame.label_columns();
    if (frame.narrow) {
        // What the value leaves of the line, and a gap.
        const double room = std::max(frame.width - text_width(value) - 12, 0.0);
        columns = std::clamp(columns, std::size_t{4}, std::max(columns_in(room), std::size_t{4}));
    }
    const std::string shown = abbreviate(label, columns);
    if (frame.narrow) {
        const double y = frame.y(row) - 18;
        svg.text(0, y, Anchor::start, "lbl", shown);
        svg.text(frame.width, y, Anchor::end, "val", value);
    } else {
        svg.text(frame.track_left - 14, frame.y(row) + 4.5, Anchor::end, "lbl", shown);
        svg.text(frame.track_right + 14, frame.y(row) + 4.5, Anchor::start, "val", value);
    }
}

void draw_axis(
    Svg& svg, const Frame& frame, const Scale& scale, double factor, const std::string& title
) {
    const Ticks ticks =
        linear_ticks(scale.lo() * factor, scale.hi() * factor, frame.narrow ? 4 : 7);
    for (const double tick : ticks.at) {
        const double x = scale(tick / factor);
        svg.line(x, frame.top, x, frame.bottom(), "grid");
        const std::string text = fmt::format("{:.{}f}", tick, ticks.decimals);
        svg.text(x, frame.bottom() + 16, Anchor::middle, "tick", text);
    }
    svg.line(frame.track_left, frame.bottom(), frame.track_right, frame.bottom(), "axis");
    svg.text(
        (frame.track_left + frame.track_right) / 2,
        frame.bottom() + 36,
        Anchor::middle,
        "ttl",
        title
    );
}

std::string axis_title(const science::MetricInfo& metric) {
    const std::string unit = unit_of(metric);
    return metric.name + (unit.empty() || unit == "points" ? "" : ", " + unit) +
           (metric.higher_is_better ? "" : " (lower is better)");
}

std::string spoken(const std::string& what, const std::vector<std::string>& parts) {
    std::string out = what;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out += (i == 0 ? ": " : "; ") + parts[i];
    }
    return out;
}

void draw_reference(
    Svg& svg, const Frame& frame, const Scale& scale, double value, std::string_view css_class
) {
    const double x = scale(value);
    if (!frame.narrow) {
        svg.line(x, frame.top, x, frame.bottom(), css_class);
        return;
    }
    for (std::size_t row = 0; row < frame.rows; ++row) {
        svg.line(x, frame.y(row) - 12, x, frame.y(row) + 12, css_class);
    }
}

void draw_interval(Svg& svg, const Scale& scale, double y, const science::Interval& interval) {
    if (std::isnan(interval.lo) || std::isnan(interval.hi)) {
        return;
    }
    svg.line(scale(interval.lo), y, scale(interval.hi), y, "whisker");
    for (const double edge : {interval.lo, interval.hi}) {
        if (scale.covers(edge)) {
            svg.line(scale(edge), y - 4.5, scale(edge), y + 4.5, "whisker");
        }
    }
}

}  // namespace lab::report
