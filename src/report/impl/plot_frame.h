#pragma once
#include "report/model.h"
#include "report/svg.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

/// What the plots have in common: rows with a label, a track over one axis, and a value.
namespace lab::report {

/// Below this width labels stand above what they name.
inline constexpr double kNarrowBelow = 520;

/// Smallest and largest of what is finite.
struct Range {
    double lo = std::numeric_limits<double>::infinity();
    double hi = -std::numeric_limits<double>::infinity();
    void add(double x) {
        if (std::isfinite(x)) {
            lo = std::min(lo, x);
            hi = std::max(hi, x);
        }
    }
    bool empty() const { return !(lo <= hi); }
    void widen(double share) {
        const double size = hi > lo ? hi - lo : std::max(std::abs(hi), 1.0) * 0.1;
        lo -= size * share;
        hi += size * share;
    }
};

struct Frame {
    bool narrow = false;
    double width = 0;
    double track_left = 0;
    double track_right = 0;
    double row_height = 0;
    double top = 8;
    std::size_t rows = 0;

    double bottom() const { return top + row_height * static_cast<double>(rows); }
    double height() const { return bottom() + 44; }
    /// Where the dot of a row is.
    double y(std::size_t row) const {
        return top + row_height * (static_cast<double>(row) + (narrow ? 0.72 : 0.5));
    }
    /// Columns of text that fit beside the track.
    std::size_t label_columns() const;
};
Frame make_frame(
    double width, const std::vector<std::string>& labels, const std::vector<std::string>& values
);

void draw_row_texts(
    Svg& svg,
    const Frame& frame,
    std::size_t row,
    const std::string& label,
    const std::string& value
);
/// Ticks are printed as value * factor.
void draw_axis(
    Svg& svg, const Frame& frame, const Scale& scale, double factor, const std::string& title
);
/// A vertical line through the tracks at a value; it leaves out the texts of narrow rows.
void draw_reference(
    Svg& svg, const Frame& frame, const Scale& scale, double value, std::string_view css_class
);
/// A line with caps at the ends that are inside the scale.
void draw_interval(Svg& svg, const Scale& scale, double y, const science::Interval& interval);
std::string axis_title(const science::MetricInfo& metric);
/// "what: part; part".
std::string spoken(const std::string& what, const std::vector<std::string>& parts);

}  // namespace lab::report
