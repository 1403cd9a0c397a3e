#include "report/tree.h"

#include "base/text.h"
#include "report/format.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace lab::report {
namespace {

Json strings(const std::vector<std::string>& texts) {
    Json out = Json::array();
    for (const std::string& text : texts) {
        out.push_back(text);
    }
    return out;
}

/// The text itself where it should have been JSON and is not.
Json parsed_or_text(const std::string& text) {
    if (text.empty()) {
        return nullptr;
    }
    auto parsed = parse_json(text);
    return parsed ? *std::move(parsed) : Json(text);
}

/// A decimal as text: money is exact, and a JSON number is not.
Json money_tree(const std::optional<Money>& money) {
    return money ? Json(money->exact()) : Json(nullptr);
}

Json interval_tree(const science::Interval& interval) {
    if (std::isnan(interval.lo) || std::isnan(interval.hi)) {
        return nullptr;
    }
    return Json::array({interval.lo, interval.hi});
}

Json optional_tree(const std::optional<std::int64_t>& count) {
    return count ? Json(*count) : Json(nullptr);
}

Json usage_tree(const domain::Usage& usage) {
    Json out;
    out["input"] = usage.input;
    out["cache_read"] = usage.cache_read;
    out["cache_write"] = usage.cache_write;
    out["output"] = usage.output;
    out["reasoning"] = usage.reasoning;
    out["total"] = usage.total();
    out["estimated"] = usage.estimated;
    return out;
}

Json latency_tree(const LatencySummary& latency) {
    if (latency.n == 0) {
        return nullptr;
    }
    Json out;
    out["n"] = latency.n;
    out["mean_s"] = latency.mean;
    out["p50_s"] = latency.p50;
    out["p90_s"] = latency.p90;
    out["p95_s"] = latency.p95;
    out["p99_s"] = latency.p99;
    out["max_s"] = latency.max;
    return out;
}

Json run_tree(const RunInfo& run) {
    Json out;
    out["id"] = run.id;
    out["experiment"] = run.experiment;
    out["number"] = run.number;
    out["description"] = run.description;
    out["tags"] = strings(run.tags);
    out["state"] = run.state;
    out["stop_reason"] = run.stop_reason;
    out["error"] = run.state == "failed" ? Json(run.stop_reason) : Json(nullptr);
    out["created_at"] = run.created_at;
    out["started_at"] = run.started_at;
    out["completed_at"] = run.completed_at;
    out["dataset"] = run.dataset;
    out["dataset_hash"] = run.dataset_hash;
    out["items"] = run.items;
    out["repetitions"] = run.repetitions;
    out["seed"] = run.seed;
    return out;
}

Json totals_tree(const Totals& totals) {
    Json out;
    out["planned"] = totals.planned;
    out["done"] = totals.done;
    out["missing"] = totals.missing;
    out["failed"] = totals.failed;
    out["unparsed"] = totals.unparsed;
    out["refused"] = totals.refused;
    out["cached"] = totals.cached;
    out["replayed"] = totals.replayed;
    out["calls"] = totals.calls;
    out["retries"] = totals.retries;
    out["uncertain"] = totals.uncertain;
    out["usage"] = usage_tree(totals.usage);
    out["usage_samples"] = totals.counted;
    out["usage_estimated_samples"] = totals.estimated;
    out["cost_usd"] = money_tree(totals.cost);
    out["uncertain_cost_usd"] = money_tree(totals.uncertain_cost);
    return out;
}

Json runtime_tree(const Report& report) {
    Json out = Json::array();
    for (const VariantSummary& variant : report.variants) {
        Json row;
        row["id"] = variant.id;
        row["cached"] = variant.cached;
        row["replayed"] = variant.replayed;
        row["usage"] = usage_tree(variant.usage);
        row["usage_samples"] = variant.counted;
        row["usage_estimated_samples"] = variant.estimated;
        row["cost_usd"] = money_tree(variant.cost);
        row["unpriced"] = variant.unpriced;
        row["latency"] = latency_tree(variant.latency);
        row["time_to_first_token"] = latency_tree(variant.time_to_first_token);
        out.push_back(std::move(row));
    }
    return out;
}

std::string_view kind_name(science::MetricKind kind) {
    switch (kind) {
        case science::MetricKind::binary:
            return "binary";
        case science::MetricKind::continuous:
            return "continuous";
        case science::MetricKind::corpus:
            break;
    }
    return "corpus";
}

std::string_view design_name(science::Design design) {
    switch (design) {
        case science::Design::proportion:
            return "proportion";
        case science::Design::mean:
            return "mean";
        case science::Design::corpus:
            return "corpus";
        case science::Design::clustered_mean:
            return "clustered_mean";
        case science::Design::clustered_corpus:
            return "clustered_corpus";
        case science::Design::different_items:
            break;
    }
    return "different_items";
}

Json metrics_tree(const Report& report, const std::vector<std::string>& keys) {
    Json out = Json::array();
    for (std::size_t i = 0; i < report.metrics.size(); ++i) {
        const MetricColumn& column = report.metrics[i];
        Json row;
        row["name"] = keys[i];
        row["scorer"] = column.scorer;
        row["kind"] = kind_name(column.info.kind);
        row["primary"] = column.primary;
        row["higher_is_better"] = column.info.higher_is_better;
        row["minimum"] = column.info.minimum;
        row["maximum"] = column.info.maximum;
        row["signature"] = column.info.signature;
        out.push_back(std::move(row));
    }
    return out;
}

Json estimate_tree(const science::Estimate& e) {
    Json out;
    out["value"] = e.value;
    out["se"] = e.se;
    out["sd"] = e.sd;
    out["median"] = e.median;
    out["n"] = e.n;
    out["missing"] = e.missing;
    out["successes"] = optional_tree(e.successes);
    out["clusters"] = e.clusters;
    out["design"] = design_name(e.design);
    out["interval"] = interval_tree(e.interval);
    out["method"] = e.method;
    out["bootstrap_interval"] = interval_tree(e.bootstrap);
    out["bootstrap_method"] = e.bootstrap_method;
    out["variance_inside_items"] = e.parts.inside;
    out["variance_between_items"] = e.parts.items;
    out["notes"] = strings(e.notes);
    return out;
}

Json variants_tree(const Report& report, const std::vector<std::string>& keys) {
    Json out = Json::array();
    for (const VariantSummary& variant : report.variants) {
        Json row;
        row["id"] = variant.id;
        row["model"] = variant.model;
        row["provider"] = variant.provider;
        row["prompt"] = variant.prompt;
        row["parameters"] = parsed_or_text(variant.parameters);
        row["baseline"] = variant.baseline;
        row["planned"] = variant.planned;
        row["done"] = variant.done;
        row["missing"] = variant.missing;
        row["unparsed"] = variant.unparsed;
        row["truncated"] = variant.truncated;
        row["refused"] = variant.refused;
        Json metrics = Json::object();
        for (std::size_t m = 0; m < variant.metrics.size() && m < keys.size(); ++m) {
            metrics[keys[m]] = estimate_tree(variant.metrics[m]);
        }
        row["metrics"] = std::move(metrics);
        out.push_back(std::move(row));
    }
    return out;
}

Json tests_tree(const science::Comparison& c) {
    Json out = Json::array();
    for (const science::TestResult& test : c.tests) {
        Json row;
        row["name"] = test.name;
        row["p"] = test.p;
        row["p_error"] = test.p_error;
        row["at_floor"] = test.at_floor;
        out.push_back(std::move(row));
    }
    return out;
}

Json bound_tree(const science::MissingBound& bound) {
    if (std::isnan(bound.difference)) {
        return nullptr;
    }
    Json out;
    out["difference"] = bound.difference;
    out["p"] = bound.p;
    out["p_adjusted"] = bound.p_adjusted;
    out["verdict"] = science::to_string(bound.verdict);
    return out;
}

Json comparison_tree(const science::Comparison& c) {
    Json out;
    out["design"] = design_name(c.design);
    out["n"] = c.n;
    out["dropped"] = c.dropped;
    out["clusters"] = c.clusters;
    out["value_a"] = c.value_a;
    out["value_b"] = c.value_b;
    out["difference"] = c.difference;
    out["se"] = c.se;
    out["sd"] = c.sd;
    out["df"] = c.df;
    out["interval"] = interval_tree(c.interval);
    out["method"] = c.interval_method;
    out["test"] = c.tests.empty() ? Json(nullptr) : Json(c.tests.front().name);
    out["p"] = c.p;
    out["p_adjusted"] = c.p_adjusted;
    out["p_at_floor"] = c.p_at_floor;
    out["family"] = c.family_size;
    out["correction"] = c.correction;
    out["effect_dz"] = c.effect_dz;
    out["correlation"] = c.correlation;
    out["only_a"] = optional_tree(c.only_a);
    out["only_b"] = optional_tree(c.only_b);
    out["both"] = optional_tree(c.both);
    out["neither"] = optional_tree(c.neither);
    out["minimum_effect"] = c.minimum_effect ? Json(*c.minimum_effect) : Json(nullptr);
    out["equivalence_p"] = c.equivalence_p;
    out["equivalence_p_adjusted"] = c.equivalence_p_adjusted;
    out["mde"] = c.detectable;
    out["mde_alpha"] = c.detectable_alpha;
    out["power"] = c.power;
    out["n_needed"] = c.items_needed;
    out["n_needed_of"] = c.clusters > 0 ? "clusters" : "items";
    out["lost"] = c.lost;
    out["missing_lowest"] = bound_tree(c.lowest);
    out["missing_highest"] = bound_tree(c.highest);
    out["verdict"] = science::to_string(c.verdict);
    out["sentence"] = c.sentence;
    out["reason"] = c.reason;
    out["tests"] = tests_tree(c);
    out["notes"] = strings(c.notes);
    return out;
}

Json results_tree(const Report& report) {
    const std::vector<std::string> keys = metric_keys(report);
    Json out;
    out["confidence"] = report.confidence;
    out["metrics"] = metrics_tree(report, keys);
    out["variants"] = variants_tree(report, keys);
    Json comparisons = Json::array();
    for (const ComparisonRow& row : report.comparisons) {
        Json tree;
        tree["metric"] = keys[row.metric];
        tree["a"] = report.variants[row.a].id;
        tree["b"] = report.variants[row.b].id;
        tree["primary"] = row.primary;
        tree.update(comparison_tree(row.comparison));
        comparisons.push_back(std::move(tree));
    }
    out["comparisons"] = std::move(comparisons);
    return out;
}

Json gates_tree(const Report& report) {
    Json out = Json::array();
    for (const GateResult& gate : report.gates) {
        Json row;
        row["condition"] = gate.condition;
        row["passed"] = gate.passed;
        row["found"] = gate.found;
        out.push_back(std::move(row));
    }
    return out;
}

Json errors_tree(const Report& report) {
    Json out = Json::array();
    for (const ErrorCount& error : report.errors) {
        Json row;
        row["code"] = error.code;
        row["message"] = error.message;
        row["count"] = error.count;
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace

Json report_tree(const Report& report) {
    Json out;
    out["schema_version"] = kTreeVersion;
    out["software_version"] = report.software_version;
    if (report.runs.size() == 1) {
        out["run"] = run_tree(report.runs[0]);
        out["manifest"] = parsed_or_text(report.runs[0].manifest);
    } else {
        Json runs = Json::array();
        for (const RunInfo& run : report.runs) {
            Json tree = run_tree(run);
            tree["manifest"] = parsed_or_text(run.manifest);
            runs.push_back(std::move(tree));
        }
        out["runs"] = std::move(runs);
    }
    out["totals"] = totals_tree(report.totals);
    out["variants_runtime"] = runtime_tree(report);
    out["gates"] = gates_tree(report);
    out["gates_passed"] = report.gates_passed();
    out["hypothesis"] = report.hypothesis;
    out["answer"] = report.answer;
    out["methods"] = strings(report.methods);
    out["warnings"] = strings(report.warnings);
    out["errors"] = errors_tree(report);
    out["results"] = results_tree(report);
    return out;
}

}  // namespace lab::report
