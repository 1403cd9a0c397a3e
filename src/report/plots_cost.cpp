#include "report/format.h"
#include "report/impl/display.h"
#include "report/impl/plot_frame.h"
#include "report/plots.h"
#include "report/svg.h"
#include "science/stats/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

namespace lab::report {

double price_value(const VariantSummary& variant, Price price) {
    if (price == Price::money && variant.cost) {
        return static_cast<double>(variant.cost->pico()) * 1e-12;
    }
    // Tokens counted from the text of recorded outputs say nothing of what they cost.
    if (price == Price::tokens && variant.usage.total() > 0 && !variant.usage.estimated) {
        return static_cast<double>(variant.usage.total());
    }
    return std::numeric_limits<double>::quiet_NaN();
}

Price price_of(const Report& report) {
    for (const Price price : {Price::money, Price::tokens}) {
        std::size_t known = 0;
        bool some = false;
        for (const VariantSummary& variant : report.variants) {
            const double value = price_value(variant, price);
            known += std::isfinite(value) ? 1 : 0;
            some = some || value > 0;
        }
        if (known >= 2 && some) {
            return price;
        }
    }
    return Price::none;
}

std::vector<std::size_t> pareto_front(const Report& report, std::size_t metric, Price price) {
    const bool higher = report.metrics[metric].info.higher_is_better;
    const auto figure = [&](std::size_t v) {
        return report.variants[v].metrics[metric].value * (higher ? 1 : -1);
    };
    const auto cost = [&](std::size_t v) { return price_value(report.variants[v], price); };
    std::vector<std::size_t> out;
    for (std::size_t v = 0; v < report.variants.size(); ++v) {
        if (std::isfinite(figure(v)) && std::isfinite(cost(v))) {
            out.push_back(v);
        }
    }
    std::ranges::sort(out, {}, [&](std::size_t v) { return std::tuple(cost(v), -figure(v), v); });
    double best = -std::numeric_limits<double>::infinity();
    std::erase_if(out, [&](std::size_t v) {
        const bool beaten = figure(v) <= best;
        best = std::max(best, figure(v));
        return beaten;
    });
    return out;
}

namespace {
struct Box {
    double left;
    double top;
    double right;
    double bottom;
    bool meets(const Box& other) const {
        return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
};

/// A variant in the picture: its dot and the ends of its interval.
struct Mark {
    std::size_t variant;
    Svg::Point at;
    double top;
    double bottom;
};

double distance(const Box& box, Svg::Point point) {
    const double x = std::max({box.left - point.x, 0.0, point.x - box.right});
    const double y = std::max({box.top - point.y, 0.0, point.y - box.bottom});
    return std::hypot(x, y);
}

/// Whether a reader takes the label for that of `own`: no other dot is as near.
bool belongs_to(const Box& box, const Mark& own, const std::vector<Mark>& marks) {
    return std::ranges::all_of(marks, [&](const Mark& other) {
        return other.variant == own.variant || distance(box, other.at) > distance(box, own.at) + 4;
    });
}

/// A place for a label beside a dot where it covers nothing yet and belongs to no other; nullopt
/// when there is none.
std::optional<Box> place_label(
    const Mark& mark,
    double width,
    const Box& page,
    const std::vector<Mark>& marks,
    const std::vector<Box>& taken
) {
    constexpr double h = 15;
    const auto [x, y] = mark.at;
    const Box tries[] = {
        {x + 9, y + 5, x + 9 + width, y + 5 + h},
        {x - 9 - width, y - 5 - h, x - 9, y - 5},
        {x + 11, y - h / 2, x + 11 + width, y + h / 2},
        {x - 11 - width, y - h / 2, x - 11, y + h / 2},
        {x + 9, y - 5 - h, x + 9 + width, y - 5},
        {x - 9 - width, y + 5, x - 9, y + 5 + h},
    };
    for (const Box& box : tries) {
        const bool inside = box.left >= page.left && box.right <= page.right &&
                            box.top >= page.top && box.bottom <= page.bottom;
        const bool free =
            std::ranges::none_of(taken, [&](const Box& other) { return box.meets(other); });
        if (inside && free && belongs_to(box, mark, marks)) {
            return box;
        }
    }
    return std::nullopt;
}

struct Label {
    std::string text;
    Box box;
};

/// One label for each mark; empty when one finds no place. Numbers find one in any case.
std::vector<Label> place_labels(
    const Report& report,
    const std::vector<Mark>& marks,
    const Box& page,
    std::vector<Box> taken,
    bool numbers
) {
    std::vector<Label> out;
    for (const Mark& mark : marks) {
        std::string text = numbers ? std::to_string(mark.variant + 1)
                                   : abbreviate(report.variants[mark.variant].id, 30);
        const double width = text_width(text, 12.5);
        std::optional<Box> box = place_label(mark, width, page, marks, taken);
        if (!box && !numbers) {
            return {};
        }
        if (!box) {
            const double left = std::min(mark.at.x + 9, page.right - width);
            box = Box{left, mark.at.y + 5, left + width, mark.at.y + 20};
        }
        taken.push_back(*box);
        out.push_back({std::move(text), *box});
    }
    return out;
}

std::string price_text(Price price, double value) {
    if (price == Price::tokens) {
        return format_significant(value) + " tokens";
    }
    return format_money(Money::from_pico(static_cast<std::int64_t>(std::llround(value * 1e12))));
}

std::string price_tick(Price price, double value) {
    if (price == Price::money) {
        return "$" + format_significant(value, 1 + (value > 0 && std::log10(value) > 1 ? 1 : 0));
    }
    if (value >= 1e6) {
        return format_significant(value / 1e6, 2) + " M";
    }
    return value >= 1e3 ? format_significant(value / 1e3, 2) + " k" : format_significant(value, 2);
}

/// Axes of the scatter plot.
struct Scatter {
    bool logarithmic = false;
    Range x;
    Range y;
};

Scatter scatter_of(const Report& report, std::size_t metric, Price price) {
    Scatter out;
    double least = std::numeric_limits<double>::infinity();
    for (const VariantSummary& variant : report.variants) {
        const science::Estimate& e = variant.metrics[metric];
        const double cost = price_value(variant, price);
        if (std::isfinite(cost) && std::isfinite(e.value)) {
            out.x.add(cost);
            least = std::min(least, cost);
            out.y.add(e.value);
            out.y.add(e.interval.lo);
            out.y.add(e.interval.hi);
        }
    }
    if (out.x.empty()) {
        return out;
    }
    out.logarithmic = least > 0 && out.x.hi / least > 12;
    if (out.logarithmic) {
        out.x.lo = least / 1.6;
        out.x.hi *= 1.6;
    } else {
        out.x.lo = 0;
        out.x.hi *= 1.12;
    }
    out.y.widen(0.08);
    return out;
}

void draw_scatter_axes(
    Svg& svg,
    const Box& page,
    const Scale& x,
    const Scale& y,
    bool logarithmic,
    Price price,
    const science::MetricInfo& info
) {
    const double factor = science::wording_for(info).scale;
    const bool narrow = page.right < kNarrowBelow;
    const Ticks up = linear_ticks(y.lo() * factor, y.hi() * factor, 6);
    for (const double tick : up.at) {
        const double place = y(tick / factor);
        svg.line(page.left, place, page.right, place, "grid");
        const std::string text = fmt::format("{:.{}f}", tick, up.decimals);
        svg.text(page.left - 8, place + 4, Anchor::end, "tick", text);
    }
    const std::vector<double> along = logarithmic ? log_ticks(x.lo(), x.hi(), narrow ? 3 : 6)
                                                  : linear_ticks(x.lo(), x.hi(), narrow ? 3 : 6).at;
    for (const double tick : along) {
        svg.line(x(tick), page.top, x(tick), page.bottom, "grid");
        svg.text(x(tick), page.bottom + 18, Anchor::middle, "tick", price_tick(price, tick));
    }
    svg.line(page.left, page.bottom, page.right, page.bottom, "axis");
    std::string title = price == Price::money ? "cost of the run, US dollars" : "tokens";
    title += logarithmic ? " (logarithmic)" : "";
    svg.text((page.left + page.right) / 2, page.bottom + 38, Anchor::middle, "ttl", title);
    svg.text(0, 12, Anchor::start, "ttl", axis_title(info));
}

/// The Pareto front as stairs, drawn on to the right edge.
std::vector<Svg::Point> front_steps(
    const Report& report,
    std::size_t metric,
    Price price,
    const Scale& x,
    const Scale& y,
    double right
) {
    std::vector<Svg::Point> out;
    for (const std::size_t v : pareto_front(report, metric, price)) {
        const VariantSummary& variant = report.variants[v];
        const Svg::Point at{x(price_value(variant, price)), y(variant.metrics[metric].value)};
        if (!out.empty()) {
            out.push_back({at.x, out.back().y});
        }
        out.push_back(at);
    }
    if (!out.empty()) {
        out.push_back({right, out.back().y});
    }
    return out;
}

/// Where no label may stand: on the dots, the intervals and the stairs.
std::vector<Box> occupied(const std::vector<Mark>& marks, const std::vector<Svg::Point>& steps) {
    std::vector<Box> out;
    for (const Mark& mark : marks) {
        out.push_back({mark.at.x - 7, mark.at.y - 7, mark.at.x + 7, mark.at.y + 7});
        out.push_back({mark.at.x - 2, mark.top, mark.at.x + 2, mark.bottom});
    }
    for (std::size_t i = 1; i < steps.size(); ++i) {
        const auto [left, right] = std::minmax(steps[i - 1].x, steps[i].x);
        const auto [top, bottom] = std::minmax(steps[i - 1].y, steps[i].y);
        out.push_back({left, top - 1, right + 1, bottom + 1});
    }
    return out;
}

/// Everything of a picture that is placed before it is drawn.
struct Layout {
    Price price;
    Scatter range;
    double height;
    Box page;
    Scale x;
    Scale y;
    std::vector<Mark> marks;
    std::vector<Svg::Point> steps;
    bool numbered = false;
    std::vector<Label> labels;
};

std::vector<Mark> marks_of(const Report& report, std::size_t metric, const Layout& layout) {
    std::vector<Mark> out;
    for (std::size_t v = 0; v < report.variants.size(); ++v) {
        const science::Estimate& e = report.variants[v].metrics[metric];
        const double cost = price_value(report.variants[v], layout.price);
        if (std::isfinite(cost) && std::isfinite(e.value)) {
            const double y = layout.y(e.value);
            const bool sure = !std::isnan(e.interval.lo);
            const double top = sure ? layout.y(e.interval.hi) : y;
            out.push_back({v, {layout.x(cost), y}, top, sure ? layout.y(e.interval.lo) : y});
        }
    }
    return out;
}

std::optional<Layout> lay_out(const Report& report, std::size_t metric, double width) {
    const Price price = price_of(report);
    const Scatter range = scatter_of(report, metric, price);
    if (price == Price::none || range.x.empty()) {
        return std::nullopt;
    }
    const bool narrow = width < kNarrowBelow;
    const double height = narrow ? 300 : 380;
    const Box page{44, 24, width - 8, height - 46};
    const Scale x(range.x.lo, range.x.hi, page.left, page.right, range.logarithmic);
    const Scale y(range.y.lo, range.y.hi, page.bottom, page.top);
    Layout out{price, range, height, page, x, y, {}, {}, false, {}};
    out.marks = marks_of(report, metric, out);
    out.steps = front_steps(report, metric, price, x, y, page.right);
    const std::vector<Box> taken = occupied(out.marks, out.steps);
    if (!narrow && report.variants.size() <= kNamesMax) {
        out.labels = place_labels(report, out.marks, page, taken, false);
    }
    out.numbered = out.labels.empty();
    if (out.numbered) {
        out.labels = place_labels(report, out.marks, page, taken, true);
    }
    return out;
}

}  // namespace

bool cost_plot_is_numbered(const Report& report, std::size_t metric, double width) {
    const std::optional<Layout> layout = lay_out(report, metric, width);
    return layout && layout->numbered;
}

std::string cost_plot(const Report& report, std::size_t metric, double width) {
    const std::optional<Layout> layout = lay_out(report, metric, width);
    if (!layout) {
        return "";
    }
    const auto& [price, range, height, page, x, y, marks, steps, numbered, labels] = *layout;
    const science::MetricInfo& info = report.metrics[metric].info;
    const std::vector<std::size_t> front = pareto_front(report, metric, price);
    std::vector<std::string> names;
    for (const std::size_t v : front) {
        names.push_back(report.variants[v].id);
    }
    const std::string what = info.name + " against price; on the Pareto front";
    Svg svg(width, height, spoken(what, names), "plot");
    draw_scatter_axes(svg, page, x, y, range.logarithmic, price, info);
    svg.path(steps, false, "front");
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const Mark& mark = marks[i];
        const VariantSummary& variant = report.variants[mark.variant];
        const science::Estimate& e = variant.metrics[metric];
        const bool on_front = std::ranges::find(front, mark.variant) != front.end();
        svg.begin_group(
            variant.id + ": " + format_figure(info, e.value) + " " +
            format_interval(info, e.interval) + ", " +
            price_text(price, price_value(variant, price))
        );
        if (!std::isnan(e.interval.lo)) {
            svg.line(mark.at.x, mark.bottom, mark.at.x, mark.top, "whisker thin");
        }
        svg.circle(mark.at.x, mark.at.y, 6, on_front ? "dot" : "dot off");
        svg.end_group();
        svg.text(labels[i].box.left, labels[i].box.bottom - 3, Anchor::start, "pt", labels[i].text);
    }
    return svg.finish();
}

}  // namespace lab::report
