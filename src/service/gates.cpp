#include "service/gates.h"

#include "base/text.h"
#include "science/stats/words.h"

#include <algorithm>
#include <cmath>

namespace lab::service {
namespace {

std::string number(double value) {
    if (std::isnan(value)) {
        return "n/a";
    }
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string bounds(const domain::GateSpec& gate) {
    std::string out;
    if (gate.min) {
        out += "at least " + number(*gate.min);
    }
    if (gate.max) {
        out += (out.empty() ? "" : " and ") + std::string("at most ") + number(*gate.max);
    }
    return out;
}

bool within(const domain::GateSpec& gate, double low, double high) {
    return !std::isnan(low) && !std::isnan(high) && (!gate.min || low >= *gate.min) &&
           (!gate.max || high <= *gate.max);
}

double figure(const std::string& name, const report::Report& report) {
    const report::Totals& t = report.totals;
    const auto share = [](std::int64_t part, std::int64_t whole) {
        return whole == 0 ? std::nan("") : static_cast<double>(part) / static_cast<double>(whole);
    };
    if (name == "error_share") {
        return share(t.missing, t.planned);
    }
    if (name == "unparsed_share") {
        return share(t.unparsed, t.done);
    }
    if (name == "cost_usd") {
        return t.cost ? static_cast<double>(t.cost->pico()) / 1e12 : std::nan("");
    }
    if (name == "latency_p95_s") {
        double worst = std::nan("");
        for (const report::VariantSummary& variant : report.variants) {
            worst = std::fmax(worst, variant.latency.p95);
        }
        return worst;
    }
    return std::nan("");
}

std::vector<report::GateResult> judge_metric(
    const domain::GateSpec& gate, const report::Report& report
) {
    std::vector<report::GateResult> out;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        if (report.metrics[m].info.name != gate.metric) {
            continue;
        }
        for (const report::VariantSummary& variant : report.variants) {
            if (!gate.variant.empty() && gate.variant != variant.id) {
                continue;
            }
            const science::Estimate& e = variant.metrics[m];
            const double low = gate.use_interval ? e.interval.lo : e.value;
            const double high = gate.use_interval ? e.interval.hi : e.value;
            out.push_back(
                {.condition = gate.metric + " of " + variant.id + " " + bounds(gate) +
                              (gate.use_interval ? ", the whole interval" : ""),
                 .passed = within(gate, low, high),
                 .found = gate.use_interval ? number(e.interval.lo) + " to " + number(e.interval.hi)
                                            : number(e.value)}
            );
        }
    }
    return out;
}

std::vector<report::GateResult> judge_verdict(
    const domain::GateSpec& gate, const report::Report& report
) {
    std::vector<report::GateResult> out;
    for (const report::ComparisonRow& row : report.comparisons) {
        if (report.metrics[row.metric].info.name != gate.metric ||
            (!gate.variant.empty() && gate.variant != report.variants[row.a].id)) {
            continue;
        }
        const std::string verdict(science::to_string(row.comparison.verdict));
        out.push_back(
            {.condition = gate.metric + " of " + report.variants[row.a].id + " against " +
                          report.variants[row.b].id + " is " + join(gate.verdict, " or "),
             .passed = std::ranges::find(gate.verdict, verdict) != gate.verdict.end(),
             .found = verdict}
        );
    }
    return out;
}

}  // namespace

std::vector<report::GateResult> judge_gates(
    const domain::ExperimentSpec& spec, const report::Report& report
) {
    std::vector<report::GateResult> out;
    for (const domain::GateSpec& gate : spec.gates) {
        std::vector<report::GateResult> judged;
        if (!gate.figure.empty()) {
            const double value = figure(gate.figure, report);
            judged.push_back(
                {.condition = gate.figure + " " + bounds(gate),
                 .passed = within(gate, value, value),
                 .found = number(value)}
            );
        } else if (!gate.verdict.empty()) {
            judged = judge_verdict(gate, report);
        } else {
            judged = judge_metric(gate, report);
        }
        if (judged.empty()) {
            judged.push_back(
                {.condition = "gate on " + (gate.metric.empty() ? gate.figure : gate.metric),
                 .passed = false,
                 .found = "nothing to judge"}
            );
        }
        out.insert(out.end(), judged.begin(), judged.end());
    }
    return out;
}

}  // namespace lab::service
