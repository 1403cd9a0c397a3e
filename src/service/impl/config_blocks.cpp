#include "service/impl/config_blocks.h"

#include "base/rng.h"
#include "base/text.h"
#include "science/metrics/scorer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lab::service {
namespace {

constexpr std::int64_t kTrialsMax = 100;

Json text(int length_max) {
    return {{"type", "string"}, {"minLength", 1}, {"maxLength", length_max}};
}

Json scalar() { return {{"type", {"string", "number", "boolean"}}}; }

Json closed(Json properties, std::vector<std::string> required = {}) {
    Json out = {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"additionalProperties", false},
    };
    if (!required.empty()) {
        out["required"] = std::move(required);
    }
    return out;
}

Json list_of(Json items, int most) {
    return {{"type", "array"}, {"maxItems", most}, {"items", std::move(items)}};
}

/// Six significant digits: what a variant is called stays readable, and is what was sent.
double rounded(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", value);
    return std::strtod(buffer, nullptr);
}

/// A value of a space: a list to choose from, or bounds. nullopt after telling the problem.
Json draw(const Json& space, Rng& rng) {
    if (space.is_array()) {
        return space[rng.below(space.size())];
    }
    const double low = space["min"].get<double>();
    const double high = space["max"].get<double>();
    if (space.value("type", "float") == "int") {
        const auto first = static_cast<std::int64_t>(std::ceil(low));
        const auto last = static_cast<std::int64_t>(std::floor(high));
        return first +
               static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(last - first + 1)));
    }
    const double share = rng.uniform();
    return space.value("log", false)
               ? rounded(std::exp(std::log(low) + share * (std::log(high) - std::log(low))))
               : rounded(low + share * (high - low));
}

/// One point of the search, with every model and prompt. Names are as those of a sweep.
void add_trial(
    const std::vector<std::string>& models,
    const std::vector<std::string>& prompts,
    const Json& parameters,
    const std::string& words,
    Json& source
) {
    const std::vector<std::string> none{""};
    for (const std::string& model : models) {
        for (const std::string& prompt : prompts.empty() ? none : prompts) {
            Json variant = Json::object();
            const std::string arm = prompts.size() > 1 ? model + "/" + prompt : model;
            variant["id"] = shorten(arm, 100) + ":" + shorten(words, 90);
            variant["model"] = model;
            if (!prompt.empty()) {
                variant["prompt"] = prompt;
            }
            variant["parameters"] = parameters;
            source["variants"].push_back(std::move(variant));
        }
    }
}

bool check_space(
    const std::string& name, const Json& space, bool grid, const ConfigProblem& problem
) {
    const std::string path = "search.spaces." + name;
    if (space.is_array()) {
        return true;
    }
    if (grid) {
        problem(path, "a grid takes a list of values");
        return false;
    }
    if (!space.contains("min") || !space.contains("max")) {
        problem(path, "takes a list of values, or min and max");
        return false;
    }
    const double low = space["min"].get<double>();
    const double high = space["max"].get<double>();
    const bool whole = space.value("type", "float") == "int";
    if (!(low < high) || (whole && std::ceil(low) > std::floor(high))) {
        problem(path, "max must be greater than min");
        return false;
    }
    if (space.value("log", false) && low <= 0) {
        problem(path, "a logarithmic space begins above 0");
        return false;
    }
    return true;
}

}  // namespace

Json dataset_refs_schema() {
    Json size = {
        {"anyOf",
         {{{"enum", {"all"}}},
          closed({{"count", {{"type", "integer"}, {"minimum", 1}}}}, {"count"}),
          closed(
              {{"percent", {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 100}}}},
              {"percent"}
          )}},
    };
    Json sampling = closed({
        {"method", {{"enum", {"random", "sequential", "stratified"}}}},
        {"size", std::move(size)},
        {"seed", {{"type", "integer"}, {"minimum", 0}}},
        {"stratify_by", text(255)},
    });
    Json filter = closed(
        {{"field", text(255)},
         {"operator", {{"enum", {"eq", "in"}}}},
         {"value", {{"anyOf", {scalar(), list_of(scalar(), 1000)}}}}},
        {"field", "value"}
    );
    Json one = closed(
        {{"dataset_id",
          {{"type", "string"},
           {"pattern",
            "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"},
           {"x-hint", "a UUID"}}},
         {"version", {{"anyOf", {text(64), {{"type", "integer"}, {"minimum", 1}}}}}},
         {"split", text(255)},
         {"split_field", text(255)},
         {"sampling", std::move(sampling)},
         {"filters", list_of(std::move(filter), 20)}},
        {"dataset_id"}
    );
    return list_of(std::move(one), 100);
}

Json metric_configs_schema() {
    const Json number = {{"type", "number"}};
    const Json threshold = closed({
        {"above", number},
        {"below", number},
        {"equal", number},
        {"between", {{"type", "array"}, {"minItems", 2}, {"maxItems", 2}, {"items", number}}},
    });
    Json one = closed(
        {{"name", text(255)},
         {"metric_type", text(255)},
         {"parameters", {{"type", "object"}}},
         {"threshold", threshold},
         {"weight", {{"type", "number"}, {"minimum", 0}}}},
        {"name"}
    );
    return list_of(std::move(one), 50);
}

Json search_schema() {
    Json bounds = closed(
        {{"min", {{"type", "number"}}},
         {"max", {{"type", "number"}}},
         {"type", {{"enum", {"float", "int"}}}},
         {"log", {{"type", "boolean"}}}},
        {"min", "max"}
    );
    Json values = list_of(scalar(), 100);
    values["minItems"] = 1;
    return closed(
        {{"strategy", {{"enum", {"grid", "random", "bayesian", "hyperband"}}}},
         {"spaces",
          {{"type", "object"},
           {"additionalProperties", {{"anyOf", {std::move(values), std::move(bounds)}}}}}},
         {"max_trials", {{"type", "integer"}, {"minimum", 1}, {"maximum", kTrialsMax}}},
         {"concurrent_trials", {{"type", "integer"}, {"minimum", 1}, {"maximum", kTrialsMax}}}},
        {"strategy", "spaces"}
    );
}

Json reproducibility_schema() {
    Json properties = Json::object();
    properties["random_seed"] = {{"type", "integer"}, {"minimum", 0}, {"maximum", kSeedMax}};
    for (const char* flag :
         {"deterministic",
          "track_environment",
          "track_code",
          "track_dependencies",
          "snapshot_dataset",
          "snapshot_model"}) {
        properties[flag] = {{"type", "boolean"}};
    }
    return closed(std::move(properties));
}

Json resources_schema() {
    return closed({
        {"timeout_seconds", {{"type", "number"}, {"exclusiveMinimum", 0}}},
        {"max_retries", {{"type", "integer"}, {"minimum", 0}, {"maximum", 20}}},
        {"priority", {{"type", "integer"}, {"minimum", 1}, {"maximum", 10}}},
    });
}

void select_rows(
    const Json& ref,
    std::int64_t rows,
    const std::string& path,
    Json& dataset,
    const ConfigProblem& problem
) {
    if (ref.contains("split")) {
        dataset["split"] = ref["split"];
        if (ref.contains("split_field")) {
            dataset["split_field"] = ref["split_field"];
        }
    } else if (ref.contains("split_field")) {
        problem(path + ".split_field", "goes with split");
    }
    const Json filters = ref.value("filters", Json::array());
    for (std::size_t i = 0; i < filters.size(); ++i) {
        const Json& value = filters[i]["value"];
        if (value.is_array() != (filters[i].value("operator", "") == "in") &&
            filters[i].contains("operator")) {
            problem(
                path + ".filters[" + std::to_string(i) + "].value",
                "eq takes one value, in takes a list"
            );
            continue;
        }
        dataset["where"][filters[i]["field"].get<std::string>()] = value;
    }
    const Json sampling = ref.value("sampling", Json::object());
    const Json size = sampling.value("size", Json("all"));
    if (size == "all") {
        return;
    }
    std::int64_t count = 0;
    if (size.contains("count")) {
        count = size["count"].get<std::int64_t>();
    } else if (ref.contains("split") || !filters.empty()) {
        problem(
            path + ".sampling.size",
            "with a split or filters, say how many rows as {\"count\": n}: a share of what is left "
            "is not known beforehand"
        );
        return;
    } else {
        const double share = size["percent"].get<double>() / 100;
        count = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(rows)));
    }
    const std::string method = sampling.value("method", "random");
    if (method == "sequential") {
        dataset["limit"] = count;
        return;
    }
    dataset["sample"] = count;
    dataset["seed"] = sampling.value("seed", Json(0));
    if (method == "stratified") {
        if (!sampling.contains("stratify_by")) {
            problem(path + ".sampling.stratify_by", "names the field whose shares are to be kept");
            return;
        }
        dataset["stratify"] = sampling["stratify_by"];
    }
}

bool needs_reference(std::string_view scorer_type) {
    const science::ScorerType* const type = science::find_scorer_type(scorer_type);
    return type == nullptr || type->options_schema().value("x-reference", "") != "none";
}

void add_metric_configs(
    const Json& configs,
    const std::string& reference,
    const std::function<std::string(const std::string& metric, const std::string& path)>& type_of,
    Json& scorers,
    Json& gates,
    const ConfigProblem& problem
) {
    for (std::size_t i = 0; i < configs.size(); ++i) {
        const Json& one = configs[i];
        const std::string path = "metric_configs[" + std::to_string(i) + "]";
        const std::string name = one["name"].get<std::string>();
        const bool typed = one.contains("metric_type");
        const std::string type = type_of(
            typed ? one["metric_type"].get<std::string>() : name,
            path + (typed ? ".metric_type" : ".name")
        );
        if (type.empty()) {
            continue;
        }
        Json scorer = {{"type", type}};
        if (name != type) {
            scorer["id"] = name;
        }
        const Json parameters = one.value("parameters", Json::object());
        if (needs_reference(type) && !parameters.contains("reference") &&
            !parameters.contains("reference_list")) {
            scorer["reference"] = reference;
        }
        scorer.update(parameters);
        scorers.push_back(std::move(scorer));
        if (!one.contains("threshold")) {
            continue;
        }
        const Json& threshold = one["threshold"];
        if (threshold.size() != 1) {
            problem(path + ".threshold", "takes one of above, below, equal and between");
            continue;
        }
        Json gate = {{"metric", name}};
        if (threshold.contains("above")) {
            gate["min"] = threshold["above"];
        } else if (threshold.contains("below")) {
            gate["max"] = threshold["below"];
        } else if (threshold.contains("equal")) {
            gate["min"] = gate["max"] = threshold["equal"];
        } else {
            gate["min"] = threshold["between"][0];
            gate["max"] = threshold["between"][1];
        }
        gates.push_back(std::move(gate));
    }
}

void add_search(
    const Json& search,
    std::uint64_t seed,
    const std::vector<std::string>& models,
    const std::vector<std::string>& prompts,
    Json& source,
    const ConfigProblem& problem
) {
    const std::string strategy = search["strategy"].get<std::string>();
    if (strategy == "bayesian" || strategy == "hyperband") {
        problem(
            "search.strategy",
            strategy +
                " decides each trial by the results of those before, which would bias the "
                "comparison of what it found; use grid, or random with max_trials"
        );
        return;
    }
    constexpr std::size_t kSpacesMax = 20;
    const std::size_t spaces = search["spaces"].size();
    bool good = spaces >= 1 && spaces <= kSpacesMax;
    if (!good) {
        problem("search.spaces", "takes 1 to 20 parameters");
    }
    for (const auto& [name, space] : search["spaces"].items()) {
        good = check_space(name, space, strategy == "grid", problem) && good;
    }
    if (!good) {
        return;
    }
    if (strategy == "grid") {
        source["variants"] = {{"sweep", search["spaces"]}};
        return;
    }
    Rng rng(derive_seed(seed, "search"));
    const auto trials = search.value("max_trials", std::int64_t{10});
    std::vector<std::string> drawn;
    for (std::int64_t trial = 0; trial < trials; ++trial) {
        Json parameters = Json::object();
        std::string words;
        for (const auto& [name, space] : search["spaces"].items()) {
            parameters[name] = draw(space, rng);
            words += (words.empty() ? "" : ",") + name + "=" + dump_json(parameters[name]);
        }
        if (std::ranges::find(drawn, words) != drawn.end()) {
            continue;  // the same point again would be compared with itself
        }
        drawn.push_back(words);
        add_trial(models, prompts, parameters, words, source);
    }
}

}  // namespace lab::service
