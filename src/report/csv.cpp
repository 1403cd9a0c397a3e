#include "report/csv.h"

#include "base/text.h"
#include "report/format.h"

#include <cmath>

namespace lab::report {
namespace {

/// One line at a time.
class CsvLine {
  public:
    explicit CsvLine(Out& out) : out_(out) {}

    CsvLine& text(std::string_view text) {
        const bool formula = !text.empty() && std::string_view("=+-@\t\r").contains(text.front());
        return cell(formula ? "'" + std::string(text) : std::string(text));
    }
    CsvLine& number(double value) { return cell(std::isfinite(value) ? format_double(value) : ""); }
    CsvLine& number(std::int64_t value) { return cell(std::to_string(value)); }
    CsvLine& flag(bool value) { return cell(value ? "true" : "false"); }
    CsvLine& empty() { return cell(""); }
    void end() {
        out_ << "\r\n";
        first_ = true;
    }

  private:
    CsvLine& cell(const std::string& text) {
        out_ << (first_ ? "" : ",");
        first_ = false;
        if (text.find_first_of(",\"\r\n") == std::string::npos && text == trim_ascii(text)) {
            out_ << text;
            return *this;
        }
        std::string quoted = "\"";
        for (const char c : text) {
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        }
        out_ << quoted << "\"";
        return *this;
    }

    Out& out_;
    bool first_ = true;
};

void write_summary_line(
    CsvLine& line,
    const Report& report,
    const VariantSummary& variant,
    std::size_t metric,
    const std::string& key
) {
    const science::Estimate& e = variant.metrics[metric];
    line.text(variant.id).text(variant.provider).text(variant.model).text(variant.prompt);
    line.text(variant.parameters).flag(variant.baseline);
    line.text(key).flag(report.metrics[metric].primary);
    line.number(e.value).number(e.interval.lo).number(e.interval.hi).text(e.method);
    line.number(e.se).number(e.sd).number(e.median).number(e.n).number(e.missing);
    e.successes ? line.number(*e.successes) : line.empty();
    line.number(e.clusters).number(e.parts.inside).number(e.parts.items);
    line.number(variant.planned).number(variant.done).number(variant.unparsed);
    line.number(variant.truncated)
        .number(variant.refused)
        .number(variant.cached)
        .number(variant.replayed);
    line.number(variant.usage.total() - variant.usage.output - variant.usage.reasoning);
    line.number(variant.usage.output + variant.usage.reasoning);
    line.number(variant.estimated);
    line.text(variant.cost ? variant.cost->exact() : "");
    const bool timed = variant.latency.n > 0;
    line.number(timed ? variant.latency.p50 : std::nan(""));
    line.number(timed ? variant.latency.p95 : std::nan(""));
    line.end();
}

}  // namespace

Status write_csv(const Report& report, const Sink& sink) {
    Out out(sink);
    out << "variant,provider,model,prompt,parameters,baseline,metric,primary,value,interval_low,"
           "interval_high,interval_method,se,sd,median,n,missing,successes,clusters,"
           "variance_inside_items,variance_between_items,planned,done,"
           "unparsed,truncated,refused,cached,replayed,input_tokens,output_tokens,tokens_estimated,"
           "cost_usd,latency_s_p50,"
           "latency_s_p95\r\n";
    const std::vector<std::string> keys = metric_keys(report);
    CsvLine line(out);
    for (const VariantSummary& variant : report.variants) {
        for (std::size_t m = 0; m < variant.metrics.size() && m < keys.size(); ++m) {
            write_summary_line(line, report, variant, m, keys[m]);
        }
    }
    return out.finish();
}

Status write_comparisons_csv(const Report& report, const Sink& sink) {
    Out out(sink);
    out << "metric,primary,variant,against,n,dropped,clusters,value,value_against,difference,"
           "interval_low,interval_high,interval_method,se,effect_dz,only_variant,only_against,test,"
           "p,p_adjusted,p_at_floor,family,correction,minimum_effect,equivalence_p,"
           "equivalence_p_adjusted,detectable,needed,needed_of,lost,verdict,sentence,notes\r\n";
    const std::vector<std::string> keys = metric_keys(report);
    CsvLine line(out);
    for (const ComparisonRow& row : report.comparisons) {
        const science::Comparison& c = row.comparison;
        line.text(keys[row.metric]).flag(row.primary);
        line.text(report.variants[row.a].id).text(report.variants[row.b].id);
        line.number(c.n).number(c.dropped).number(c.clusters);
        line.number(c.value_a).number(c.value_b).number(c.difference);
        line.number(c.interval.lo).number(c.interval.hi).text(c.interval_method);
        line.number(c.se).number(c.effect_dz);
        c.only_a ? line.number(*c.only_a) : line.empty();
        c.only_b ? line.number(*c.only_b) : line.empty();
        line.text(c.tests.empty() ? "" : c.tests.front().name);
        line.number(c.p).number(c.p_adjusted).flag(c.p_at_floor);
        line.number(std::int64_t{c.family_size}).text(c.correction);
        c.minimum_effect ? line.number(*c.minimum_effect) : line.empty();
        line.number(c.equivalence_p).number(c.equivalence_p_adjusted);
        line.number(c.detectable).number(c.items_needed);
        line.text(c.clusters > 0 ? "clusters" : "items").number(c.lost);
        line.text(science::to_string(c.verdict)).text(c.sentence).text(join(c.notes, "; "));
        line.end();
    }
    return out.finish();
}

Status write_items_csv(const Report& report, const ItemSource& items, const Sink& sink) {
    Out out(sink);
    CsvLine line(out);
    const std::vector<std::string> scorers = scorers_of(report);
    const std::size_t metrics = report.metrics.size();
    for (const char* name :
         {"item", "reference", "variant", "repetition", "state", "finish_reason"}) {
        line.text(name);
    }
    for (const std::string& key : metric_keys(report)) {
        line.text(key);
    }
    for (const std::string& scorer : scorers) {
        line.text(scorer + ".extracted").text(scorer + ".parsed");
    }
    line.text("output").text("error").end();
    const auto write_sample = [&](const ItemRow& row, std::size_t v, const ItemSample& sample) {
        const bool done = sample.present && !sample.failed;
        line.text(row.id).text(row.reference).text(report.variants[v].id);
        line.number(std::int64_t{sample.repetition});
        line.text(done ? "done" : sample.present ? "failed" : "not_run").text(sample.finish_reason);
        for (std::size_t m = 0; m < metrics; ++m) {
            line.number(m < sample.scores.size() ? sample.scores[m] : std::nan(""));
        }
        for (std::size_t s = 0; s < scorers.size(); ++s) {
            line.text(s < sample.extracted.size() ? sample.extracted[s] : "");
            s < sample.parsed.size() && done ? line.flag(sample.parsed[s]) : line.empty();
        }
        line.text(sample.output).text(sample.error).end();
    };
    LAB_CHECK(items.each([&](const ItemRow& row) {
        for (std::size_t v = 0; v < row.samples.size() && v < report.variants.size(); ++v) {
            for (const ItemSample& sample : row.samples[v]) {
                write_sample(row, v, sample);
            }
        }
        return out.status();
    }));
    return out.finish();
}

}  // namespace lab::report
