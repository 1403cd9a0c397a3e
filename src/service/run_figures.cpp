#include "service/impl/run_figures.h"

#include "engine/columns.h"
#include "service/experiments.h"
#include "service/impl/judging.h"
#include "storage/store/client_runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

namespace lab::service {
namespace {

using science::MetricKind;
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kClientSamplesMax = 100'000;

void pool(RunFigures& out) {
    if (out.variants.empty()) {
        return;
    }
    for (std::size_t m = 0; m < out.variants.front().metrics.size(); ++m) {
        ItemScores all = out.variants.front().metrics[m];
        if (out.variants.size() == 1) {
            out.metrics.push_back(std::move(all));
            continue;
        }
        const std::size_t size = all.info.kind == MetricKind::corpus ? all.info.stats_size : 0;
        for (std::size_t item = 0; item < out.items.size(); ++item) {
            double sum = 0;
            int count = 0;
            std::vector<double> stats(size, 0.0);
            for (const VariantFigures& variant : out.variants) {
                const ItemScores& scores = variant.metrics[m];
                if (std::isnan(scores.values[item])) {
                    continue;
                }
                sum += scores.values[item];
                ++count;
                for (std::size_t k = 0; k < size; ++k) {
                    stats[k] += scores.stats[item * size + k];
                }
            }
            all.values[item] = count > 0 ? sum / count : kMissing;
            for (std::size_t k = 0; k < size; ++k) {
                all.stats[item * size + k] = count > 0 ? stats[k] : kMissing;
            }
        }
        if (all.info.kind == MetricKind::binary) {
            // A mean of right and wrong is a share.
            all.info.kind = MetricKind::continuous;
        }
        out.metrics.push_back(std::move(all));
    }
}

/// Items of a judge's run are those of the run that is judged, so that two judges of the same
/// outputs, or of outputs for the same items, are compared item by item.
std::vector<std::string> item_names(const Experiment& experiment, bool judged) {
    const std::string rows = experiment.dataset.content_hash.substr(0, 16);
    std::vector<std::string> out;
    for (std::int64_t item = 0; item < experiment.items->count(); ++item) {
        std::string name;
        if (judged) {
            name = experiment.items->load(item).value("source", "");
        }
        out.push_back(
            name.empty() ? rows + ":" + std::to_string(experiment.items->row_of(item)) : name
        );
    }
    return out;
}

Status read_engine_run(const Request& request, RunFigures& out) {
    if (!awaited_outputs(out.run).empty()) {
        return ok();  // it has no rows yet
    }
    LAB_TRY(const Json source, parse_json(out.run.spec));
    LAB_TRY(const Json manifest, parse_json(out.run.manifest));
    LAB_TRY(
        out.experiment,
        load_stored_experiment(
            request.ctx,
            request.deps,
            source,
            manifest.value("base_folder", "."),
            out.run.dataset_hash,
            Purpose::report
        )
    );
    const Experiment& e = *out.experiment;
    LAB_TRY(const Json body, parse_json(out.run.body));
    out.items = item_names(e, body.value("judge", Json::object()).contains("source_run_id"));
    out.clusters = engine::clusters_of(*e.items, e.spec.analysis.cluster);
    storage::Journal journal(request.session);
    LAB_TRY(
        engine::RunColumns columns,
        engine::collect(
            request.ctx, journal, out.run.key, *e.plan, *e.scores, e.spec.variants.size()
        )
    );
    const engine::ScoreBook* const book = &*e.scores;
    for (std::size_t v = 0; v < columns.variants.size(); ++v) {
        engine::VariantColumns& column = columns.variants[v];
        VariantFigures variant;
        variant.id = e.spec.variants[v].id;
        variant.model = e.spec.models[e.spec.variants[v].model].id;
        variant.planned = column.planned;
        variant.done = column.done;
        variant.unparsed = column.unparsed;
        for (std::size_t slot = 0; slot < book->slots().size(); ++slot) {
            ItemScores scores;
            scores.info = book->slots()[slot].info;
            scores.values = std::move(column.values[slot]);
            if (scores.info.kind == MetricKind::corpus) {
                scores.stats = std::move(column.stats[slot]);
                scores.aggregate = [book, slot](std::span<const double> sums) {
                    return book->aggregate(slot, sums);
                };
            }
            variant.metrics.push_back(std::move(scores));
        }
        out.variants.push_back(std::move(variant));
    }
    return ok();
}

/// Mean and number of the scores that several raters gave one item.
struct Rated {
    double sum = 0;
    int count = 0;
};
/// variant -> metric -> item
using Ratings =
    std::map<std::string, std::map<std::string, std::unordered_map<std::string, Rated>>>;

science::MetricInfo client_info(
    const std::string& name, const std::vector<double>& values, const Json& known
) {
    science::MetricInfo out;
    out.name = name;
    const bool binary = std::ranges::all_of(values, [](double value) {
        return std::isnan(value) || value == 0 || value == 1;
    });
    out.kind = binary ? MetricKind::binary : MetricKind::continuous;
    out.minimum = binary ? 0 : -std::numeric_limits<double>::infinity();
    out.maximum = binary ? 1 : std::numeric_limits<double>::infinity();
    const auto said = known.find(name);
    out.higher_is_better = said == known.end() || said->value("higher_is_better", true);
    return out;
}

Status read_client_run(const Request& request, const Json& known, RunFigures& out) {
    storage::ClientRuns clients(request.session);
    LAB_TRY(
        const auto samples, clients.list_samples(request.ctx, out.run.key, 0, kClientSamplesMax)
    );
    Ratings ratings;
    std::set<std::string> names;
    std::unordered_map<std::string, std::size_t> place;
    std::map<std::string, std::set<std::string>> done;
    for (const storage::ClientSample& sample : samples) {
        LAB_TRY(const Json body, parse_json(sample.body));
        const std::string item = body.value("item_id", sample.client_id);
        const std::string variant = body.value("variant", "");
        if (place.emplace(item, out.items.size()).second) {
            out.items.push_back(item);
        }
        done[variant].insert(item);
        for (const auto& [name, value] : body.value("scores", Json::object()).items()) {
            if (value.is_number()) {
                names.insert(name);
                Rated& rated = ratings[variant][name][item];
                rated.sum += value.get<double>();
                ++rated.count;
            }
        }
    }
    for (const auto& [id, items] : done) {
        VariantFigures variant;
        variant.id = id.empty() ? "all" : id;
        variant.planned = variant.done = std::ssize(items);
        for (const std::string& name : names) {
            ItemScores scores;
            scores.values.assign(out.items.size(), kMissing);
            for (const auto& [item, rated] : ratings[id][name]) {
                scores.values[place[item]] = rated.sum / rated.count;
            }
            variant.metrics.push_back(std::move(scores));
        }
        out.variants.push_back(std::move(variant));
    }
    std::size_t m = 0;
    for (const std::string& name : names) {
        std::vector<double> all;
        for (const VariantFigures& variant : out.variants) {
            all.insert(
                all.end(), variant.metrics[m].values.begin(), variant.metrics[m].values.end()
            );
        }
        for (VariantFigures& variant : out.variants) {
            variant.metrics[m].info = client_info(name, all, known);
        }
        ++m;
    }
    for (std::string& item : out.items) {
        item = "client:" + item;
    }
    LAB_TRY(out.points, client_metrics(request, out.run.key));
    return ok();
}

}  // namespace

Result<RunFigures> read_figures(const Request& request, const domain::Run& run, const Json& known) {
    RunFigures out;
    out.run = run;
    if (run.origin == "engine") {
        LAB_CHECK(read_engine_run(request, out));
    } else {
        LAB_CHECK(read_client_run(request, known, out));
    }
    pool(out);
    return out;
}

ItemScores aligned(
    const ItemScores& scores,
    const std::vector<std::string>& items,
    const std::vector<std::string>& wanted
) {
    if (items == wanted) {
        return scores;
    }
    std::unordered_map<std::string_view, std::size_t> place;
    for (std::size_t i = 0; i < items.size(); ++i) {
        place.emplace(items[i], i);
    }
    ItemScores out = scores;
    out.values.assign(wanted.size(), kMissing);
    const std::size_t size = scores.stats.empty() ? 0 : scores.info.stats_size;
    out.stats.assign(wanted.size() * size, kMissing);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto found = place.find(wanted[i]);
        if (found == place.end()) {
            continue;
        }
        out.values[i] = scores.values[found->second];
        for (std::size_t k = 0; k < size; ++k) {
            out.stats[i * size + k] = scores.stats[found->second * size + k];
        }
    }
    return out;
}

science::MetricSample metric_sample(const ItemScores& scores, const std::vector<int>& clusters) {
    science::MetricSample out;
    out.kind = scores.info.kind;
    out.higher_is_better = scores.info.higher_is_better;
    out.values = scores.values;
    out.clusters = clusters;
    out.minimum = scores.info.minimum;
    out.maximum = scores.info.maximum;
    if (scores.info.kind == MetricKind::corpus) {
        out.stats = scores.stats;
        out.stats_size = scores.info.stats_size;
        out.aggregate = scores.aggregate;
    }
    out.wording = science::wording_for(scores.info);
    return out;
}

Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json estimate_json(const science::Estimate& estimate, const science::MetricInfo& info) {
    Json out = Json::object();
    out["mean"] = finite(estimate.value);
    out["std"] = finite(estimate.sd);
    out["standard_error"] = finite(estimate.se);
    out["median"] = finite(estimate.median);
    out["n"] = estimate.n;
    out["missing"] = estimate.missing;
    out["confidence_interval"] = {
        {"low", finite(estimate.interval.lo)},
        {"high", finite(estimate.interval.hi)},
        {"method", estimate.method},
    };
    out["higher_is_better"] = info.higher_is_better;
    out["minimum"] = finite(info.minimum);
    out["maximum"] = finite(info.maximum);
    if (!estimate.notes.empty()) {
        out["notes"] = estimate.notes;
    }
    return out;
}

Json comparison_json(const science::Comparison& comparison, double hedges_g) {
    using science::Verdict;
    const bool paired = comparison.design != science::Design::different_items;
    const bool significant =
        comparison.verdict == Verdict::better || comparison.verdict == Verdict::worse;
    Json out = Json::object();
    out["paired"] = paired;
    out["n"] = comparison.n;
    out["dropped"] = comparison.dropped;
    out["value_a"] = finite(comparison.value_a);
    out["value_b"] = finite(comparison.value_b);
    out["difference"] = finite(comparison.difference);
    out["confidence_interval"] = {
        {"low", finite(comparison.interval.lo)},
        {"high", finite(comparison.interval.hi)},
        {"method", comparison.interval_method},
    };
    out["test"] = comparison.tests.empty() ? Json() : Json(comparison.tests.front().name);
    out["p_value"] = finite(comparison.p);
    out["corrected_p_value"] = finite(comparison.p_adjusted);
    out["significant"] = significant;
    out["effect_size"] = finite(paired ? comparison.effect_dz : hedges_g);
    out["effect_size_name"] = paired ? "Cohen d_z" : "Hedges g";
    out["verdict"] = science::to_string(comparison.verdict);
    out["sentence"] = comparison.sentence;
    if (!comparison.reason.empty()) {
        out["reason"] = comparison.reason;
    }
    if (!comparison.notes.empty()) {
        out["notes"] = comparison.notes;
    }
    return out;
}

}  // namespace lab::service
