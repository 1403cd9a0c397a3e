#include "report/junit.h"

#include "report/format.h"
#include "report/impl/markup.h"

#include <algorithm>
#include <cmath>

namespace lab::report {
namespace {

struct Case {
    std::string name;
    std::string failure;  ///< empty = passed
    std::string skipped;  ///< empty = not skipped
    std::string output;
};

struct Suite {
    std::string name;
    std::string timestamp;
    std::vector<Case> cases;
};

Case completion_case(const RunInfo& run) {
    Case out{.name = "the run completed"};
    if (run.state != "completed") {
        out.failure = run.state + (run.stop_reason.empty() ? "" : ": " + run.stop_reason);
    }
    return out;
}

void add_gates(Suite& suite, const Report& report) {
    for (const GateResult& gate : report.gates) {
        Case one{.name = gate.condition, .output = "found " + gate.found};
        if (!gate.passed) {
            one.failure = "found " + gate.found + "; wanted: " + gate.condition;
        }
        suite.cases.push_back(std::move(one));
    }
}

void add_figures(Suite& suite, const Report& report) {
    const std::vector<std::string> keys = metric_keys(report);
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        if (!report.metrics[m].primary) {
            continue;
        }
        for (const VariantSummary& variant : report.variants) {
            const science::Estimate& e = variant.metrics[m];
            Case one{.name = keys[m] + " of " + variant.id};
            if (std::isnan(e.value)) {
                one.skipped = "n/a: " + (e.notes.empty() ? "no value" : e.notes.front());
            } else {
                const science::MetricInfo& info = report.metrics[m].info;
                one.output = keys[m] + " " + format_figure(info, e.value) + " " +
                             format_interval(info, e.interval) + " " + e.method;
            }
            suite.cases.push_back(std::move(one));
        }
    }
}

std::vector<Suite> make_suites(const Report& report) {
    std::vector<Suite> out;
    for (const RunInfo& run : report.runs) {
        Suite suite{
            .name = run.experiment + " #" + std::to_string(run.number), .timestamp = run.started_at
        };
        suite.cases.push_back(completion_case(run));
        out.push_back(std::move(suite));
    }
    if (out.size() != 1) {
        out.push_back({.name = "comparison"});
    }
    if (report.gates.empty()) {
        add_figures(out.back(), report);
    } else {
        add_gates(out.back(), report);
    }
    return out;
}

std::string count_of(const std::vector<Case>& cases, std::string Case::* field) {
    return std::to_string(std::ranges::count_if(cases, [field](const Case& one) {
        return !(one.*field).empty();
    }));
}

void write_case(Out& out, const Case& one, const std::string& suite) {
    out << "    <testcase classname=\"" << markup(suite) << "\" name=\"" << markup(one.name)
        << "\" time=\"0\">\n";
    if (!one.failure.empty()) {
        const std::string text = markup(one.failure);
        out << "      <failure type=\"gate\" message=\"" << text << "\">" << text << "</failure>\n";
    }
    if (!one.skipped.empty()) {
        out << "      <skipped message=\"" << markup(one.skipped) << "\"/>\n";
    }
    if (!one.output.empty()) {
        out << "      <system-out>" << markup(one.output) << "</system-out>\n";
    }
    out << "    </testcase>\n";
}

}  // namespace

Status write_junit(const Report& report, const Sink& sink) {
    Out out(sink);
    out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    for (const Suite& suite : make_suites(report)) {
        out << "  <testsuite name=\"" << markup(suite.name) << "\" tests=\""
            << std::to_string(suite.cases.size()) << "\" failures=\""
            << count_of(suite.cases, &Case::failure) << "\" errors=\"0\" skipped=\""
            << count_of(suite.cases, &Case::skipped) << "\" time=\"0\"";
        if (!suite.timestamp.empty()) {
            out << " timestamp=\"" << markup(suite.timestamp) << "\"";
        }
        out << ">\n";
        for (const Case& one : suite.cases) {
            write_case(out, one, suite.name);
        }
        out << "  </testsuite>\n";
    }
    out << "</testsuites>\n";
    return out.finish();
}

}  // namespace lab::report
