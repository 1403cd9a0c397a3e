#include "report/html.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "platform/json/json.h"
#include "report/format.h"
#include "report/impl/assets.h"
#include "report/impl/markup.h"
#include "report/impl/page.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::report {
namespace {

std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            const auto byte = i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
            group = group << 8 | byte;
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
        }
    }
    return out;
}

void write_head(Out& out, const Report& report) {
    out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        << "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'sha256-"
        << base64(sha256(page_style())) << "'; script-src 'sha256-" << base64(sha256(page_script()))
        << "'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
        << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        << "<meta name=\"color-scheme\" content=\"light dark\">\n"
        << "<meta name=\"referrer\" content=\"no-referrer\">\n"
        << "<title>" << markup(title_of(report)) << " - LLM Research Lab</title>\n"
        << "<style>" << page_style() << "</style>\n</head>\n<body>\n"
        << "<a class=\"skip\" href=\"#answer\">Skip to the answer</a>\n";
}

void write_nav(Out& out, const Report& report, bool with_items) {
    out << "<header class=\"top\"><div class=\"in\"><span class=\"brand\">LLM Research Lab</span>"
           "<nav aria-label=\"Sections\"><a href=\"#results\">Results</a>"
           "<a href=\"#tradeoffs\">Cost and speed</a>";
    if (with_items) {
        out << "<a href=\"#items\">Items</a>";
    }
    if (!report.errors.empty()) {
        out << "<a href=\"#errors\">Errors</a>";
    }
    out << "<a href=\"#methods\">Methods</a></nav></div></header>\n<main>\n";
}

void write_run_line(Out& out, const RunInfo& run) {
    const bool good = run.state == "completed";
    out << "<p class=\"runline\"><span class=\"badge " << (good ? "ok" : "bad") << "\">"
        << (good ? "✔ " : "! ") << markup(run.state) << "</span> <span>run #"
        << std::to_string(run.number) << "</span> <span>" << markup(run.dataset) << "</span>";
    for (const std::string& tag : run.tags) {
        out << " <span class=\"tag\">" << markup(tag) << "</span>";
    }
    if (!run.completed_at.empty()) {
        const std::string at = run.completed_at.substr(0, 16);
        out << " <time datetime=\"" << markup(run.completed_at) << "\">"
            << markup(
                   at.size() == 16 && at[10] == 'T'
                       ? at.substr(0, 10) + " " + at.substr(11) + " UTC"
                       : run.completed_at
               )
            << "</time>";
    }
    out << "</p>\n";
    if (!good && !run.stop_reason.empty()) {
        out << "<p class=\"stop\">" << markup(run.stop_reason) << "</p>\n";
    }
}

void write_gates(Out& out, const Report& report) {
    if (report.gates.empty()) {
        return;
    }
    out << "<ul class=\"gates\" aria-label=\"Gates\">";
    for (const GateResult& gate : report.gates) {
        out << "<li class=\"" << (gate.passed ? "ok" : "bad") << "\"><b>"
            << (gate.passed ? "✔ passed" : "✘ failed") << "</b> " << markup(gate.condition)
            << " <span class=\"dim\">found " << markup(gate.found) << "</span></li>";
    }
    out << "</ul>\n";
}

void write_answer(Out& out, const Report& report) {
    out << "<section id=\"answer\" class=\"hero\" aria-label=\"Answer\">\n";
    const std::string title =
        report.runs.size() == 1 ? report.runs[0].experiment : title_of(report);
    out << "<h1>" << markup(title) << "</h1>\n";
    if (!report.runs.empty() && !report.runs[0].description.empty()) {
        out << "<p class=\"lead\">" << markup(report.runs[0].description) << "</p>\n";
    }
    for (const RunInfo& run : report.runs) {
        write_run_line(out, run);
    }
    if (!report.answer.empty()) {
        out << "<p class=\"answer\">" << markup(report.answer) << "</p>\n";
    }
    if (!report.hypothesis.empty()) {
        out << "<p class=\"dim\">" << markup(report.hypothesis) << "</p>\n";
    }
    write_gates(out, report);
    out << "</section>\n";
}

void key_figure(
    Out& out, std::string_view name, std::string_view value, std::string_view note = ""
) {
    out << "<div><dt>" << name << "</dt><dd>" << markup(value);
    if (!note.empty()) {
        out << " <small>" << markup(note) << "</small>";
    }
    out << "</dd></div>";
}

void write_key_figures(Out& out, const Report& report) {
    const Totals& t = report.totals;
    out << "<dl class=\"keys\">";
    std::int64_t items = 0;
    for (const RunInfo& run : report.runs) {
        items = std::max(items, run.items);
    }
    key_figure(out, "Items", format_count(items));
    key_figure(out, "Variants", std::to_string(report.variants.size()));
    const std::string of = t.done == t.planned ? "" : "of " + format_count(t.planned);
    key_figure(out, "Samples", format_count(t.done), of);
    const auto share = [](std::int64_t count, std::int64_t whole) {
        const std::string text = format_share(count, whole);
        const std::size_t open = text.find('(');
        return open == std::string::npos ? "" : text.substr(open + 1, text.size() - open - 2);
    };
    key_figure(out, "Unparsed", format_count(t.unparsed), share(t.unparsed, t.done));
    key_figure(out, "Missing", format_count(t.missing), share(t.missing, t.planned));
    if (t.refused > 0) {
        key_figure(out, "Refused", format_count(t.refused), share(t.refused, t.done));
    }
    std::string note;
    if (t.done > 0 && t.replayed == t.done) {
        note = "all replayed";
    } else if (t.cached > 0) {
        note = format_count(t.cached) + " from the cache";
    }
    key_figure(out, "Cost", format_money(t.cost), note);
    if (t.usage.total() > 0) {
        key_figure(
            out, "Tokens", format_count(t.usage.total()), estimated_words(t.estimated, t.counted)
        );
    }
    if (t.calls > 0) {
        const std::string retries =
            t.retries == 1 ? "1 retry" : format_count(t.retries) + " retries";
        key_figure(out, "Calls", format_count(t.calls), t.retries > 0 ? retries : "");
    }
    out << "</dl>\n";
}

void write_warnings(Out& out, const Report& report) {
    if (report.warnings.empty()) {
        return;
    }
    out << "<aside class=\"warn\" aria-label=\"Warnings\"><h2>Warnings</h2><ul>";
    for (const std::string& warning : report.warnings) {
        out << "<li>" << markup(warning) << "</li>";
    }
    out << "</ul></aside>\n";
}

void write_results(Out& out, const Report& report, bool with_items) {
    out << "<section id=\"results\">\n<h2>Results</h2>\n";
    if (report.metrics.empty() || report.variants.empty()) {
        out << "<p>There is nothing to show yet: the run has no results.</p>\n</section>\n";
        return;
    }
    bool others = false;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        if (report.metrics[m].primary) {
            write_metric(out, report, m, with_items);
        } else {
            others = true;
        }
    }
    if (others) {
        out << "<details class=\"block\"><summary>Other metrics (exploratory)</summary>\n"
            << "<p class=\"dim\">Outside the declared family: their p-values stand "
               "uncorrected.</p>\n";
        for (std::size_t m = 0; m < report.metrics.size(); ++m) {
            if (!report.metrics[m].primary) {
                write_metric(out, report, m, with_items);
            }
        }
        out << "</details>\n";
    }
    out << "</section>\n";
}

void write_errors(Out& out, const Report& report) {
    if (report.errors.empty()) {
        return;
    }
    out << "<section id=\"errors\">\n<h2>Errors</h2>\n<p class=\"dim\">A sample without an output "
           "is missing, not wrong.</p>\n";
    HtmlTable table(out, "Errors by kind", {"Code", "Samples", "<Example"});
    for (const ErrorCount& error : report.errors) {
        table.begin_row(error.code);
        table.cell(format_count(error.count), "num");
        table.cell(error.message, "msg");
        table.end_row();
    }
    table.finish();
    out << "</section>\n";
}

std::string pretty_manifest(const std::string& manifest) {
    const auto parsed = parse_json(manifest);
    return parsed ? dump_json_pretty(*parsed) : manifest;
}

void write_methods(Out& out, const Report& report) {
    out << "<section id=\"methods\">\n<h2>Methods</h2>\n";
    for (const std::string& paragraph : report.methods) {
        out << "<p>" << markup(paragraph) << "</p>\n";
    }
    bool signatures = false;
    for (const MetricColumn& column : report.metrics) {
        if (!column.info.signature.empty()) {
            out << (signatures ? "" : "<dl class=\"sig\">") << "<dt>" << markup(column.info.name)
                << "</dt><dd><code>" << markup(column.info.signature) << "</code></dd>";
            signatures = true;
        }
    }
    out << (signatures ? "</dl>\n" : "");
    for (const RunInfo& run : report.runs) {
        out << "<details class=\"block\"><summary>Manifest of run #" << std::to_string(run.number)
            << "</summary><dl class=\"sig\"><dt>run</dt><dd><code>" << markup(run.id)
            << "</code></dd><dt>dataset</dt><dd><code>" << markup(run.dataset)
            << " sha256:" << markup(run.dataset_hash) << "</code></dd><dt>seed</dt><dd><code>"
            << std::to_string(run.seed) << "</code></dd></dl><pre tabindex=\"0\">"
            << markup(pretty_manifest(run.manifest)) << "</pre></details>\n";
    }
    out << "</section>\n";
}

}  // namespace

void write_figure(
    Out& out, const std::string& wide, const std::string& narrow, std::string_view caption
) {
    if (wide.empty()) {
        return;
    }
    out << "<figure><div class=\"wide\">" << wide << "</div><div class=\"narrow\">" << narrow
        << "</div><figcaption>" << markup(caption) << "</figcaption></figure>\n";
}

HtmlTable::HtmlTable(Out& out, std::string_view caption, const std::vector<std::string>& titles)
    : out_(out), titles_(titles) {
    out_ << "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" << markup(caption)
         << "\"><table class=\"data\"><caption>" << markup(caption) << "</caption><thead><tr>";
    for (std::size_t i = 0; i < titles_.size(); ++i) {
        const bool text = i == 0 || titles_[i].starts_with('<');
        titles_[i].erase(0, titles_[i].starts_with('<') ? 1 : 0);
        out_ << "<th scope=\"col\"" << (text ? "" : " class=\"num\"") << ">" << markup(titles_[i])
             << "</th>";
    }
    out_ << "</tr></thead><tbody>\n";
}

void HtmlTable::begin_row(std::string_view header, std::string_view note) {
    column_ = 1;
    out_ << "<tr><th scope=\"row\">" << markup_name(header);
    if (!note.empty()) {
        out_ << " <small>" << markup_name(note) << "</small>";
    }
    out_ << "</th>";
}

void HtmlTable::cell(std::string_view text, std::string_view css_class) {
    const bool name = css_class == "text";
    raw(text.empty() ? "<span class=\"dim\">–</span>"
        : name       ? markup_name(text)
                     : markup(text),
        css_class);
}

void HtmlTable::raw(std::string_view html, std::string_view css_class) {
    out_ << "<td class=\"" << (css_class.empty() ? "num" : css_class) << "\" data-label=\""
         << (column_ < titles_.size() ? markup(titles_[column_]) : "") << "\">" << html << "</td>";
    ++column_;
}

void HtmlTable::end_row() { out_ << "</tr>\n"; }

void HtmlTable::finish() { out_ << "</tbody></table></div>\n"; }

Status write_html(
    const Report& report, const ItemSource* items, const HtmlOptions& options, const Sink& sink
) {
    Out out(sink);
    const bool with_items = items != nullptr && items->count() > 0 && !report.variants.empty();
    write_head(out, report);
    write_nav(out, report, with_items);
    write_answer(out, report);
    write_key_figures(out, report);
    write_warnings(out, report);
    write_results(out, report, with_items);
    write_tradeoffs(out, report);
    if (with_items) {
        LAB_CHECK(write_items_section(out, report, *items, options));
    }
    write_errors(out, report);
    write_methods(out, report);
    out << "</main>\n<footer>Made by LLM Research Lab " << markup(report.software_version)
        << ". This page is complete in itself: it loads nothing.</footer>\n<script>"
        << page_script() << "</script>\n</body>\n</html>\n";
    return out.finish();
}

}  // namespace lab::report
