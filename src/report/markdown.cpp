#include "report/markdown.h"

#include "base/text.h"
#include "report/format.h"
#include "report/impl/display.h"

#include <algorithm>

namespace lab::report {
namespace {

/// Text that Markdown prints as it is, on one line.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : printable(text)) {
        if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '&') {
            out += "&amp;";
        } else if (c == '@' || c == '#') {
            // A zero-width space keeps names and numbers from becoming mentions.
            out += c;
            out += "\xE2\x80\x8B";
        } else {
            out += std::string_view("\\`*_{}[]|~!$").contains(c) ? "\\" : "";
            out += c;
        }
    }
    // Nor does anything that looks like an address become a link.
    for (const std::string_view scheme : {"://", "www."}) {
        for (std::size_t at = 0; (at = out.find(scheme, at)) != std::string::npos;) {
            at += scheme.size();
            out.insert(at - 1, "\xE2\x80\x8B");
            at += 3;
        }
    }
    return out;
}

/// A code span that may stand in a table.
std::string code(std::string_view text) {
    std::string clean;
    for (const char c : printable(text)) {
        clean += c == '`' ? "'" : c == '|' ? "\\|" : std::string(1, c);
    }
    return clean.empty() ? "" : "`" + clean + "`";
}

std::string or_na(std::string text) { return text.empty() ? "n/a" : text; }

void write_head(Out& out, const Report& report) {
    out << "## " << escaped(title_of(report)) << "\n\n";
    if (!report.answer.empty()) {
        out << "**" << escaped(report.answer) << "**\n\n";
    }
    if (!report.hypothesis.empty()) {
        out << escaped(report.hypothesis) << "\n\n";
    }
    if (!report.runs.empty()) {
        const RunInfo& run = report.runs[0];
        out << "Dataset " << code(run.dataset) << " · " << format_count(run.items) << " items · "
            << format_count(report.totals.done) << " of " << format_count(report.totals.planned)
            << " samples · cost " << escaped(format_money(report.totals.cost)) << " · "
            << escaped(run.state) << "\n\n";
    }
}

void write_gates(Out& out, const Report& report) {
    if (report.gates.empty()) {
        return;
    }
    out << "### " << (report.gates_passed() ? "✅ Gates passed" : "❌ A gate failed") << "\n\n";
    out << "| gate | found | |\n| :-- | --: | :-- |\n";
    for (const GateResult& gate : report.gates) {
        out << "| " << escaped(gate.condition) << " | " << escaped(gate.found) << " | "
            << (gate.passed ? "✅ passed" : "❌ failed") << " |\n";
    }
    out << "\n";
}

void write_variants(Out& out, const Report& report) {
    const std::vector<std::string> keys = metric_keys(report);
    out << "### Variants\n\n| variant |";
    for (const std::string& key : keys) {
        out << " " << escaped(key) << " |";
    }
    const bool refusals = has_refusals(report);
    out << " unparsed | missing |" << (refusals ? " refused |" : "")
        << " cost | p50 / p95 |\n| :-- |";
    for (std::size_t i = 0; i < keys.size() + (refusals ? 5 : 4); ++i) {
        out << " --: |";
    }
    out << "\n";
    for (const VariantSummary& variant : report.variants) {
        out << "| " << code(variant.id) << (variant.baseline ? " (baseline)" : "") << " |";
        for (std::size_t m = 0; m < keys.size() && m < variant.metrics.size(); ++m) {
            const science::MetricInfo& info = report.metrics[m].info;
            const science::Estimate& e = variant.metrics[m];
            const std::string counts = format_successes(e);
            out << " " << format_figure(info, e.value);
            const std::string interval = format_interval(info, e.interval);
            out << (interval.empty() ? "" : " ") << escaped(interval);
            out << (counts.empty() ? "" : " (" + counts + ")") << " |";
        }
        out << " " << escaped(format_share(variant.unparsed, variant.done)) << " | "
            << escaped(format_share(variant.missing, variant.planned)) << " | "
            << (refusals ? escaped(format_share(variant.refused, variant.done)) + " | " : "")
            << escaped(format_money(variant.cost)) << " | ";
        const bool timed = variant.latency.n > 0 && variant.latency.max > 0;
        out << (timed ? format_duration(variant.latency.p50) + " / " +
                            format_duration(variant.latency.p95)
                      : "n/a")
            << " |\n";
    }
    out << "\n";
}

void write_comparisons(Out& out, const Report& report, std::size_t rows_max) {
    if (report.comparisons.empty()) {
        return;
    }
    const std::vector<std::string> keys = metric_keys(report);
    out << "### Comparisons\n\n| metric | comparison | difference | p (adjusted) | verdict |\n"
           "| :-- | :-- | --: | --: | :-- |\n";
    std::size_t written = 0;
    for (const ComparisonRow& row : report.comparisons) {
        if (written++ == rows_max) {
            break;
        }
        const science::Comparison& c = row.comparison;
        const std::string interval = format_difference_interval(c);
        out << "| " << escaped(keys[row.metric]) << (row.primary ? "" : " (exploratory)") << " | "
            << code(report.variants[row.a].id) << " against " << code(report.variants[row.b].id)
            << " | " << format_difference(c) << (interval.empty() ? "" : " ") << escaped(interval)
            << " | " << escaped(or_na(format_p(row.primary ? c.p_adjusted : c.p, c.p_at_floor)))
            << " | " << verdict_mark(c.verdict) << " " << verdict_words(c.verdict) << " |\n";
    }
    out << "\n";
    if (report.comparisons.size() > rows_max) {
        out << format_count(static_cast<std::int64_t>(report.comparisons.size() - rows_max))
            << " more comparisons are in the full report.\n\n";
    }
}

void write_list(Out& out, std::string_view title, const std::vector<std::string>& lines) {
    if (lines.empty()) {
        return;
    }
    out << "<details><summary>" << title << "</summary>\n\n";
    for (const std::string& line : lines) {
        out << "- " << escaped(line) << "\n";
    }
    out << "\n</details>\n\n";
}

}  // namespace

Status write_markdown(const Report& report, const Sink& sink, const MarkdownOptions& options) {
    Out out(sink);
    write_head(out, report);
    write_gates(out, report);
    for (const std::string& warning : report.warnings) {
        out << "> ⚠️ " << escaped(warning) << "\n\n";
    }
    if (!report.variants.empty()) {
        write_variants(out, report);
    }
    write_comparisons(out, report, options.comparisons_max);
    std::vector<std::string> errors;
    for (const ErrorCount& error : report.errors) {
        errors.push_back(
            format_count(error.count) + " x " + error.code + ": " + shorten(error.message, 300)
        );
    }
    std::vector<std::string> notes;
    std::vector<const ComparisonRow*> rows;
    for (const ComparisonRow& row : report.comparisons) {
        rows.push_back(&row);
    }
    for (const NoteLine& line : comparison_notes(report, rows)) {
        notes.push_back(line.about + ": " + line.note);
    }
    write_list(out, "Notes", notes);
    write_list(out, "Errors", errors);
    write_list(out, "Methods", report.methods);
    out << "<sub>LLM Research Lab " << escaped(report.software_version) << "</sub>\n";
    return out.finish();
}

}  // namespace lab::report
