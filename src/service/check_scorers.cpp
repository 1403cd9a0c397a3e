#include "base/text.h"
#include "platform/json/document.h"
#include "science/metrics/scorer.h"
#include "service/impl/experiment_check.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace lab::service {
namespace {

/// The scorer without what was not read as it was meant; nothing when it cannot be made without.
std::optional<domain::ScorerSpec> readable(
    domain::ScorerSpec scorer, const std::string& path, const domain::ProblemPaths& unread
) {
    const science::ScorerType* type = science::find_scorer_type(scorer.type);
    if (type == nullptr || unread.covers(path_member(path, "type"))) {
        return std::nullopt;
    }
    const Json given = std::exchange(scorer.options, Json::object());
    for (const auto& [key, value] : given.items()) {
        if (!unread.touches(path_member(path, key))) {
            scorer.options[key] = value;
        }
    }
    const Json schema = type->options_schema();
    for (const Json& key : schema.value("required", Json::array())) {
        if (!scorer.options.contains(key.get<std::string>())) {
            return std::nullopt;
        }
    }
    if (unread.touches(path + ".extract")) {
        scorer.extract = Json::array();
    }
    if (unread.touches(path + ".extract_reference")) {
        scorer.extract_reference = Json::array();
    }
    return scorer;
}

/// One scorer of the experiment.
struct Checked {
    std::string path;
    std::optional<domain::ScorerSpec> made;  ///< what could be made of it
    /// The names of its metrics, also when it could not be made; absent when they are not known.
    std::optional<std::vector<std::string>> names;
};

/// A scorer by itself, so that a broken one does not hide what is wrong with the others.
Result<engine::ScoreBook> make_alone(const domain::ScorerSpec& scorer) {
    domain::ExperimentSpec alone;
    alone.scorers.push_back(scorer);
    return engine::ScoreBook::make(alone);
}

/// A path of the only scorer, as one of the scorer at `path`.
std::string moved(const std::string& field, const std::string& path) {
    constexpr std::string_view kAlone = "scorers[0]";
    return path + field.substr(std::min(field.size(), kAlone.size()));
}

std::vector<std::string> names_of(const engine::ScoreBook& book) {
    std::vector<std::string> names;
    for (const engine::MetricSlot& slot : book.slots()) {
        names.push_back(slot.info.name);
    }
    return names;
}

/// A scorer of the same type, or of the one that was probably meant, without what can be wrong: for
/// the names of its metrics and the fields of its references. Nothing when there is none without
/// options. `usable`: those references that are templates.
std::optional<domain::ScorerSpec> plain(
    const domain::ScorerSpec& scorer, std::vector<std::string> usable
) {
    std::vector<std::string> types;
    for (const science::ScorerType& type : science::scorer_types()) {
        types.emplace_back(type.name);
    }
    domain::ScorerSpec out;
    out.id = scorer.id;
    out.type = nearest(scorer.type, types);
    out.references = std::move(usable);
    out.reference_list = scorer.reference_list;
    const science::ScorerType* type = science::find_scorer_type(out.type);
    if (type == nullptr) {
        return std::nullopt;
    }
    if (type->options_schema().value("x-reference", "") == "none" && scorer.type != out.type) {
        out.references.clear();  // what an unknown type has by default
    } else if (out.references.empty() && out.reference_list.empty()) {
        out.references = {"x"};
    }
    return readable(std::move(out), "", {});
}

Checked check_alone(
    const domain::ScorerSpec& scorer,
    const std::string& path,
    std::vector<Detail>& needed,
    Problems& problems
) {
    Checked out{.path = path, .made = readable(scorer, path, problems.unread()), .names = {}};
    std::vector<std::string> usable;
    for (const std::string& reference : scorer.references) {
        if (auto parsed = science::Template::parse(reference)) {
            usable.push_back(reference);
        } else {
            problems.add(path + ".reference", parsed.error().message);
        }
    }
    auto book = make_alone(out.made.value_or(domain::ScorerSpec()));
    if (!book) {
        for (std::size_t i = 0; out.made && i < book.error().details.size(); ++i) {
            const Detail& detail = book.error().details[i];
            problems.add(moved(detail.field, path), detail.message);
        }
        out.made.reset();
        if (auto simpler = plain(scorer, std::move(usable))) {
            book = make_alone(*simpler);
        }
    }
    if (!book) {
        return out;
    }
    for (Detail& field : book->needed_fields()) {
        needed.push_back({moved(field.field, path), std::move(field.message)});
    }
    if (problems.unread().covers(path) || !problems.unread().covers(path + ".id")) {
        out.names = names_of(*book);
    }
    return out;
}

/// Whether the metric may be one of a scorer that could not be made.
bool may_give(const domain::ScorerSpec& scorer, const Checked& checked, const std::string& metric) {
    if (checked.names) {
        return std::ranges::find(*checked.names, metric) != checked.names->end();
    }
    return scorer.id.empty() || metric == scorer.id || metric.starts_with(scorer.id + ".");
}

/// The metrics that the spec names outside of its scorers, by their paths.
std::map<std::string, std::string> mentioned_metrics(const domain::ExperimentSpec& spec) {
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < spec.analysis.primary.size(); ++i) {
        out[path_index("analysis.primary", i)] = spec.analysis.primary[i];
    }
    if (spec.hypothesis) {
        out["hypothesis.metric"] = spec.hypothesis->metric;
    }
    for (std::size_t i = 0; i < spec.gates.size(); ++i) {
        out[path_index("gate", i) + ".metric"] = spec.gates[i].metric;
    }
    return out;
}

/// What is wrong with the scorers that could be made when they are put together.
void check_together(
    const domain::ExperimentSpec& spec,
    const std::vector<Checked>& all,
    const Error& error,
    Problems& problems
) {
    std::vector<std::string> paths;  // of the scorers in `error`
    bool ids_read = true;
    for (const Checked& one : all) {
        if (one.made) {
            paths.push_back(one.path);
        }
        ids_read = ids_read && !problems.unread().covers(one.path + ".id");
    }
    const std::map<std::string, std::string> mentioned = mentioned_metrics(spec);
    for (const Detail& detail : error.details) {
        const auto metric = mentioned.find(detail.field);
        if (metric == mentioned.end()) {
            for (std::size_t k = 0; ids_read && k < paths.size(); ++k) {
                if (detail.field == path_index("scorers", k)) {
                    problems.add(paths[k], detail.message);
                }
            }
            continue;
        }
        bool known = problems.unread().covers("scorers");
        for (std::size_t i = 0; i < all.size(); ++i) {
            known = known || ((!all[i].made || !all[i].names) &&
                              may_give(spec.scorers[i], all[i], metric->second));
        }
        if (!known) {
            problems.add(detail.field, detail.message);
        }
    }
}

}  // namespace

std::vector<Detail> make_scores(Experiment& experiment, Problems& problems) {
    const domain::ExperimentSpec& spec = experiment.spec;
    std::vector<Detail> needed;
    std::vector<Checked> all;
    domain::ExperimentSpec together;
    together.hypothesis = spec.hypothesis;
    together.analysis = spec.analysis;
    together.gates = spec.gates;
    for (std::size_t i = 0; i < spec.scorers.size(); ++i) {
        Checked one = check_alone(spec.scorers[i], path_index("scorers", i), needed, problems);
        if (const std::optional<domain::ScorerSpec>& made = one.made) {
            together.scorers.push_back(*made);
        }
        all.push_back(std::move(one));
    }
    auto book = engine::ScoreBook::make(together);
    if (book) {
        experiment.scores = std::make_unique<engine::ScoreBook>(std::move(*book));
    } else {
        check_together(spec, all, book.error(), problems);
    }
    return needed;
}

}  // namespace lab::service
