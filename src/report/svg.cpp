#include "report/svg.h"

#include "report/impl/display.h"
#include "report/impl/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lab::report {
namespace {
/// A tenth of a pixel is enough and keeps the page small.
std::string number(double value) {
    std::string out = fmt::format("{:.1f}", std::isfinite(value) ? value + 0.0 : 0.0);
    if (out.ends_with(".0")) {
        out.resize(out.size() - 2);
    }
    return out == "-0" ? "0" : out;
}

std::string_view anchor_name(Anchor anchor) {
    switch (anchor) {
        case Anchor::middle:
            return "middle";
        case Anchor::end:
            return "end";
        case Anchor::start:
            break;
    }
    return "start";
}
}  // namespace

Svg::Svg(double width, double height, std::string_view label, std::string_view css_class) {
    const std::string w = number(width);
    const std::string h = number(height);
    out_ = "<svg class=\"" + std::string(css_class) + "\" viewBox=\"0 0 " + w + " " + h +
           "\" width=\"" + w + "\" height=\"" + h + "\" role=\"img\" aria-label=\"" +
           markup(label) + "\">";
}

void Svg::attribute(std::string_view name, double value) {
    out_ += " ";
    out_ += name;
    out_ += "=\"" + number(value) + "\"";
}

void Svg::text(
    double x, double y, Anchor anchor, std::string_view css_class, std::string_view content
) {
    out_ += "<text";
    attribute("x", x);
    attribute("y", y);
    if (anchor != Anchor::start) {
        out_ += " text-anchor=\"" + std::string(anchor_name(anchor)) + "\"";
    }
    out_ += " class=\"" + std::string(css_class) + "\">" + markup(content) + "</text>";
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
    out_ += "<line";
    attribute("x1", x1);
    attribute("y1", y1);
    attribute("x2", x2);
    attribute("y2", y2);
    out_ += " class=\"" + std::string(css_class) + "\"/>";
}

void Svg::circle(double x, double y, double r, std::string_view css_class) {
    out_ += "<circle";
    attribute("cx", x);
    attribute("cy", y);
    attribute("r", r);
    out_ += " class=\"" + std::string(css_class) + "\"/>";
}

void Svg::rect(double x, double y, double width, double height, std::string_view css_class) {
    out_ += "<rect";
    attribute("x", x);
    attribute("y", y);
    attribute("width", std::max(0.0, width));
    attribute("height", std::max(0.0, height));
    out_ += " class=\"" + std::string(css_class) + "\"/>";
}

void Svg::path(const std::vector<Point>& points, bool closed, std::string_view css_class) {
    if (points.empty()) {
        return;
    }
    out_ += "<path d=\"";
    for (std::size_t i = 0; i < points.size(); ++i) {
        out_ += (i == 0 ? "M" : "L") + number(points[i].x) + " " + number(points[i].y);
    }
    out_ += closed ? "Z" : "";
    out_ += "\" class=\"" + std::string(css_class) + "\"/>";
}

void Svg::begin_group(std::string_view title) { out_ += "<g><title>" + markup(title) + "</title>"; }

void Svg::end_group() { out_ += "</g>"; }

std::string Svg::finish() { return std::move(out_) + "</svg>"; }

Ticks linear_ticks(double lo, double hi, int count) {
    Ticks out;
    if (!(hi > lo) || !std::isfinite(hi - lo) || count < 1) {
        return out;
    }
    const double raw = (hi - lo) / count;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw * 0.999) {
            step = factor * power;
            break;
        }
    }
    out.decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 12);
    const double first = std::ceil(lo / step - 1e-9);
    for (double i = first; i * step <= hi + step * 1e-9 && out.at.size() < 50; ++i) {
        out.at.push_back(i * step + 0.0);
    }
    return out;
}

std::vector<double> log_ticks(double lo, double hi, int count) {
    std::vector<double> out;
    if (!(lo > 0) || !(hi > lo)) {
        return out;
    }
    const double first = std::floor(std::log10(lo));
    const double last = std::ceil(std::log10(hi));
    const bool decades_only = last - first >= count;
    for (double decade = first; decade <= last; ++decade) {
        for (const double factor : {1.0, 2.0, 5.0}) {
            const double value = factor * std::pow(10.0, decade);
            if (value >= lo * 0.999 && value <= hi * 1.001 && (factor == 1 || !decades_only)) {
                out.push_back(value);
            }
        }
    }
    return out;
}

Scale::Scale(double lo, double hi, double from, double to, bool logarithmic)
    : lo_(lo), hi_(hi), from_(from), to_(to), log_(logarithmic) {}

double Scale::operator()(double value) const {
    const double clamped = std::clamp(value, lo_, hi_);
    const double share =
        log_ ? std::log(clamped / lo_) / std::log(hi_ / lo_) : (clamped - lo_) / (hi_ - lo_);
    return from_ + (std::isfinite(share) ? share : 0.5) * (to_ - from_);
}

double text_width(std::string_view text, double font_px) {
    // Lower-case letters of system fonts are a little more than half as wide as they are high.
    return static_cast<double>(display_width(text)) * font_px * 0.61;
}

}  // namespace lab::report
