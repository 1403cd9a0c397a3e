#pragma once
#include <string>
#include <string_view>
#include <vector>

/// The little of SVG that our plots need. Looks come from classes of the page's style sheet: there
/// are no style attributes, no scripts and nothing is loaded.
namespace lab::report {

enum class Anchor : unsigned char { start, middle, end };

class Svg {
  public:
    /// `label` says in words what the picture shows, for those who do not see it.
    Svg(double width, double height, std::string_view label, std::string_view css_class);

    void text(double x, double y, Anchor anchor, std::string_view css_class, std::string_view text);
    void line(double x1, double y1, double x2, double y2, std::string_view css_class);
    void circle(double x, double y, double r, std::string_view css_class);
    void rect(double x, double y, double width, double height, std::string_view css_class);
    /// Straight lines through the points; closed ones are areas.
    struct Point {
        double x;
        double y;
    };
    void path(const std::vector<Point>& points, bool closed, std::string_view css_class);
    /// What the pointer is told over the next shapes, until end_group().
    void begin_group(std::string_view title);
    void end_group();
    std::string finish();

  private:
    void attribute(std::string_view name, double value);
    std::string out_;
};

/// Round numbers that cover a range, at most about `count` of them.
struct Ticks {
    std::vector<double> at;
    int decimals = 0;
};
Ticks linear_ticks(double lo, double hi, int count);
/// 1, 2, 5 of every decade, thinned out to about `count`; 0 < lo < hi.
std::vector<double> log_ticks(double lo, double hi, int count);

/// Maps values to places on the page, linear or logarithmic.
class Scale {
  public:
    Scale(double lo, double hi, double from, double to, bool logarithmic = false);
    double operator()(double value) const;
    bool covers(double value) const { return value >= lo_ && value <= hi_; }
    double lo() const { return lo_; }
    double hi() const { return hi_; }

  private:
    double lo_;
    double hi_;
    double from_;
    double to_;
    bool log_;
};

/// Width of a text in a system font of 13 px, near enough to leave room for it.
double text_width(std::string_view text, double font_px = 13);

}  // namespace lab::report
