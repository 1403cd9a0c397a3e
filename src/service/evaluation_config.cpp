#include "service/impl/evaluation_config.h"

#include "platform/json/document.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

/// Members of `parameters` that are not sent to models.
constexpr std::string_view kOwnParameters[] = {"run_id"};

constexpr const char* kRefused = "this evaluation cannot be run as it is";

/// Where a problem of the experiment's config is written in the definition. Scorers stand in the
/// order of the metrics.
std::string place_of(const std::string& field, const Json& config) {
    struct Renamed {
        std::string_view experiment;
        std::string_view definition;
        bool list = false;  ///< with the same places
    };
    constexpr Renamed kRenamed[] = {
        {"scorers", "config.metrics", true},
        {"config.metric_configs", "config.metrics", true},
        {"config.evaluation_metrics", "config.metrics"},
        {"config.model_ids", "config.model_ids", true},
        {"models", "config.model_ids", true},
        {"config.dataset_ids", "config.dataset_id"},
        {"config.prompt_template_ids", "config.prompt_template_id"},
        {"prompts", "config.prompt_template_id"},
        {"config.num_samples", "config.sample_size"},
        {"dataset.sample", "config.sample_size"},
    };
    for (const Renamed& one : kRenamed) {
        if (!field.starts_with(one.experiment)) {
            continue;
        }
        std::string out(one.definition);
        out += one.list ? field.substr(one.experiment.size()) : "";
        // A metric that is given by its name alone has no members.
        const Json metrics = config.value("metrics", Json::array());
        for (std::size_t i = 0; i < metrics.size(); ++i) {
            const std::string place = path_index("config.metrics", i);
            if (metrics[i].is_string() && out == place + ".name") {
                return place;
            }
        }
        return out;
    }
    return field;
}

/// What the definition says, as a config of an experiment.
Json experiment_config(const Json& config) {
    Json out = Json::object();
    for (const char* member :
         {"model_ids", "dataset_id", "random_seed", "budget", "reference_field"}) {
        if (config.contains(member)) {
            out[member] = config[member];
        }
    }
    if (config.contains("prompt_template_id")) {
        out["prompt_template_ids"] = Json::array({config["prompt_template_id"]});
    }
    if (config.contains("sample_size")) {
        out["num_samples"] = config["sample_size"];
    }
    out["parameters"] = config.value("parameters", Json::object());
    for (const std::string_view own : kOwnParameters) {
        out["parameters"].erase(std::string(own));
    }
    out["metric_configs"] = Json::array();
    for (const Json& metric : config.value("metrics", Json::array())) {
        Json one = metric.is_string() ? Json{{"name", metric}} : metric;
        one.erase("higher_is_better");
        out["metric_configs"].push_back(std::move(one));
    }
    out["analysis"] = {{"compare", "all_pairs"}};
    return out;
}

}  // namespace

Error at_definition(Error error, const Json& config) {
    if (error.code == Code::validation) {
        error.message = kRefused;
        for (Detail& detail : error.details) {
            detail.field = place_of(detail.field, config);
        }
    }
    return error;
}

Result<CompiledConfig> compile_evaluation(
    const Request& request, const std::string& name, const std::string& type, const Json& config
) {
    if (type == "comparison" && config.value("model_ids", Json::array()).size() < 2) {
        return Error(
            Code::validation,
            kRefused,
            {{"config.model_ids", "a comparison needs at least two models"}}
        );
    }
    auto compiled = compile_config(request, name, experiment_config(config));
    if (!compiled) {
        return at_definition(compiled.error(), config);
    }
    return compiled;
}

Json known_metrics(const Json& config) {
    Json out = Json::object();
    for (const Json& metric : config.value("metrics", Json::array())) {
        if (metric.is_object()) {
            Json& one = out[metric["name"].get<std::string>()];
            one = Json::object();
            for (const char* member : {"higher_is_better", "weight", "threshold"}) {
                if (metric.contains(member)) {
                    one[member] = metric[member];
                }
            }
        }
    }
    return out;
}

}  // namespace lab::service
