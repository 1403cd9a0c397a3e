#include "platform/json/document.h"
#include "service/impl/experiment_check.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

std::string path_of_model(std::size_t model) { return path_index("models", model); }

/// Where a parameter that the variant sends is written: its own place, or the model's.
std::string path_of_parameter(const domain::Variant& variant, const std::string& name) {
    for (const auto& [own, path] : variant.own) {
        if (own == name) {
            return path;
        }
    }
    return path_member(path_of_model(variant.model) + ".parameters", name);
}

/// Where a parameter would stand that the variant lacks: one of a matrix has no place of its own.
std::string path_of_parameters(const domain::Variant& variant) {
    return variant.path.ends_with(']') ? variant.path + ".parameters"
                                       : path_of_model(variant.model) + ".parameters";
}

/// What is wrong with the variant's own parameters, where they are written.
std::vector<Detail> check_own_parameters(
    const Deps& deps, const domain::Variant& variant, domain::ModelSpec model
) {
    std::vector<Detail> out;
    if (variant.own.empty()) {
        return out;
    }
    model.parameters = variant.parameters;
    const std::string path = path_of_model(variant.model);
    for (Detail& detail : deps.check_model(model, path)) {
        for (const auto& [name, place] : variant.own) {
            const std::string inherited = path_member(path + ".parameters", name);
            if (detail.field == inherited) {
                out.push_back({place, std::move(detail.message)});
                break;
            }
        }
    }
    return out;
}

/// The parameter that bounds the output, by its names.
const char* output_bound(const Json& parameters) {
    for (const char* name : {"max_completion_tokens", "max_tokens"}) {
        if (parameters.contains(name)) {
            return name;
        }
    }
    return nullptr;
}

/// Without a bound on the output the most a call can cost is not known.
void check_bounds(const domain::ExperimentSpec& spec, std::size_t model, Problems& problems) {
    std::vector<const domain::Variant*> unbounded;
    bool some_bounded = false;
    for (const domain::Variant& variant : spec.variants) {
        if (variant.model != model) {
            continue;
        }
        const char* name = output_bound(variant.parameters);
        if (name == nullptr) {
            unbounded.push_back(&variant);
            continue;
        }
        some_bounded = true;
        const Json& bound = variant.parameters[name];
        if (!bound.is_number_integer() || bound < 1) {
            problems.add(
                path_of_parameter(variant, name),
                std::string("a hard budget needs ") + name +
                    " as a whole number, so that the most a call can cost is known"
            );
        }
    }
    for (const domain::Variant* variant : unbounded) {
        // Where none has it, it belongs to the model.
        const std::string path = path_of_model(model) + ".parameters";
        if (problems.unread().covers(path_of_parameters(*variant))) {
            continue;
        }
        problems.add(
            some_bounded ? path_of_parameters(*variant) : path,
            "a hard budget needs max_tokens, so that the most a call can cost is known"
        );
    }
}

/// Whether the budget has a limit, readable or not.
bool has_limit(const std::string& key, bool read, const Problems& problems) {
    constexpr std::string_view kBudget = "run.budget";
    return read || (problems.unread().covers(path_member(kBudget, key)) &&
                    !problems.unread().covers(kBudget));
}

void check_budget(const Experiment& experiment, Problems& problems) {
    const domain::ExperimentSpec& spec = experiment.spec;
    const bool costs = has_limit("max_cost_usd", spec.run.budget.max_cost.has_value(), problems);
    if (!costs && !has_limit("max_tokens", spec.run.budget.max_tokens.has_value(), problems)) {
        return;
    }
    for (std::size_t i = 0; i < spec.models.size(); ++i) {
        const domain::ModelSpec& model = spec.models[i];
        const std::string path = path_of_model(i);
        const auto unread = [&](const char* key) {
            return problems.unread().covers(path_member(path, key));
        };
        const bool used =
            std::ranges::find(spec.variants, i, &domain::Variant::model) != spec.variants.end();
        // Of a provider that is not known, prices and limits are not either.
        if (!used || model.provider == "replay" || unread("provider")) {
            continue;
        }
        check_bounds(spec, i, problems);
        if (costs && !experiment.pricing[i] && !unread("model") && !unread("base_url")) {
            problems.add(
                path + ".pricing",
                "run.budget.max_cost_usd needs prices, and none are known for \"" + model.model +
                    "\": set pricing.input_per_million and pricing.output_per_million"
            );
        }
    }
}

}  // namespace

void check_models(const Deps& deps, Purpose purpose, Experiment& experiment, Problems& problems) {
    const domain::ExperimentSpec& spec = experiment.spec;
    for (std::size_t i = 0; i < spec.models.size(); ++i) {
        for (Detail& detail : deps.check_model(spec.models[i], path_of_model(i))) {
            const bool key = detail.field.ends_with(".api_key_env");
            if (purpose != Purpose::validate || !key) {
                problems.add(std::move(detail.field), std::move(detail.message));
            } else if (!problems.unread().covers(detail.field)) {
                experiment.warnings.push_back(std::move(detail.message));
            }
        }
    }
    for (const domain::Variant& variant : spec.variants) {
        for (Detail& detail : check_own_parameters(deps, variant, spec.models[variant.model])) {
            problems.add(std::move(detail.field), std::move(detail.message));
        }
    }
    check_budget(experiment, problems);
}

void check_replays(const Deps& deps, const domain::ExperimentSpec& spec, Problems& problems) {
    for (std::size_t i = 0; i < spec.models.size(); ++i) {
        const domain::ModelSpec& model = spec.models[i];
        const std::string path = path_of_model(i);
        if (model.provider != "replay" || problems.unread().touches(path + ".replay") ||
            !deps.check_model(model, path).empty()) {
            continue;
        }
        const auto opened = deps.make_provider(model);
        if (opened) {
            continue;
        }
        if (opened.error().details.empty()) {
            problems.add(path + ".replay.path", opened.error().message);
        }
        for (const Detail& detail : opened.error().details) {
            problems.add(path + ".replay.path", detail.message);
        }
    }
}

}  // namespace lab::service
