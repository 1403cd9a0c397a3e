#include "report/format.h"
#include "report/terminal.h"
#include "science/stats/words.h"

namespace lab::report {
namespace {

void write_compact_variant(
    Out& out,
    const Report& report,
    const VariantSummary& variant,
    const std::vector<std::string>& keys
) {
    out << printable(variant.id);
    for (std::size_t m = 0; m < keys.size() && m < variant.metrics.size(); ++m) {
        const science::MetricInfo& info = report.metrics[m].info;
        const science::Estimate& e = variant.metrics[m];
        const std::string interval = format_interval(info, e.interval);
        const std::string counts = format_successes(e);
        out << "  " << printable(keys[m]) << " " << format_figure(info, e.value)
            << (interval.empty() ? "" : " ") << interval << (counts.empty() ? "" : " ") << counts;
    }
    out << "  unparsed " << format_count(variant.unparsed) << "  missing "
        << format_count(variant.missing) << "  cost " << format_money(variant.cost) << "\n";
}

}  // namespace

Status write_compact(const Report& report, const Sink& sink) {
    Out out(sink);
    const std::vector<std::string> keys = metric_keys(report);
    for (const VariantSummary& variant : report.variants) {
        write_compact_variant(out, report, variant, keys);
    }
    for (const ComparisonRow& row : report.comparisons) {
        const science::Comparison& c = row.comparison;
        const std::string interval = format_difference_interval(c);
        out << printable(report.variants[row.a].id) << " against "
            << printable(report.variants[row.b].id) << "  " << printable(keys[row.metric]) << " "
            << format_difference(c) << (interval.empty() ? "" : " ") << interval
            << (c.wording.unit.empty() ? "" : " ") << c.wording.unit << "  "
            << science::p_equation(row.primary ? c.p_adjusted : c.p, c.p_at_floor) << "  "
            << verdict_words(c.verdict) << (row.primary ? "" : " (exploratory)") << "\n";
    }
    for (const GateResult& gate : report.gates) {
        out << "gate " << (gate.passed ? "passed" : "FAILED") << "  " << printable(gate.condition)
            << "  found " << printable(gate.found) << "\n";
    }
    return out.finish();
}

}  // namespace lab::report
