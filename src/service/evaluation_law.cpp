#include "service/impl/evaluation_law.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "service/experiments.h"
#include "service/models.h"
#include "service/platform_datasets.h"
#include "service/prompts.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Deed;
using storage::Resource;

Json uuid() {
    return {
        {"type", "string"},
        {"pattern", "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
        },
        {"x-hint", "a UUID"},
    };
}

Json text(std::int64_t least, std::int64_t most) {
    return {{"type", "string"}, {"minLength", least}, {"maxLength", most}};
}

Json object_of(Json properties, std::vector<std::string> required = {}) {
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false},
    };
}

Json numbers_by_name() {
    return {{"type", "object"}, {"additionalProperties", {{"type", "number"}}}};
}

constexpr std::int64_t kTextMax = 1'000'000;

/// A metric by its name, or with what it is made of.
Json metric_schema() {
    Json p = Json::object();
    p["name"] = text(1, 255);
    p["metric_type"] = text(1, 255);
    p["parameters"] = {{"type", "object"}};
    p["weight"] = {{"type", "number"}, {"minimum", 0}};
    p["higher_is_better"] = {{"type", "boolean"}};
    const Json number = {{"type", "number"}};
    p["threshold"] = object_of(
        {{"above", number},
         {"below", number},
         {"equal", number},
         {"between", {{"type", "array"}, {"minItems", 2}, {"maxItems", 2}, {"items", number}}}}
    );
    return {{"oneOf", {text(1, 255), object_of(std::move(p), {"name"})}}};
}

Json judge_schema() {
    Json criterion = Json::object();
    criterion["name"] = text(1, 100);
    criterion["description"] = text(0, 2000);
    criterion["weight"] = {{"type", "number"}, {"minimum", 0}};
    Json scale = Json::object();
    scale["min"] = {{"type", "number"}};
    scale["max"] = {{"type", "number"}};
    scale["labels"] = {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    Json p = Json::object();
    p["model_id"] = uuid();
    p["prompt_template_id"] = uuid();
    p["criteria"] = {
        {"type", "array"},
        {"minItems", 1},
        {"maxItems", 20},
        {"items", object_of(std::move(criterion), {"name"})}
    };
    p["scale"] = object_of(std::move(scale), {"min", "max"});
    p["parameters"] = {{"type", "object"}};
    return object_of(std::move(p), {"model_id"});
}

Json config_schema() {
    Json p = Json::object();
    p["metrics"] = {{"type", "array"}, {"maxItems", 50}, {"items", metric_schema()}};
    p["dataset_id"] = uuid();
    p["model_ids"] = {{"type", "array"}, {"maxItems", 100}, {"items", uuid()}};
    p["prompt_template_id"] = uuid();
    p["sample_size"] = {{"type", "integer"}, {"minimum", 1}};
    p["random_seed"] = {{"type", "integer"}, {"minimum", 0}};
    p["reference_field"] = text(1, 255);
    p["budget"] = {{"type", "object"}};
    p["judge_config"] = judge_schema();
    p["parameters"] = {{"type", "object"}};
    return object_of(std::move(p));
}

Json sample_members() {
    Json p = Json::object();
    p["kind"] = {{"const", "sample"}};
    p["experiment_id"] = uuid();
    p["run_id"] = uuid();
    p["sample_id"] = text(1, 255);
    p["input"] = text(1, kTextMax);
    p["output"] = text(1, kTextMax);
    p["expected_output"] = text(0, kTextMax);
    p["latency_ms"] = {{"type", "number"}, {"minimum", 0}};
    p["token_count"] = {{"type", "integer"}, {"minimum", 0}};
    p["cost"] = {
        {"type", "string"},
        {"pattern", "^[0-9]{1,12}(\\.[0-9]{1,12})?$"},
        {"x-hint", "a decimal number as text, \"0.0012\""}
    };
    p["metrics"] = numbers_by_name();
    return p;
}

Json summary_members() {
    Json p = Json::object();
    p["kind"] = {{"const", "run_summary"}};
    p["experiment_id"] = uuid();
    p["run_id"] = uuid();
    p["metrics"] = numbers_by_name();
    return p;
}

Json definition_members() {
    Json p = Json::object();
    p["kind"] = {{"const", "definition"}};
    p["evaluation_type"] = {{"enum", evaluation_types()}, {"x-noun", "evaluation type"}};
    p["config"] = config_schema();
    return p;
}

/// As noun_schema, for what has no name.
Json nameless_schema(Json members, std::vector<std::string> required) {
    Json out = noun_schema(std::move(members), {});
    out["properties"].erase("name");
    out["required"] = std::move(required);
    return out;
}

/// Looks up what a body refers to, unless it referred to the same before.
class References {
  public:
    References(const Request& request, const Json& body, const Json& before)
        : request_(request), body_(body), before_(before) {}

    /// "config.judge_config.model_id"
    Result<std::optional<Resource>> check(const std::string& path, const Noun& noun) {
        const Json* const id = at(body_, path);
        if (id == nullptr || !id->is_string()) {
            return std::nullopt;
        }
        const Json* const old = at(before_, path);
        if (old != nullptr && *old == *id) {
            return std::nullopt;
        }
        return find(path, id->get<std::string>(), noun);
    }
    Status check_list(const std::string& path, const Noun& noun) {
        const Json* const ids = at(body_, path);
        const Json* const old = at(before_, path);
        if (ids == nullptr || (old != nullptr && *old == *ids)) {
            return ok();
        }
        for (std::size_t i = 0; i < ids->size(); ++i) {
            LAB_CHECK(find(path_index(path, i), (*ids)[i].get<std::string>(), noun));
        }
        return ok();
    }
    void problem(std::string path, std::string message) {
        problems_.push_back({std::move(path), std::move(message)});
    }
    Status result() {
        return problems_.empty()
                   ? ok()
                   : Status(Error(
                         Code::validation, "the evaluation cannot be as given", std::move(problems_)
                     ));
    }
    static const Json* at(const Json& whole, std::string_view path) {
        const Json* value = &whole;
        while (value != nullptr && !path.empty()) {
            const std::size_t dot = std::min(path.find('.'), path.size());
            const auto found = value->find(std::string(path.substr(0, dot)));
            value = !value->is_object() || found == value->end() ? nullptr : &*found;
            path.remove_prefix(std::min(dot + 1, path.size()));
        }
        return value;
    }

  private:
    Result<std::optional<Resource>> find(
        const std::string& path, const std::string& id, const Noun& noun
    ) {
        storage::Resources resources(request_.session, noun.kind);
        LAB_TRY(auto found, resources.find(request_.ctx, request_.caller.viewer(), to_lower(id)));
        if (!found) {
            problem(path, no_such(noun.name).message);
        }
        return found;
    }

    const Request& request_;
    const Json& body_;
    const Json& before_;
    std::vector<Detail> problems_;
};

Result<Json> body_before(const Resource* before) {
    if (before == nullptr) {
        return Json::object();
    }
    return parse_json(before->body);
}

void check_criteria(const Json& body, References& references) {
    const Json* const criteria = References::at(body, "config.judge_config.criteria");
    if (criteria != nullptr) {
        double sum = 0;
        std::vector<std::string> names;
        for (std::size_t i = 0; i < criteria->size(); ++i) {
            const std::string path = path_index("config.judge_config.criteria", i) + ".name";
            const std::string name = (*criteria)[i]["name"].get<std::string>();
            if (std::ranges::find(names, name) != names.end()) {
                references.problem(path, "there is another one of this name");
            }
            names.push_back(name);
            sum += (*criteria)[i].value("weight", 1.0);
        }
        if (!(sum > 0)) {
            references.problem("config.judge_config.criteria", "some weight must be above 0");
        }
    }
    const Json* const scale = References::at(body, "config.judge_config.scale");
    if (scale != nullptr && !((*scale)["min"].get<double>() < (*scale)["max"].get<double>())) {
        references.problem("config.judge_config.scale.max", "must be above min");
    }
}

}  // namespace

const Json& evaluation_schema(EvaluationKind kind) {
    static const Json kSample = nameless_schema(
        sample_members(),
        {"experiment_id", "sample_id", "input", "output", "latency_ms", "token_count"}
    );
    static const Json kSummary =
        nameless_schema(summary_members(), {"experiment_id", "run_id", "metrics"});
    static const Json kDefinition = noun_schema(definition_members(), {"evaluation_type"});
    switch (kind) {
        case EvaluationKind::sample:
            return kSample;
        case EvaluationKind::run_summary:
            return kSummary;
        case EvaluationKind::definition:
            break;
    }
    return kDefinition;
}

Status check_record(const Request& request, Json& body, const Resource* before) {
    LAB_TRY(const Json old, body_before(before));
    const std::string run = to_lower(body.value("run_id", ""));
    const auto same = [&](const char* member) {
        return old.value(member, "") == body.value(member, "");
    };
    if (before != nullptr && same("experiment_id") && same("run_id")) {
        return ok();  // what it is about may be gone meanwhile
    }
    const Json nothing = Json::object();
    References references(request, body, nothing);
    LAB_TRY(const auto experiment, references.check("experiment_id", experiment_noun()));
    if (experiment && !run.empty()) {
        const Resource& found = *experiment;
        storage::Runs runs(request.session);
        LAB_TRY(const auto known, runs.find_in(request.ctx, found.key, run));
        if (!known) {
            references.problem("run_id", "the experiment has no run with this id");
        }
    }
    if (experiment && before == nullptr && !body.contains("visibility")) {
        // What is said of an experiment is for the same eyes as the experiment.
        body["visibility"] = to_string(experiment->access.visibility);
    }
    return references.result();
}

Status check_definition(const Request& request, Json& body, const Resource* before) {
    body.emplace("config", Json::object());
    LAB_TRY(const Json old, body_before(before));
    References references(request, body, old);
    LAB_CHECK(references.check("config.dataset_id", dataset_noun()));
    LAB_CHECK(references.check_list("config.model_ids", model_noun()));
    LAB_CHECK(references.check("config.prompt_template_id", prompt_noun()));
    LAB_CHECK(references.check("config.judge_config.model_id", model_noun()));
    LAB_CHECK(references.check("config.judge_config.prompt_template_id", prompt_noun()));
    check_criteria(body, references);
    const Json metrics = body["config"].value("metrics", Json::array());
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        if (metrics[i].is_object() && metrics[i].contains("threshold") &&
            metrics[i]["threshold"].size() != 1) {
            references.problem(
                path_index("config.metrics", i) + ".threshold",
                "takes one of above, below, equal and between"
            );
        }
    }
    const Json& config = body["config"];
    const auto models = config.find("model_ids");
    if (body.value("evaluation_type", "") == "comparison" && models != config.end() &&
        models->size() < 2) {
        references.problem("config.model_ids", "a comparison needs at least two models");
    }
    return references.result();
}

}  // namespace lab::service
