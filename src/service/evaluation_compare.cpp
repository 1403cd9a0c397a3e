#include "service/evaluation_compare.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "science/metrics/scorer.h"
#include "science/stats/effect.h"
#include "service/experiments.h"
#include "service/impl/evaluation_config.h"
#include "service/impl/run_figures.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::service {
namespace {

using domain::Run;
using science::Comparison;

constexpr int kReplicates = 2000;
/// Of all runs together: they are held in memory.
constexpr std::size_t kItemsMax = 2'000'000;

/// One metric of all runs.
struct Line {
    std::string name;
    std::vector<const ItemScores*> scores;  ///< by run; null where only a point is known
    std::vector<double> values;             ///< by run
    bool higher_is_better = true;
};
struct Tested {
    std::size_t line = 0;
    std::size_t a = 0;
    std::size_t b = 0;
    double hedges_g = std::nan("");
};

std::vector<double> present(const std::vector<double>& values) {
    std::vector<double> out;
    std::ranges::copy_if(values, std::back_inserter(out), [](double v) { return !std::isnan(v); });
    return out;
}

class Comparer {
  public:
    Comparer(const Request& request, const Json& body) : request_(request), body_(body) {
        const Json tests = body.value("statistical_tests", Json(true));
        tests_ = tests.is_boolean() ? tests.get<bool>() : true;
        const Json how = tests.is_object() ? tests : Json::object();
        options_.alpha = how.value("significance_level", 0.05);
        options_.confidence = how.value("confidence_level", 0.95);
        options_.bootstrap_replicates = kReplicates;
        const std::string correction = how.value("correction", "holm");
        options_.correction = correction == "bh"     ? domain::CorrectionMethod::bh
                              : correction == "none" ? domain::CorrectionMethod::none
                                                     : domain::CorrectionMethod::holm;
    }

    Result<Json> run() {
        LAB_CHECK(read_runs());
        LAB_CHECK(line_up());
        for (std::size_t line = 0; tests_ && line < lines_.size(); ++line) {
            for (std::size_t a = 1; a < runs_.size(); ++a) {
                for (std::size_t b = 0; b < a; ++b) {
                    LAB_CHECK(request_.ctx.check());
                    test(line, a, b);
                }
            }
        }
        science::apply_family(comparisons_, options_);
        return answer();
    }

  private:
    Status read_runs() {
        std::vector<Detail> problems;
        std::set<std::string> seen;
        std::size_t items = 0;
        const Json& ids = body_["run_ids"];
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const std::string id = to_lower(ids[i].get<std::string>());
            if (!seen.insert(id).second) {
                problems.push_back({path_index("run_ids", i), "is named twice"});
                continue;
            }
            LAB_TRY(const auto found, find_visible_run(request_, id));
            if (!found) {
                problems.push_back({path_index("run_ids", i), "there is no run with this id"});
                continue;
            }
            LAB_TRY(const Json body, parse_json(found->body));
            const bool of_evaluation = body.contains("evaluation_id");
            const Json known = of_evaluation ? known_metrics(body["config"]) : Json::object();
            LAB_TRY(runs_.emplace_back(), read_figures(request_, *found, known));
            items += runs_.back().items.size();
            if (items > kItemsMax) {
                return Error(
                    Code::validation,
                    "these runs cannot be compared",
                    {{"run_ids", "together they have more than 2,000,000 items: name fewer"}}
                );
            }
        }
        return problems.empty()
                   ? ok()
                   : Status(Error(
                         Code::validation, "these runs cannot be compared", std::move(problems)
                     ));
    }

    /// The scores of this name, or null.
    static const ItemScores* scores_of(const RunFigures& run, const std::string& name) {
        const auto found = std::ranges::find_if(run.metrics, [&](const ItemScores& one) {
            return one.info.name == name;
        });
        return found == run.metrics.end() ? nullptr : &*found;
    }

    std::optional<Line> line_of(const std::string& name) const {
        Line out{.name = name};
        for (const RunFigures& run : runs_) {
            const ItemScores* const scores = scores_of(run, name);
            const bool point = run.points.contains(name);
            if (scores == nullptr && !point) {
                return std::nullopt;
            }
            const ItemScores* const first = out.scores.empty() ? nullptr : out.scores.front();
            if (scores != nullptr && first != nullptr &&
                scores->info.signature != first->info.signature) {
                return std::nullopt;  // of the same name, and not the same figure
            }
            double value = std::nan("");
            if (scores != nullptr) {
                out.higher_is_better = scores->info.higher_is_better;
                value = science::estimate(metric_sample(*scores, run.clusters), options_).value;
            } else {
                value = run.points[name].get<double>();
            }
            out.scores.push_back(scores);
            out.values.push_back(value);
        }
        return out;
    }

    Status line_up() {
        std::vector<std::string> names;
        const bool asked = body_.contains("metrics");
        if (asked) {
            names = body_["metrics"].get<std::vector<std::string>>();
        } else {
            for (const ItemScores& one : runs_.front().metrics) {
                names.push_back(one.info.name);
            }
            for (const auto& [name, value] : runs_.front().points.items()) {
                names.push_back(name);
            }
        }
        std::vector<Detail> problems;
        for (std::size_t i = 0; i < names.size(); ++i) {
            auto line = line_of(names[i]);
            if (line) {
                lines_.push_back(*std::move(line));
            } else if (asked) {
                problems.push_back(
                    {path_index("metrics", i),
                     "not every run has \"" + shorten(names[i], 60) + "\", computed in the same way"
                    }
                );
            }
        }
        if (lines_.empty() && problems.empty()) {
            problems.push_back({"run_ids", "these runs have no metric in common"});
        }
        return problems.empty()
                   ? ok()
                   : Status(Error(
                         Code::validation, "these runs cannot be compared", std::move(problems)
                     ));
    }

    void test(std::size_t line, std::size_t a, std::size_t b) {
        const ItemScores* const of_a = lines_[line].scores[a];
        const ItemScores* const of_b = lines_[line].scores[b];
        if (of_a == nullptr || of_b == nullptr) {
            return;
        }
        Tested tested{.line = line, .a = a, .b = b};
        const std::vector<std::string>& items_a = runs_[a].items;
        const std::vector<std::string>& items_b = runs_[b].items;
        std::vector<std::string> all = items_a;
        std::size_t common = 0;
        if (items_a != items_b) {
            const std::set<std::string_view> known(items_a.begin(), items_a.end());
            for (const std::string& item : items_b) {
                if (known.contains(item)) {
                    ++common;
                } else {
                    all.push_back(item);
                }
            }
        } else {
            common = items_a.size();
        }
        static const std::vector<int> kIndependent;
        const bool same = items_a == items_b;
        // A few items in common say nothing of the others.
        const bool paired = same || 2 * common >= std::min(items_a.size(), items_b.size());
        const ItemScores left = paired ? aligned(*of_a, items_a, all) : *of_a;
        const ItemScores right = paired ? aligned(*of_b, items_b, all) : *of_b;
        science::MetricSample x = metric_sample(left, same ? runs_[a].clusters : kIndependent);
        science::MetricSample y = metric_sample(right, same ? runs_[a].clusters : kIndependent);
        const bool mixed = x.kind != y.kind;
        if (mixed) {
            x.kind = y.kind = science::MetricKind::continuous;
        }
        if (paired) {
            comparisons_.push_back(science::compare(x, y, options_));
        } else {
            tested.hedges_g =
                science::two_group_effect(present(left.values), present(right.values)).hedges_g;
            comparisons_.push_back(science::compare_different_items(x, y, options_));
        }
        tested_.push_back(tested);
    }

    const std::string& id_of(std::size_t run) const { return runs_[run].run.id; }

    /// The best one of a line; nullopt when no run has a value.
    std::optional<std::size_t> best_of(const Line& line) const {
        std::optional<std::size_t> best;
        for (std::size_t i = 0; i < line.values.size(); ++i) {
            const double value = line.values[i];
            if (std::isfinite(value) &&
                (!best || (line.higher_is_better ? value > line.values[*best]
                                                 : value < line.values[*best]))) {
                best = i;
            }
        }
        return best;
    }

    /// Whether the tests show that it is better than every other run.
    bool wins(std::size_t line, std::size_t run) const {
        std::size_t beaten = 0;
        for (std::size_t i = 0; i < tested_.size(); ++i) {
            using science::Verdict;
            const Tested& one = tested_[i];
            const Verdict verdict = comparisons_[i].verdict;
            if (one.line == line && ((one.a == run && verdict == Verdict::better) ||
                                     (one.b == run && verdict == Verdict::worse))) {
                ++beaten;
            }
        }
        return beaten + 1 == runs_.size();
    }

    Json line_json(std::size_t index) const {
        const Line& line = lines_[index];
        Json out = Json::object();
        out["higher_is_better"] = line.higher_is_better;
        for (std::size_t r = 0; r < runs_.size(); ++r) {
            out["values"][id_of(r)] = finite(line.values[r]);
        }
        const auto best = best_of(line);
        out["best_run_id"] = best ? Json(id_of(*best)) : Json();
        out["improvement"] = nullptr;
        if (best && std::isfinite(line.values.front())) {
            const double base = line.values.front();
            const double difference = line.values[*best] - base;
            out["improvement"] = {
                {"baseline_run_id", id_of(0)},
                {"absolute", difference},
                {"relative", base != 0 ? Json(difference / std::abs(base)) : Json()},
            };
        }
        out["tests"] = Json::array();
        for (std::size_t i = 0; i < tested_.size(); ++i) {
            if (tested_[i].line == index) {
                Json test = {{"run_a", id_of(tested_[i].a)}, {"run_b", id_of(tested_[i].b)}};
                test.update(comparison_json(comparisons_[i], tested_[i].hedges_g));
                out["tests"].push_back(std::move(test));
            }
        }
        out["winner"] = best && wins(index, *best) ? Json(id_of(*best)) : Json();
        return out;
    }

    Json answer() const {
        Json out = Json::object();
        out["run_ids"] = Json::array();
        for (const RunFigures& run : runs_) {
            out["run_ids"].push_back(run.run.id);
        }
        out["metrics"] = Json::object();
        // Of several metrics: the only one that wins any.
        std::set<std::string> winners;
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            Json line = line_json(i);
            if (line["winner"].is_string()) {
                winners.insert(line["winner"].get<std::string>());
            }
            out["metrics"][lines_[i].name] = std::move(line);
        }
        out["winner"] = winners.size() == 1 ? Json(*winners.begin()) : Json();
        out["significance_level"] = options_.alpha;
        out["confidence_level"] = options_.confidence;
        out["correction"] = comparisons_.empty() ? Json() : Json(comparisons_.front().correction);
        out["comparisons"] = comparisons_.size();
        return out;
    }

    const Request& request_;
    const Json& body_;
    bool tests_ = true;
    science::AnalysisOptions options_;
    std::vector<RunFigures> runs_;
    std::vector<Line> lines_;
    std::vector<Comparison> comparisons_;
    std::vector<Tested> tested_;  ///< by comparison
};

/// Options that a scorer cannot do without, so that its metrics can be asked for.
Json least_options(const science::ScorerType& type) {
    const Json schema = type.options_schema();
    Json out = Json::object();
    for (const Json& name : schema.value("required", Json::array())) {
        out[name.get<std::string>()] = "x";
    }
    return out;
}

std::string_view kind_name(science::MetricKind kind) {
    switch (kind) {
        case science::MetricKind::binary:
            return "binary";
        case science::MetricKind::corpus:
            return "corpus";
        case science::MetricKind::continuous:
            break;
    }
    return "continuous";
}

}  // namespace

Result<std::optional<Run>> find_visible_run(const Request& request, const std::string& id) {
    const auto found = storage::Runs(request.session).get(request.ctx, id);
    if (!found) {
        if (found.error().code == Code::not_found || found.error().code == Code::validation) {
            return std::nullopt;
        }
        return found.error();
    }
    LAB_TRY(const Json body, parse_json(found->body));
    const bool of_evaluation = body.contains("evaluation_id");
    const Noun& noun = of_evaluation ? evaluation_noun() : experiment_noun();
    const std::string owner =
        of_evaluation ? body["evaluation_id"].get<std::string>() : found->experiment_id;
    storage::Resources resources(request.session, noun.kind);
    LAB_TRY(const auto seen, resources.find(request.ctx, request.caller.viewer(), owner));
    return seen ? std::optional(*found) : std::nullopt;
}

const Json& compare_schema() {
    static const Json kSchema = [] {
        Json p = Json::object();
        p["run_ids"] = {
            {"type", "array"},
            {"minItems", 2},
            {"maxItems", 20},
            {"items",
             {{"type", "string"},
              {"pattern",
               "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"},
              {"x-hint", "the id of a run"}}}
        };
        p["metrics"] = {
            {"type", "array"},
            {"minItems", 1},
            {"maxItems", 50},
            {"items", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}}
        };
        Json how = Json::object();
        how["significance_level"] = {
            {"type", "number"}, {"exclusiveMinimum", 0}, {"exclusiveMaximum", 1}
        };
        how["confidence_level"] = how["significance_level"];
        how["correction"] = {{"enum", {"holm", "bh", "none"}}};
        p["statistical_tests"] = {
            {"oneOf",
             {{{"type", "boolean"}},
              {{"type", "object"}, {"properties", std::move(how)}, {"additionalProperties", false}}}
            }
        };
        return Json{
            {"type", "object"},
            {"properties", std::move(p)},
            {"required", {"run_ids"}},
            {"additionalProperties", false},
        };
    }();
    return kSchema;
}

Result<Json> compare_runs(const Request& request, const Json& body) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    return Comparer(request, body).run();
}

Result<Json> list_metric_types(const Request& request) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    Json out = Json::array();
    for (const science::ScorerType& type : science::scorer_types()) {
        LAB_TRY(const auto scorer, type.make(least_options(type)));
        for (const science::MetricInfo& info : scorer->metrics()) {
            Json one = Json::object();
            one["name"] = type.name;
            one["metric"] = info.name;
            one["description"] = type.description;
            one["kind"] = kind_name(info.kind);
            one["direction"] = info.higher_is_better ? "higher_is_better" : "lower_is_better";
            one["minimum"] = finite(info.minimum);
            one["maximum"] = finite(info.maximum);
            one["needs_reference"] = scorer->needs_reference();
            one["parameters"] = type.options_schema();
            if (type.name == "exact_match") {
                one["aliases"] = {"accuracy"};  // as evaluation_metrics takes it
            }
            out.push_back(std::move(one));
        }
    }
    return out;
}

}  // namespace lab::service
