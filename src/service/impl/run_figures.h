#pragma once
#include "domain/run.h"
#include "science/stats/analysis.h"
#include "service/experiment.h"
#include "service/request.h"

#include <memory>
#include <string>
#include <vector>

/// The scores of one run by item, whoever carried it out, ready for science/stats.
namespace lab::service {

/// One metric of a run, or of one of its variants; NaN where an item has no value.
struct ItemScores {
    science::MetricInfo info;
    std::vector<double> values;  ///< one an item
    std::vector<double> stats;   ///< corpus metrics: [item][info.stats_size]
    std::function<double(std::span<const double>)> aggregate;
};

struct VariantFigures {
    std::string id;
    std::string model;  ///< the provider's name of it; empty of a client's run
    std::int64_t planned = 0;
    std::int64_t done = 0;
    std::int64_t unparsed = 0;
    std::vector<ItemScores> metrics;  ///< by RunFigures::metrics
};

struct RunFigures {
    domain::Run run;
    /// What an item is. Equal texts are the same item: the same row of the same data, or what a
    /// client calls by the same name.
    std::vector<std::string> items;
    std::vector<int> clusters;  ///< one an item; empty = independent
    std::vector<VariantFigures> variants;
    /// Over the variants: an item's value is the mean of its values, its statistics their sum.
    std::vector<ItemScores> metrics;
    /// Points a client reported beside scores of items: the last of each name.
    Json points = Json::object();
    std::unique_ptr<Experiment> experiment;  ///< keeps `aggregate` alive; null of a client's run
};

/// Reads what the run has stored so far. `known`: what the caller says of metrics by name
/// ({higher_is_better}), for those of a client.
Result<RunFigures> read_figures(
    const Request& request, const domain::Run& run, const Json& known = Json::object()
);

/// Of some items, in the order of `wanted`; NaN for those it does not have.
ItemScores aligned(
    const ItemScores& scores,
    const std::vector<std::string>& items,
    const std::vector<std::string>& wanted
);
/// Borrows `scores`.
science::MetricSample metric_sample(const ItemScores& scores, const std::vector<int>& clusters);

/// {value, mean, std, n, missing, confidence_interval, ...}
Json estimate_json(const science::Estimate& estimate, const science::MetricInfo& info);
/// {difference, test, p_value, corrected_p_value, significant, effect_size, ...}; who is a and b
/// says the caller. `effect_size`: d_z of pairs, else `hedges_g`.
Json comparison_json(const science::Comparison& comparison, double hedges_g);
/// A number, or null where there is none.
Json finite(double value);

}  // namespace lab::service
