#include "base/text.h"
#include "report/format.h"
#include "report/impl/markup.h"
#include "report/impl/page.h"
#include "report/plots.h"
#include "science/stats/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lab::report {
namespace {
constexpr std::size_t kPlotRowsMax = 60;

std::string baseline_name(const Report& report) {
    for (const VariantSummary& variant : report.variants) {
        if (variant.baseline && report.variants.size() > 1) {
            return variant.id;
        }
    }
    return "";
}

std::string interval_caption(const Report& report, std::size_t metric) {
    std::vector<std::string> methods = interval_methods(report, metric);
    if (methods.size() > 3) {
        methods.resize(3);
        methods.emplace_back("...");
    }
    std::int64_t least = INT64_MAX;
    std::int64_t most = 0;
    for (const VariantSummary& variant : report.variants) {
        least = std::min(least, variant.metrics[metric].n);
        most = std::max(most, variant.metrics[metric].n);
    }
    std::string out = "Dot: the figure. Line: its interval (" +
                      (methods.empty() ? "n/a" : join(methods, "; ")) +
                      "). n = " + format_count(least) +
                      (least == most ? "" : " to " + format_count(most)) + " items each.";
    const std::string baseline = baseline_name(report);
    if (!baseline.empty()) {
        out += " Hollow dot and dashed line: the baseline, " + baseline + ".";
    }
    return out;
}

std::string comparison_caption(const std::vector<const ComparisonRow*>& rows) {
    const science::Comparison& c = rows[0]->comparison;
    std::string out = "Line: " + c.interval_method +
                      ". Test: " + (c.tests.empty() ? "n/a" : c.tests[0].name) + ". ";
    out += !rows[0]->primary   ? "Exploratory: p-values are uncorrected."
           : c.family_size > 1 ? "p-values corrected by " + c.correction + " over " +
                                     std::to_string(c.family_size) + " comparisons, intervals not."
                               : "One comparison: nothing to correct for.";
    out +=
        " Triangle up: better; triangle down: worse; square: equivalent; circle: no difference "
        "shown.";
    if (c.minimum_effect) {
        out += " Shaded: differences too small to matter.";
    }
    return out;
}

/// Where the methods are weak.
void write_notes(Out& out, const std::vector<NoteLine>& notes) {
    if (notes.empty()) {
        return;
    }
    out << "<ul class=\"notes\">";
    for (const NoteLine& line : notes) {
        out << "<li>" << markup(line.about + ": " + line.note) << "</li>";
    }
    out << "</ul>\n";
}

void write_estimates(Out& out, const Report& report, std::size_t metric) {
    const science::MetricInfo& info = report.metrics[metric].info;
    const science::Wording wording = science::wording_for(info);
    const auto amount = [&](double value) {
        return std::isnan(value) ? std::string() : science::format_amount(value, wording);
    };
    const bool counted = std::ranges::any_of(report.variants, [&](const VariantSummary& variant) {
        return variant.metrics[metric].successes.has_value();
    });
    std::vector<std::string> titles{"Variant", info.name};
    titles.push_back(science::format_percent(report.confidence) + " interval");
    if (counted) {
        titles.emplace_back("Right / n");
    }
    titles.emplace_back("Standard error");
    // The median of right and wrong says nothing, and a corpus figure has none.
    const bool median = info.kind == science::MetricKind::continuous;
    if (median) {
        titles.emplace_back("Median");
    }
    const bool repeated = has_variance_parts(report, metric);
    if (repeated) {
        titles.emplace_back("SD inside items");
        titles.emplace_back("SD between items");
    }
    for (const char* title : {"n", "Unparsed", "Missing"}) {
        titles.emplace_back(title);
    }
    HtmlTable table(out, info.name + " of each variant", titles);
    for (const VariantSummary& variant : report.variants) {
        const science::Estimate& e = variant.metrics[metric];
        table.begin_row(
            variant.id, variant.baseline && report.variants.size() > 1 ? "baseline" : ""
        );
        table.cell(format_figure(info, e.value), "num strong");
        table.cell(format_interval(info, e.interval));
        if (counted) {
            table.cell(format_successes(e));
        }
        table.cell(amount(e.se));
        if (median) {
            table.cell(amount(e.median));
        }
        if (repeated) {
            table.cell(amount(e.parts.sd_inside()));
            table.cell(amount(e.parts.sd_items()));
        }
        table.cell(format_count(e.n));
        table.cell(format_share(variant.unparsed, variant.done));
        table.cell(format_share(variant.missing, variant.planned));
        table.end_row();
    }
    table.finish();
    write_notes(out, estimate_notes(report, metric));
}

/// "360 / 76": how many items only the one and only the other got right; buttons show these items.
std::string discordant_cell(const Report& report, const ComparisonRow& row, bool with_items) {
    const science::Comparison& c = row.comparison;
    if (!c.only_a || !c.only_b) {
        return "";
    }
    const auto button = [&](std::int64_t count, std::size_t right, std::size_t wrong) {
        if (!with_items || count == 0) {
            return format_count(count);
        }
        return fmt::format(
            "<button type=\"button\" class=\"link\" data-metric=\"{}\" data-right=\"{}\" "
            "data-wrong=\"{}\" title=\"Show the items only {} got right\">{}</button>",
            row.metric,
            right,
            wrong,
            markup(report.variants[right].id),
            format_count(count)
        );
    };
    return button(*c.only_a, row.a, row.b) + " / " + button(*c.only_b, row.b, row.a);
}

std::string verdict_cell(science::Verdict verdict) {
    std::string css = "open";
    if (verdict == science::Verdict::better) {
        css = "better";
    } else if (verdict == science::Verdict::worse) {
        css = "worse";
    } else if (verdict == science::Verdict::equivalent) {
        css = "same";
    }
    return "<span class=\"v " + css + "\">" + std::string(verdict_mark(verdict)) + " " +
           std::string(verdict_words(verdict)) + "</span>";
}

void write_comparison_table(
    Out& out, const Report& report, const std::vector<const ComparisonRow*>& rows, bool with_items
) {
    const std::string metric = report.metrics[rows[0]->metric].info.name;
    const bool counted = std::ranges::any_of(rows, [](const ComparisonRow* row) {
        return row->comparison.only_a.has_value();
    });
    std::vector<std::string> titles{"Variant", "Difference"};
    titles.push_back(science::format_percent(report.confidence) + " interval");
    for (const char* title : {"p", "p adjusted"}) {
        titles.emplace_back(title);
    }
    if (counted) {
        titles.emplace_back("Only one right");
    }
    const bool standardised = std::ranges::any_of(rows, [](const ComparisonRow* row) {
        return !std::isnan(row->comparison.effect_dz);
    });
    if (standardised) {
        titles.emplace_back("Effect d_z");
    }
    const bool clustered = rows[0]->comparison.clusters > 0;
    titles.emplace_back("Detectable");
    titles.emplace_back(clustered ? "Clusters needed" : "Items needed");
    titles.emplace_back("<Verdict");
    const bool one_baseline =
        std::ranges::all_of(rows, [&](const ComparisonRow* row) { return row->b == rows[0]->b; });
    const std::string& baseline = report.variants[rows[0]->b].id;
    HtmlTable table(
        out, "Differences in " + metric + (one_baseline ? " to " + baseline : ""), titles
    );
    for (const ComparisonRow* row : rows) {
        const science::Comparison& c = row->comparison;
        table.begin_row(
            report.variants[row->a].id, one_baseline ? "" : "against " + report.variants[row->b].id
        );
        table.cell(format_difference(c), "num strong");
        table.cell(format_difference_interval(c));
        table.cell(format_p(c.p, c.p_at_floor));
        table.cell(format_p(c.p_adjusted, c.p_at_floor));
        if (counted) {
            table.raw(discordant_cell(report, *row, with_items));
        }
        if (standardised) {
            table.cell(std::isnan(c.effect_dz) ? "" : format_significant(c.effect_dz, 2));
        }
        table.cell(std::isnan(c.detectable) ? "" : science::format_amount(c.detectable, c.wording));
        table.cell(std::isnan(c.items_needed) ? "" : science::format_count(c.items_needed));
        table.raw(verdict_cell(c.verdict), "verdict");
        table.end_row();
    }
    table.finish();
    write_notes(out, comparison_notes(report, rows));
    out << "<details class=\"block\"><summary>The same in words</summary><ul class=\"words\">";
    for (const ComparisonRow* row : rows) {
        out << "<li><b>" << markup(report.variants[row->a].id) << "</b> against <b>"
            << markup(report.variants[row->b].id) << "</b>: " << markup(row->comparison.sentence)
            << "</li>";
    }
    out << "</ul></details>\n";
}

}  // namespace

void write_metric(Out& out, const Report& report, std::size_t metric, bool with_items) {
    const MetricColumn& column = report.metrics[metric];
    out << "<div class=\"metric\"><h3>" << markup(column.info.name) << "</h3>\n";
    const std::string wide = interval_plot(report, metric, kWidePx);
    if (wide.empty()) {
        out << "<p>No variant has a value: n/a.</p>\n";
    }
    write_figure(
        out, wide, interval_plot(report, metric, kNarrowPx), interval_caption(report, metric)
    );
    write_estimates(out, report, metric);
    std::vector<const ComparisonRow*> rows;
    for (const ComparisonRow& row : report.comparisons) {
        if (row.metric == metric) {
            rows.push_back(&row);
        }
    }
    if (!rows.empty()) {
        std::vector<const ComparisonRow*> drawn = rows;
        drawn.resize(std::min(rows.size(), kPlotRowsMax));
        std::string caption = comparison_caption(rows);
        if (drawn.size() < rows.size()) {
            caption += " The first " + std::to_string(kPlotRowsMax) + " are drawn.";
        }
        out << "<h4>Differences</h4>\n";
        write_figure(
            out,
            comparison_plot(report, drawn, kWidePx),
            comparison_plot(report, drawn, kNarrowPx),
            caption
        );
        write_comparison_table(out, report, rows, with_items);
    }
    out << "</div>\n";
}

namespace {

void write_cost_plots(Out& out, const Report& report) {
    const Price price = price_of(report);
    if (price == Price::none) {
        const bool free = std::ranges::all_of(report.variants, [](const VariantSummary& variant) {
            return variant.cost && variant.cost->is_zero();
        });
        out << "<p class=\"dim\">"
            << (free ? "Nothing was paid for these outputs (replayed or from the cache), and no "
                       "tokens were recorded: there is no cost to set against quality."
                     : "The price of these models is not known and no tokens were recorded: there "
                       "is no cost to set against quality.")
            << "</p>\n";
        return;
    }
    bool numbered = false;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        if (!report.metrics[m].primary) {
            continue;
        }
        std::vector<std::string> names;
        for (const std::size_t v : pareto_front(report, m, price)) {
            names.push_back(report.variants[v].id);
        }
        std::string caption =
            "Stepped line and filled dots: the Pareto front, variants that no "
            "other beats in both (";
        caption += join(names, ", ") + "). ";
        caption += price == Price::tokens
                       ? "Prices are not known for all: tokens stand in for cost."
                       : "Cost is what was settled in this run; cached answers cost nothing.";
        numbered = numbered || cost_plot_is_numbered(report, m, kWidePx);
        write_figure(out, cost_plot(report, m, kWidePx), cost_plot(report, m, kNarrowPx), caption);
    }
    out << "<ol class=\"legend" << (numbered ? " always" : "") << "\">";
    for (const VariantSummary& variant : report.variants) {
        out << "<li>" << markup(variant.id) << "</li>";
    }
    out << "</ol>\n";
}

void write_usage_table(Out& out, const Report& report) {
    const bool timed = has_latency(report);
    std::vector<std::string> titles{"Variant", "Done"};
    for (const char* title : {"Truncated", "Refused", "Cached", "Tokens in / out", "Cost"}) {
        titles.emplace_back(title);
    }
    if (timed) {
        for (const char* title : {"p50", "p95", "p99", "First token p50"}) {
            titles.emplace_back(title);
        }
    }
    HtmlTable table(out, "What each variant used", titles);
    for (const VariantSummary& variant : report.variants) {
        const domain::Usage& usage = variant.usage;
        table.begin_row(
            variant.id, variant.provider + " " + variant.model + " · " + variant.prompt
        );
        table.cell(format_count(variant.done));
        table.cell(format_share(variant.truncated, variant.done));
        table.cell(format_share(variant.refused, variant.done));
        table.cell(format_share(variant.cached, variant.done));
        const std::int64_t output = usage.output + usage.reasoning;
        const bool counted = usage.total() > 0;
        const std::string tokens =
            format_count(usage.total() - output) + " / " + format_count(output);
        const std::string_view estimated = estimated_words(variant.estimated, variant.counted);
        table.cell(
            !counted            ? ""
            : estimated.empty() ? tokens
                                : tokens + " (" + std::string(estimated) + ")"
        );
        table.cell(format_money(variant.cost));
        if (timed) {
            const LatencySummary& l = variant.latency;
            for (const double value : {l.p50, l.p95, l.p99}) {
                table.cell(l.n > 0 ? format_duration(value) : "");
            }
            const LatencySummary& first = variant.time_to_first_token;
            table.cell(first.n > 0 ? format_duration(first.p50) : "");
        }
        table.end_row();
    }
    table.finish();
}

}  // namespace

void write_tradeoffs(Out& out, const Report& report) {
    if (report.variants.empty() || report.metrics.empty()) {
        return;
    }
    out << "<section id=\"tradeoffs\">\n<h2>Cost and speed</h2>\n<h3>Cost against quality</h3>\n";
    write_cost_plots(out, report);
    out << "<h3>Latency</h3>\n";
    const std::string latency = latency_plot(report, kWidePx);
    if (latency.empty()) {
        out << "<p class=\"dim\">No latencies: the outputs were replayed or came from the "
               "cache.</p>\n";
    }
    const bool few = std::ranges::any_of(report.variants, [](const VariantSummary& variant) {
        return variant.latency.n > 0 && variant.latency.n < 100;
    });
    write_figure(
        out,
        latency,
        latency_plot(report, kNarrowPx),
        std::string("Of the successful attempt. Lines: median and 95th percentile. Heights are "
                    "scaled for each variant."
        ) + (few ? " With fewer than 100 samples p99 is the maximum." : "")
    );
    write_usage_table(out, report);
    out << "</section>\n";
    bool any = false;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        const std::string scores = score_plot(report, m, kWidePx);
        if (scores.empty()) {
            continue;
        }
        out << (any ? "" : "<section id=\"scores\">\n<h2>Distribution of scores</h2>\n") << "<h3>"
            << markup(report.metrics[m].info.name) << "</h3>\n";
        any = true;
        write_figure(
            out,
            scores,
            score_plot(report, m, kNarrowPx),
            report.metrics[m].info.kind == science::MetricKind::corpus
                ? "Scores of single items; the figure above belongs to the whole set and is not "
                  "their mean."
                : "Scores of items; the line is the median. Heights are scaled for each variant."
        );
    }
    out << (any ? "</section>\n" : "");
}

}  // namespace lab::report
