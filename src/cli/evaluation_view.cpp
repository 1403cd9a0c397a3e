#include "cli/evaluation_view.h"

#include "cli/api_view.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace lab::cli {
namespace {

/// Four significant digits; "-" for what is not there.
std::string figure(const Json& value) {
    if (!value.is_number()) {
        return "-";
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value.get<double>());
    return text;
}

/// A p-value is never 0.
std::string probability(const Json& value) {
    if (value.is_number() && value.get<double>() < 1e-4) {
        return "< 0.0001";
    }
    return figure(value);
}

std::string interval(const Json& one) {
    const Json found = one.value("confidence_interval", Json::object());
    const Json low = found.value("low", Json());
    const Json high = found.value("high", Json());
    return low.is_number() ? figure(low) + " to " + figure(high) : "-";
}

std::string passed(const Json& one) {
    const auto found = one.find("passed");
    if (found == one.end()) {
        return "";
    }
    return found->get<bool>() ? "passed" : "missed";
}

Status print(const Console& console, const std::string& title, Table table) {
    if (table.rows.empty()) {
        return ok();
    }
    if (console.out_is_terminal) {
        fit_to_width(table, console.width);
    }
    LAB_CHECK(write_all(console.out, title));
    return print_table(console, table, "table");
}

/// "no difference shown"
std::string verdict_of(const Json& one) {
    std::string out = cell_of(one, "verdict");
    std::ranges::replace(out, '_', ' ');
    return out;
}

/// One test of `a` against `b`, which stand in the members of these names.
std::vector<std::string> tested(const Json& one, const char* a, const char* b) {
    return {
        cell_of(one, a),
        cell_of(one, b),
        figure(one.value("difference", Json())),
        interval(one),
        probability(one.value("corrected_p_value", Json())),
        verdict_of(one),
    };
}

Table tests_table() {
    return {
        .columns = {"metric", "a", "b", "a - b", "interval", "p, corrected", "a is"},
        .rows = {},
        .numeric = {},
    };
}

}  // namespace

Status print_results(const Console& console, const Json& results) {
    Table figures{
        .columns = {"variant", "metric", "mean", "interval", "n", "missing", "threshold"},
        .rows = {},
        .numeric = {},
    };
    for (const Json& model : results.value("by_model", Json::array())) {
        for (const auto& [name, one] : model.value("metrics", Json::object()).items()) {
            figures.rows.push_back(
                {cell_of(model, "variant"),
                 name,
                 figure(one.value("mean", Json())),
                 interval(one),
                 cell_of(one, "n"),
                 cell_of(one, "missing"),
                 passed(one)}
            );
        }
    }
    const auto is_empty = [](const std::vector<std::string>& row) { return row.back().empty(); };
    if (std::ranges::all_of(figures.rows, is_empty)) {
        figures.columns.pop_back();  // no metric has a threshold
        std::ranges::for_each(figures.rows, [](auto& row) { row.pop_back(); });
    }
    Table tests = tests_table();
    for (const Json& one : results.value("comparisons", Json::array())) {
        std::vector<std::string> row = tested(one, "variant_a", "variant_b");
        row.insert(row.begin(), cell_of(one, "metric"));
        tests.rows.push_back(std::move(row));
    }
    LAB_CHECK(print_fields(
        console,
        {{"run", cell_of(results, "run_id"), false},
         {"status", cell_of(results, "status"), false},
         {"items", cell_of(results, "items"), false},
         {"overall score", figure(results.value("overall_score", Json())), false},
         {"error", cell_of(results, "run.error"), false}},
        "table"
    ));
    LAB_CHECK(print(console, "\n", std::move(figures)));
    LAB_CHECK(print(console, "\n", std::move(tests)));
    note(console, "samples, and all there is of the run: -o json");
    return ok();
}

Status print_comparison(const Console& console, const Json& comparison) {
    Table figures{.columns = {"metric", "run", "value", "best"}, .rows = {}, .numeric = {}};
    Table tests = tests_table();
    for (const auto& [name, metric] : comparison.value("metrics", Json::object()).items()) {
        const std::string best = cell_of(metric, "best_run_id");
        for (const auto& [run, value] : metric.value("values", Json::object()).items()) {
            figures.rows.push_back({name, run, figure(value), run == best ? "best" : ""});
        }
        for (const Json& one : metric.value("tests", Json::array())) {
            std::vector<std::string> row = tested(one, "run_a", "run_b");
            row.insert(row.begin(), name);
            tests.rows.push_back(std::move(row));
        }
    }
    LAB_CHECK(print(console, "", std::move(figures)));
    LAB_CHECK(print(console, "\n", std::move(tests)));
    LAB_CHECK(write_all(console.out, "\n"));
    return print_fields(
        console,
        {{"winner", cell_of(comparison, "winner"), false},
         {"correction",
          cell_of(comparison, "correction") + " over " + cell_of(comparison, "comparisons"),
          false}},
        "table"
    );
}

}  // namespace lab::cli
