#include "science/stats/effect.h"
#include "service/evaluation_runs.h"
#include "service/impl/evaluation_config.h"
#include "service/impl/queue_run.h"
#include "service/impl/run_figures.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace lab::service {
namespace {

science::AnalysisOptions options() {
    science::AnalysisOptions out;
    out.bootstrap_replicates = 2000;
    return out;
}

/// The weighted mean of the metrics that have a weight; null when none has one, or one of them no
/// value.
Json overall_of(const Json& metrics, const Json& known) {
    double sum = 0;
    double weights = 0;
    for (const auto& [name, said] : known.items()) {
        const double weight = said.value("weight", 0.0);
        if (weight <= 0) {
            continue;
        }
        const auto found = metrics.find(name);
        if (found == metrics.end() || !(*found)["mean"].is_number()) {
            return nullptr;
        }
        sum += weight * (*found)["mean"].get<double>();
        weights += weight;
    }
    return weights > 0 ? Json(sum / weights) : Json();
}

/// Of a judge: the rating that stands for all of them.
Json overall_rating(const Json& metrics, const RunFigures& figures) {
    if (figures.metrics.empty()) {
        return nullptr;
    }
    return metrics[figures.metrics.front().info.name]["mean"];
}

/// The provider's name of the model that gave the outputs of this variant.
Json judged_model(const Json& judge, const std::string& variant) {
    for (const Json& one : judge["judged"]) {
        if (one["variant"] == variant) {
            return one["model"];
        }
    }
    return nullptr;
}

/// Whether a figure is where the threshold wants it; what cannot be shown is not.
bool passes(const Json& threshold, const Json& figure) {
    if (!figure.is_number()) {
        return false;
    }
    const double value = figure.get<double>();
    if (threshold.contains("above")) {
        return value >= threshold["above"].get<double>();
    }
    if (threshold.contains("below")) {
        return value <= threshold["below"].get<double>();
    }
    if (threshold.contains("equal")) {
        return value == threshold["equal"].get<double>();
    }
    return value >= threshold["between"][0].get<double>() &&
           value <= threshold["between"][1].get<double>();
}

Json metrics_json(
    const std::vector<ItemScores>& metrics, const std::vector<int>& clusters, const Json& known
) {
    Json out = Json::object();
    for (const ItemScores& one : metrics) {
        out[one.info.name] =
            estimate_json(science::estimate(metric_sample(one, clusters), options()), one.info);
    }
    for (const auto& [name, said] : known.items()) {
        if (said.contains("threshold") && out.contains(name)) {
            out[name]["threshold"] = said["threshold"];
            out[name]["passed"] = passes(said["threshold"], out[name]["mean"]);
        }
    }
    return out;
}

/// Every pair of models on every metric, item by item, the later against the earlier one.
Result<Json> pairs_json(const Request& request, const RunFigures& figures) {
    struct Pair {
        std::size_t metric;
        std::size_t a;
        std::size_t b;
    };
    std::vector<Pair> pairs;
    std::vector<science::Comparison> family;
    for (std::size_t m = 0; m < figures.metrics.size(); ++m) {
        for (std::size_t a = 1; a < figures.variants.size(); ++a) {
            for (std::size_t b = 0; b < a; ++b) {
                LAB_CHECK(request.ctx.check());
                family.push_back(science::compare(
                    metric_sample(figures.variants[a].metrics[m], figures.clusters),
                    metric_sample(figures.variants[b].metrics[m], figures.clusters),
                    options()
                ));
                pairs.push_back({m, a, b});
            }
        }
    }
    science::apply_family(family, options());
    Json out = Json::array();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        Json one = {
            {"metric", figures.metrics[pairs[i].metric].info.name},
            {"variant_a", figures.variants[pairs[i].a].id},
            {"variant_b", figures.variants[pairs[i].b].id},
        };
        one.update(comparison_json(family[i], std::nan("")));
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

Result<Json> evaluation_results(
    const Request& request, const std::string& id, const std::string& run, const SampleQuery& query
) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(const domain::Run found, need_evaluation_run(request, id, run, domain::Deed::read));
    LAB_TRY(const Json body, parse_json(found.body));
    const Json known = known_metrics(body.value("config", Json::object()));
    LAB_TRY(const RunFigures figures, read_figures(request, found, known));
    LAB_TRY(Json shown, get_evaluation_run(request, id, run));
    Json out = Json::object();
    out["evaluation_id"] = id;
    out["run_id"] = found.id;
    out["status"] = shown["status"];
    out["items"] = figures.items.size();
    out["metrics"] = metrics_json(figures.metrics, figures.clusters, known);
    const bool judged = body.contains("judge");
    const auto overall = [&](const Json& metrics) {
        return judged ? overall_rating(metrics, figures) : overall_of(metrics, known);
    };
    out["overall_score"] = overall(out["metrics"]);
    out["by_model"] = Json::array();
    for (const VariantFigures& variant : figures.variants) {
        Json one = Json::object();
        one["variant"] = variant.id;
        one["model"] = judged                  ? judged_model(body["judge"], variant.id)
                       : variant.model.empty() ? Json()
                                               : Json(variant.model);
        one["planned"] = variant.planned;
        one["completed"] = variant.done;
        one["unparsed"] = variant.unparsed;
        one["metrics"] = metrics_json(variant.metrics, figures.clusters, known);
        one["overall_score"] = overall(one["metrics"]);
        out["by_model"].push_back(std::move(one));
    }
    LAB_TRY(out["comparisons"], pairs_json(request, figures));
    out["reported"] = figures.points;
    LAB_TRY(auto samples, samples_of(request, found, query));
    out["samples"] = {
        {"data", std::move(samples.rows)},
        {"pagination",
         {{"limit", query.limit},
          {"has_more", samples.more},
          {"next_cursor", samples.more ? Json(std::to_string(samples.last)) : Json()}}},
    };
    out["run"] = std::move(shown);
    return out;
}

}  // namespace lab::service
