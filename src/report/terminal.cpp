#include "report/terminal.h"

#include "base/text.h"
#include "report/format.h"
#include "report/impl/display.h"
#include "report/impl/text_table.h"
#include "science/stats/words.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lab::report {
namespace {
constexpr std::size_t kVariantLeast = 14;
constexpr std::size_t kPlotWidth = 24;
constexpr std::size_t kSentencesMax = 3;
constexpr std::size_t kNotesMax = 4;
constexpr const char* kUnparsed = "unparsed";
constexpr const char* kMissing = "missing";

class Terminal {
  public:
    Terminal(const Report& report, const TerminalOptions& options, Out& out)
        : report_(report),
          options_(options),
          out_(out),
          width_(static_cast<std::size_t>(std::max(options.width, 40))),
          keys_(metric_keys(report)) {}

    void write() {
        head();
        if (!report_.variants.empty() && !report_.metrics.empty()) {
            variants();
            other_metrics();
            comparisons();
            methods();
        }
        gates();
        notes();
    }

  private:
    void line(std::string_view text, Style style = Style::plain) {
        out_ << styled(text, style, options_.color) << "\n";
    }
    void blank() { out_ << "\n"; }
    /// A mark, then text wrapped beside it.
    void paragraph(std::string_view mark, Style mark_style, std::string_view text, Style style) {
        const std::size_t indent = display_width(mark) + 1;
        bool first = true;
        for (const std::string& part : wrap(printable(text), width_ - indent)) {
            out_
                << (first ? styled(mark, mark_style, options_.color) + " "
                          : std::string(indent, ' '));
            line(part, style);
            first = false;
        }
    }
    void heading(std::string_view text) {
        blank();
        line(text, Style::bold);
    }

    void head();
    void variants();
    void variants_table(std::span<const std::size_t> metrics, bool extras);
    std::size_t metrics_per_table(std::span<const std::size_t> metrics) const;
    TextTable make_variants_table(
        std::span<const std::size_t> metrics, bool extras, bool plots = true
    ) const;
    void add_extra_columns(std::vector<TextColumn>& columns) const;
    void add_extra_cells(std::vector<TextCell>& row, const VariantSummary& variant) const;
    std::string interval_plot(std::size_t metric, const science::Estimate& e) const;
    void other_metrics();
    void comparisons();
    using Rows = std::vector<const ComparisonRow*>;
    TextTable comparisons_table(const Rows& rows, bool one_baseline, bool brief) const;
    void comparisons_of(const Rows& rows, bool name_metric);
    void open_questions(const Rows& rows);
    void method_notes(const Rows& rows);
    void methods();
    void gates();
    void notes();
    std::string name_of(const VariantSummary& variant) const {
        const bool marked = variant.baseline && report_.variants.size() > 1;
        return printable(variant.id) + (marked ? narrow_ ? " *" : " (baseline)" : "");
    }
    std::vector<std::size_t> metrics_that_are(bool primary) const {
        std::vector<std::size_t> out;
        for (std::size_t m = 0; m < report_.metrics.size(); ++m) {
            if (report_.metrics[m].primary == primary) {
                out.push_back(m);
            }
        }
        return out;
    }

    const Report& report_;
    const TerminalOptions& options_;
    Out& out_;
    std::size_t width_;
    std::vector<std::string> keys_;
    bool narrow_ = false;  ///< no room for "(baseline)"
};

void Terminal::head() {
    blank();
    std::string title = styled(printable(title_of(report_)), Style::bold, options_.color);
    std::vector<std::string> facts;
    if (!report_.runs.empty()) {
        const RunInfo& run = report_.runs[0];
        const bool good = run.state == "completed";
        title += "  " + styled(
                            std::string(good ? "✔ " : "! ") + printable(run.state),
                            good ? Style::good : Style::bad,
                            options_.color
                        );
        facts.push_back(printable(run.dataset));
        facts.push_back(format_count(run.items) + (run.items == 1 ? " item" : " items"));
    }
    out_ << title << "\n";
    const Totals& t = report_.totals;
    const std::size_t n = report_.variants.size();
    facts.push_back(std::to_string(n) + (n == 1 ? " variant" : " variants"));
    facts.push_back(
        t.done == t.planned ? format_count(t.done) + " samples"
                            : format_count(t.done) + " of " + format_count(t.planned) + " samples"
    );
    if (t.replayed > 0) {
        facts.push_back(
            t.replayed == t.done ? "all replayed" : format_count(t.replayed) + " replayed"
        );
    }
    if (t.cached > 0) {
        facts.push_back(format_count(t.cached) + " cached");
    }
    facts.push_back("cost " + format_money(t.cost));
    paragraph(" ", Style::plain, join(facts, " · "), Style::dim);
    if (!report_.runs.empty() && report_.runs[0].state != "completed" &&
        !report_.runs[0].stop_reason.empty()) {
        paragraph("!", Style::bad, report_.runs[0].stop_reason, Style::plain);
    }
    if (!report_.answer.empty()) {
        blank();
        paragraph("▸", Style::accent, report_.answer, Style::bold);
    }
    if (!report_.hypothesis.empty()) {
        paragraph(" ", Style::plain, report_.hypothesis, Style::dim);
    }
}

std::string Terminal::interval_plot(std::size_t metric, const science::Estimate& e) const {
    double lo = std::numeric_limits<double>::infinity();
    double hi = -lo;
    for (const VariantSummary& variant : report_.variants) {
        const science::Estimate& other = variant.metrics[metric];
        for (const double edge : {other.value, other.interval.lo, other.interval.hi}) {
            lo = std::isnan(edge) ? lo : std::min(lo, edge);
            hi = std::isnan(edge) ? hi : std::max(hi, edge);
        }
    }
    if (std::isnan(e.value) || !std::isfinite(lo) || !std::isfinite(hi) || hi <= lo) {
        return "";
    }
    const auto place = [&](double x) {
        const double share = std::clamp((x - lo) / (hi - lo), 0.0, 1.0);
        return static_cast<std::size_t>(std::lround(share * (kPlotWidth - 1)));
    };
    std::vector<std::string_view> cells(kPlotWidth, " ");
    if (!std::isnan(e.interval.lo) && !std::isnan(e.interval.hi)) {
        for (std::size_t i = place(e.interval.lo); i <= place(e.interval.hi); ++i) {
            cells[i] = "─";
        }
    }
    cells[place(e.value)] = "●";
    std::string out;
    for (const std::string_view cell : cells) {
        out += cell;
    }
    return out;
}

void Terminal::add_extra_columns(std::vector<TextColumn>& columns) const {
    const auto any = [&](auto has) { return std::ranges::any_of(report_.variants, has); };
    // What decides how a figure is to be read goes last.
    if (any([](const VariantSummary& v) { return v.unparsed > 0; })) {
        columns.push_back({.title = kUnparsed, .right = true, .rank = 1});
    }
    if (any([](const VariantSummary& v) { return v.missing > 0; })) {
        columns.push_back({.title = kMissing, .right = true, .rank = 2});
    }
    if (has_refusals(report_)) {
        columns.push_back({.title = "refused", .right = true, .rank = 3});
    }
    if (has_cost(report_)) {
        columns.push_back({.title = "cost", .right = true, .rank = 4});
    }
    if (has_latency(report_)) {
        columns.push_back({.title = "latency p50 / p95", .right = true, .rank = 5});
    }
}

void Terminal::add_extra_cells(std::vector<TextCell>& row, const VariantSummary& v) const {
    const auto any = [&](auto has) { return std::ranges::any_of(report_.variants, has); };
    if (any([](const VariantSummary& other) { return other.unparsed > 0; })) {
        row.push_back({format_share(v.unparsed, v.done)});
    }
    if (any([](const VariantSummary& other) { return other.missing > 0; })) {
        row.push_back(
            {format_share(v.missing, v.planned), v.missing > 0 ? Style::bad : Style::plain}
        );
    }
    if (has_refusals(report_)) {
        row.push_back({format_share(v.refused, v.done)});
    }
    if (has_cost(report_)) {
        row.push_back({format_money(v.cost)});
    }
    if (has_latency(report_)) {
        const bool timed = v.latency.n > 0 && v.latency.max > 0;
        row.push_back(
            {timed ? format_duration(v.latency.p50) + " / " + format_duration(v.latency.p95) : "n/a"
            }
        );
    }
}

TextTable Terminal::make_variants_table(
    std::span<const std::size_t> metrics, bool extras, bool plots
) const {
    std::vector<TextColumn> columns{{.title = "variant", .shrinks_to = kVariantLeast}};
    for (const std::size_t m : metrics) {
        columns.push_back({.title = printable(keys_[m]), .right = true});
        columns.push_back({.title = "right/n", .right = true, .rank = 6});
        columns.push_back(
            {.title = science::format_percent(report_.confidence) + " interval", .rank = 9}
        );
    }
    if (extras) {
        add_extra_columns(columns);
    }
    TextTable table(std::move(columns));
    for (const VariantSummary& variant : report_.variants) {
        std::vector<TextCell> row{{name_of(variant), Style::bold}};
        for (const std::size_t m : metrics) {
            const science::MetricInfo& info = report_.metrics[m].info;
            const science::Estimate& e = variant.metrics[m];
            const std::string interval = format_interval(info, e.interval);
            row.push_back({format_figure(info, e.value) + (interval.empty() ? "" : " " + interval)}
            );
            row.push_back({format_successes(e), Style::dim});
            row.push_back({plots ? interval_plot(m, e) : "", Style::accent});
        }
        if (extras) {
            add_extra_cells(row, variant);
        }
        table.add(std::move(row));
    }
    table.drop_empty_columns();
    return table;
}

void Terminal::variants_table(std::span<const std::size_t> metrics, bool extras) {
    TextTable table = make_variants_table(metrics, extras);
    const std::vector<std::string> left_out = table.fit(width_);
    out_ << table.text(options_.color);
    std::vector<std::string> worth_saying;
    std::ranges::copy_if(left_out, std::back_inserter(worth_saying), [](const std::string& title) {
        return !title.ends_with(" interval");
    });
    if (!worth_saying.empty()) {
        paragraph(" ", Style::plain, "no room for: " + join(worth_saying, ", "), Style::dim);
    }
}

/// As many metrics side by side as there is room for.
std::size_t Terminal::metrics_per_table(std::span<const std::size_t> metrics) const {
    for (std::size_t per_table = metrics.size(); per_table > 1; --per_table) {
        bool fits = true;
        for (std::size_t i = 0; i < metrics.size() && fits; i += per_table) {
            const std::size_t n = std::min(per_table, metrics.size() - i);
            TextTable table = make_variants_table(metrics.subspan(i, n), i == 0);
            const std::vector<std::string> left_out = table.fit(width_);
            fits = table.width() <= width_ &&
                   std::ranges::none_of(left_out, [](const std::string& title) {
                       return title == kUnparsed || title == kMissing;
                   });
        }
        if (fits) {
            return per_table;
        }
    }
    return 1;
}

void Terminal::variants() {
    const std::vector<std::size_t> primary = metrics_that_are(true);
    if (primary.empty()) {
        return;
    }
    blank();
    const std::size_t per_table = metrics_per_table(primary);
    const auto first = std::span(primary).first(std::min(per_table, primary.size()));
    narrow_ = make_variants_table(first, true, false).width() > width_;
    for (std::size_t i = 0; i < primary.size(); i += per_table) {
        const std::size_t n = std::min(per_table, primary.size() - i);
        variants_table(std::span(primary).subspan(i, n), i == 0);
    }
    const bool marked = std::ranges::any_of(report_.variants, &VariantSummary::baseline);
    if (narrow_ && marked && report_.variants.size() > 1) {
        line("  * baseline", Style::dim);
    }
    const Totals& t = report_.totals;
    if (t.unparsed == 0 && t.missing == 0 && t.done > 0) {
        line("  every output was parsed, none is missing", Style::dim);
    }
}

void Terminal::other_metrics() {
    const std::vector<std::size_t> others = metrics_that_are(false);
    if (others.empty()) {
        return;
    }
    heading("Also measured (exploratory)");
    std::vector<TextColumn> columns{{.title = "variant", .shrinks_to = kVariantLeast}};
    int rank = 0;
    for (const std::size_t m : others) {
        columns.push_back({.title = printable(keys_[m]), .right = true, .rank = ++rank});
    }
    TextTable table(std::move(columns));
    for (const VariantSummary& variant : report_.variants) {
        std::vector<TextCell> row{{name_of(variant), Style::bold}};
        for (const std::size_t m : others) {
            row.push_back({format_figure(report_.metrics[m].info, variant.metrics[m].value)});
        }
        table.add(std::move(row));
    }
    const std::vector<std::string> left_out = table.fit(width_);
    out_ << table.text(options_.color);
    if (!left_out.empty()) {
        paragraph(" ", Style::plain, "no room for: " + join(left_out, ", "), Style::dim);
    }
}

Style verdict_style(science::Verdict verdict) {
    switch (verdict) {
        case science::Verdict::better:
            return Style::good;
        case science::Verdict::worse:
            return Style::bad;
        case science::Verdict::equivalent:
            return Style::accent;
        case science::Verdict::no_difference_shown:
        case science::Verdict::undetermined:
            break;
    }
    return Style::plain;
}

TextTable Terminal::comparisons_table(const Rows& rows, bool one_baseline, bool brief) const {
    std::string correction;
    for (const ComparisonRow* row : rows) {
        if (row->comparison.family_size > 1 && row->comparison.correction != "uncorrected") {
            correction = row->comparison.correction;
        }
    }
    TextTable table({
        {.title = "variant", .shrinks_to = kVariantLeast},
        {.title = one_baseline ? "" : "against", .shrinks_to = kVariantLeast},
        {.title = "difference", .right = true},
        {.title = correction.empty() ? "p" : "p (" + correction + ")", .right = true},
        {.title = "verdict"},
    });
    for (const ComparisonRow* row : rows) {
        const science::Comparison& c = row->comparison;
        const std::string interval = format_difference_interval(c);
        const bool open = c.verdict == science::Verdict::no_difference_shown;
        const std::string_view words = brief && open ? "not shown" : verdict_words(c.verdict);
        table.add({
            {printable(report_.variants[row->a].id), Style::bold},
            {one_baseline ? "" : printable(report_.variants[row->b].id)},
            {format_difference(c) + (interval.empty() ? "" : " " + interval)},
            {format_p(c.p_adjusted, c.p_at_floor)},
            {std::string(verdict_mark(c.verdict)) + " " + std::string(words),
             verdict_style(c.verdict)},
        });
    }
    table.drop_empty_columns();
    return table;
}

void Terminal::comparisons_of(const Rows& rows, bool name_metric) {
    const bool one_baseline =
        std::ranges::all_of(rows, [&](const ComparisonRow* row) { return row->b == rows[0]->b; });
    std::string title =
        name_metric ? printable(keys_[rows[0]->metric]) + ": differences" : "Differences";
    title += one_baseline ? " to " + printable(report_.variants[rows[0]->b].id) : "";
    const std::string& unit = rows[0]->comparison.wording.unit;
    heading(title + (unit.empty() ? "" : ", in " + unit));
    const std::size_t shown = std::min(rows.size(), options_.comparisons_max);
    const Rows first(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown));
    TextTable table = comparisons_table(first, one_baseline, false);
    if (table.width() > width_) {
        table = comparisons_table(first, one_baseline, true);
    }
    table.fit(width_);
    out_ << table.text(options_.color);
    if (shown < rows.size()) {
        line("  " + std::to_string(rows.size() - shown) + " more in the full report", Style::dim);
    }
}

void Terminal::comparisons() {
    Rows all;
    std::size_t exploratory = 0;
    for (const ComparisonRow& row : report_.comparisons) {
        if (row.primary) {
            all.push_back(&row);
        } else {
            ++exploratory;
        }
    }
    const std::vector<std::size_t> primary = metrics_that_are(true);
    for (const std::size_t m : primary) {
        Rows rows;
        std::ranges::copy_if(all, std::back_inserter(rows), [m](const ComparisonRow* row) {
            return row->metric == m;
        });
        if (!rows.empty()) {
            comparisons_of(rows, primary.size() > 1);
        }
    }
    open_questions(all);
    method_notes(all);
    if (exploratory > 0) {
        line(
            "  " + std::to_string(exploratory) +
                " exploratory comparisons of other metrics are in the full report",
            Style::dim
        );
    }
}

void Terminal::open_questions(const Rows& rows) {
    std::size_t said = 0;
    std::size_t open = 0;
    for (const ComparisonRow* row : rows) {
        const science::Verdict verdict = row->comparison.verdict;
        if (verdict == science::Verdict::better || verdict == science::Verdict::worse ||
            row->comparison.sentence.empty()) {
            continue;
        }
        ++open;
        if (said < kSentencesMax) {
            ++said;
            paragraph(
                verdict_mark(verdict),
                verdict_style(verdict),
                report_.variants[row->a].id + " against " + report_.variants[row->b].id + ": " +
                    row->comparison.sentence,
                Style::plain
            );
        }
    }
    if (open > said) {
        line("  " + std::to_string(open - said) + " more of this kind", Style::dim);
    }
}

/// Where the methods are weak. How missing outputs could change a verdict is among the warnings.
void Terminal::method_notes(const Rows& rows) {
    std::vector<NoteLine> lines = comparison_notes(report_, rows);
    std::erase_if(lines, [&](const NoteLine& line) {
        return std::ranges::any_of(rows, [&](const ComparisonRow* row) {
            return row->comparison.missing_note == line.note;
        });
    });
    for (const std::size_t m : metrics_that_are(true)) {
        for (NoteLine& line : estimate_notes(report_, m)) {
            if (std::ranges::find(lines, line.note, &NoteLine::note) == lines.end()) {
                lines.push_back(std::move(line));
            }
        }
    }
    for (std::size_t i = 0; i < std::min(lines.size(), kNotesMax); ++i) {
        paragraph("note", Style::dim, lines[i].about + ": " + lines[i].note, Style::plain);
    }
    if (lines.size() > kNotesMax) {
        line(
            "  " + std::to_string(lines.size() - kNotesMax) + " more notes in the full report",
            Style::dim
        );
    }
}

void Terminal::methods() {
    blank();
    for (std::size_t m = 0; m < report_.metrics.size(); ++m) {
        if (!report_.metrics[m].primary) {
            continue;
        }
        std::vector<std::string> said;
        std::vector<std::string> intervals = interval_methods(report_, m);
        if (intervals.size() > 2) {
            intervals.resize(2);
            intervals.emplace_back("...");
        }
        if (!intervals.empty()) {
            said.push_back("intervals: " + join(intervals, "; "));
        }
        const auto row = std::ranges::find_if(report_.comparisons, [m](const ComparisonRow& r) {
            return r.metric == m && r.primary && !r.comparison.tests.empty();
        });
        if (row != report_.comparisons.end()) {
            const science::Comparison& c = row->comparison;
            said.push_back("differences: " + c.interval_method);
            said.push_back("p: " + c.tests[0].name);
            if (c.family_size > 1 && c.correction != "uncorrected") {
                said.push_back(
                    "p corrected by " + c.correction + " over " + std::to_string(c.family_size) +
                    " comparisons, intervals each at " + science::format_percent(report_.confidence)
                );
            }
        }
        if (std::string spread = spread_words(report_, m); !spread.empty()) {
            said.push_back(std::move(spread));
        }
        paragraph(" ", Style::plain, keys_[m] + ": " + join(said, "; "), Style::dim);
        // Not wrapped: it is there to be copied.
        if (const std::string& signature = report_.metrics[m].info.signature; !signature.empty()) {
            line("  " + printable(signature), Style::dim);
        }
    }
}

void Terminal::gates() {
    if (report_.gates.empty()) {
        return;
    }
    heading("Gates");
    for (const GateResult& gate : report_.gates) {
        paragraph(
            gate.passed ? "✔ passed" : "✘ failed",
            gate.passed ? Style::good : Style::bad,
            gate.condition + "  (found " + gate.found + ")",
            Style::plain
        );
    }
}

void Terminal::notes() {
    if (!report_.errors.empty()) {
        heading("Errors");
        for (const ErrorCount& error : report_.errors) {
            paragraph(
                format_count(error.count) + " x",
                Style::bad,
                error.code + ": " + shorten(error.message, 240),
                Style::plain
            );
        }
    }
    if (!report_.warnings.empty()) {
        heading("Warnings");
        for (const std::string& warning : report_.warnings) {
            paragraph("!", Style::bad, warning, Style::plain);
        }
    }
    if (!options_.saved.empty()) {
        blank();
    }
    for (const std::string& path : options_.saved) {
        line("Report: " + styled(printable(path), Style::accent, options_.color));
    }
}

}  // namespace

Status write_terminal(const Report& report, const TerminalOptions& options, const Sink& sink) {
    Out out(sink);
    Terminal(report, options, out).write();
    return out.finish();
}

}  // namespace lab::report
