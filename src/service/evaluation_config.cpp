#include "service/impl/evaluation_config.h"

#include "base/text.h"
#include "platform/json/document.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

/// Members of `parameters` that are not sent to models.
constexpr std::string_view kOwnParameters[] = {"run_id"};

/// Where a problem of the experiment's config is written in the definition. Scorers stand in the
/// order of the metrics.
std::string place_of(const std::string& field) {
    struct Renamed {
        std::string_view experiment;
        std::string_view definition;
        bool list = false;  ///< with the same places
    };
    constexpr Renamed kRenamed[] = {
        {"scorers", "config.metrics", true},
        {"config.evaluation_metrics", "config.metrics", true},
        {"config.model_ids", "config.model_ids", true},
        {"models", "config.model_ids", true},
        {"config.dataset_ids", "config.dataset_id"},
        {"config.prompt_template_ids", "config.prompt_template_id"},
        {"prompts", "config.prompt_template_id"},
        {"config.num_samples", "config.sample_size"},
        {"dataset.sample", "config.sample_size"},
    };
    for (const Renamed& one : kRenamed) {
        if (field.starts_with(one.experiment)) {
            const std::string rest = field.substr(one.experiment.size());
            return std::string(one.definition) + (one.list ? rest : "");
        }
    }
    return field;
}

constexpr const char* kRefused = "this evaluation cannot be run as it is";

class Compiler {
  public:
    Compiler(const Request& request, const Json& config) : request_(request), config_(config) {}

    Result<CompiledConfig> run(const std::string& name) {
        add_metrics();
        if (!problems_.empty()) {
            return Error(Code::validation, kRefused, std::move(problems_));
        }
        for (const char* member : {"model_ids", "dataset_id", "random_seed", "budget"}) {
            if (config_.contains(member)) {
                out_[member] = config_[member];
            }
        }
        if (config_.contains("prompt_template_id")) {
            out_["prompt_template_ids"] = Json::array({config_["prompt_template_id"]});
        }
        if (config_.contains("sample_size")) {
            out_["num_samples"] = config_["sample_size"];
        }
        if (config_.contains("reference_field")) {
            out_["reference_field"] = config_["reference_field"];
        }
        Json parameters = config_.value("parameters", Json::object());
        for (const std::string_view own : kOwnParameters) {
            parameters.erase(std::string(own));
        }
        out_["parameters"] = std::move(parameters);
        out_["analysis"] = {{"compare", "all_pairs"}};
        auto compiled = compile_config(request_, name, out_);
        if (!compiled) {
            return at_definition(compiled.error());
        }
        return compiled;
    }

  private:
    /// By name, or with what a scorer is made of.
    void add_metrics() {
        const std::string reference =
            "{{" + config_.value("reference_field", std::string("reference")) + "}}";
        const Json metrics = config_.value("metrics", Json::array());
        std::vector<std::string> known;
        for (const auto& [type, schema] : request_.deps.vocabulary->scorers) {
            known.push_back(type);
        }
        Json scorers = Json::array();
        for (std::size_t i = 0; i < metrics.size(); ++i) {
            const std::string place = path_index("config.metrics", i);
            const bool whole = metrics[i].is_object();
            const std::string name =
                whole ? metrics[i]["name"].get<std::string>() : metrics[i].get<std::string>();
            const std::string said = whole ? metrics[i].value("metric_type", name) : name;
            const std::string type = said == "accuracy" ? "exact_match" : said;
            if (std::ranges::find(known, type) == known.end()) {
                const std::string near = nearest(said, known);
                problems_.push_back(
                    {place + (whole ? ".metric_type" : ""),
                     "unknown metric \"" + shorten(said, 60) + "\"" +
                         (near.empty() ? "; known are accuracy, " + join(known, ", ")
                                       : ", did you mean \"" + near + "\"?")}
                );
                continue;
            }
            Json scorer = whole ? metrics[i].value("parameters", Json::object()) : Json::object();
            scorer["type"] = type;
            if (needs_reference(type)) {
                scorer.emplace("reference", reference);
            }
            if (name != type) {
                scorer["id"] = name;
            }
            scorers.push_back(std::move(scorer));
        }
        if (metrics.empty()) {
            problems_.push_back({"config.metrics", "no metrics configured"});
        }
        out_["scorers"] = std::move(scorers);
    }

    bool needs_reference(const std::string& type) const {
        return std::ranges::none_of(request_.deps.vocabulary->scorers, [&](const auto& known) {
            return known.first == type && known.second.value("x-reference", "") == "none";
        });
    }

    const Request& request_;
    const Json& config_;
    Json out_ = Json::object();
    std::vector<Detail> problems_;
};

}  // namespace

Error at_definition(Error error) {
    if (error.code == Code::validation) {
        error.message = kRefused;
        for (Detail& detail : error.details) {
            detail.field = place_of(detail.field);
        }
    }
    return error;
}

Result<CompiledConfig> compile_evaluation(
    const Request& request, const std::string& name, const std::string& type, const Json& config
) {
    if (type == "llm_judge") {
        return Error(
            Code::validation,
            kRefused,
            {{"evaluation_type",
              "judging by a model cannot be run yet: run the models with an automated evaluation, "
              "or report the judge's scores as a custom one"}}
        );
    }
    if (type == "comparison" && config.value("model_ids", Json::array()).size() < 2) {
        return Error(
            Code::validation,
            kRefused,
            {{"config.model_ids", "a comparison needs at least two models"}}
        );
    }
    return Compiler(request, config).run(name);
}

Json known_metrics(const Json& config) {
    Json out = Json::object();
    for (const Json& metric : config.value("metrics", Json::array())) {
        if (metric.is_object()) {
            Json& one = out[metric["name"].get<std::string>()];
            one = Json::object();
            for (const char* member : {"higher_is_better", "weight"}) {
                if (metric.contains(member)) {
                    one[member] = metric[member];
                }
            }
        }
    }
    return out;
}

}  // namespace lab::service
