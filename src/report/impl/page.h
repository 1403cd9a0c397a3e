#pragma once
#include "report/html.h"
#include "report/model.h"
#include "report/sink.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Parts of the HTML page, in separate files.
namespace lab::report {

/// Both drawings of a plot (the style sheet shows the one that fits) with a caption of plain text.
void write_figure(
    Out& out, const std::string& wide, const std::string& narrow, std::string_view caption
);
inline constexpr double kWidePx = 1090;
inline constexpr double kNarrowPx = 340;

/// A table for numbers: the first cell of a row is its header. Titles that begin with "<" stand
/// over text.
class HtmlTable {
  public:
    HtmlTable(Out& out, std::string_view caption, const std::vector<std::string>& titles);
    void begin_row(std::string_view header, std::string_view note = "");
    /// Plain text; empty cells print as a dash.
    void cell(std::string_view text, std::string_view css_class = "");
    /// Markup of ours.
    void raw(std::string_view html, std::string_view css_class = "");
    void end_row();
    void finish();

  private:
    Out& out_;
    std::vector<std::string> titles_;
    std::size_t column_ = 0;
};

/// Figures, plots and tables of one metric.
void write_metric(Out& out, const Report& report, std::size_t metric, bool with_items);
/// Price, latency, score distributions, what the run used.
void write_tradeoffs(Out& out, const Report& report);
/// The item section with its data.
Status write_items_section(
    Out& out, const Report& report, const ItemSource& items, const HtmlOptions& options
);

}  // namespace lab::report
