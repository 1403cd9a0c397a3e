#include "service/analyses.h"
#include "service/impl/hypothesis.h"
#include "service/impl/observations.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

Json object(Json properties, Json required = Json::array()) {
    Json out = Json::object();
    out["type"] = "object";
    out["properties"] = std::move(properties);
    if (!required.empty()) {
        out["required"] = std::move(required);
    }
    out["additionalProperties"] = false;
    return out;
}

Json text(int least, int most) {
    return {{"type", "string"}, {"minLength", least}, {"maxLength", most}};
}

Json number(std::string_view type, Json least, Json most) {
    Json out = Json::object();
    out["type"] = type;
    out["minimum"] = std::move(least);
    out["maximum"] = std::move(most);
    return out;
}

/// Above 0 and at most, or below, `most`.
Json share(Json most, bool open) {
    Json out = Json::object();
    out["type"] = "number";
    out["exclusiveMinimum"] = 0;
    out[open ? "exclusiveMaximum" : "maximum"] = std::move(most);
    return out;
}

Json one_of(Json values, std::string_view noun) {
    Json out = Json::object();
    out["enum"] = std::move(values);
    out["x-noun"] = noun;
    return out;
}

Json flag() { return {{"type", "boolean"}}; }

Json list(Json items, int least, int most) {
    Json out = Json::object();
    out["type"] = "array";
    out["minItems"] = least;
    out["maxItems"] = most;
    out["items"] = std::move(items);
    return out;
}

Json method_names() {
    Json out = Json::array();
    for (const MethodInfo& method : methods()) {
        out.push_back(method.name);
    }
    return out;
}

Json variable_schema() {
    Json properties = Json::object();
    properties["name"] = text(1, 128);
    properties["role"] = one_of(
        {"dependent", "independent", "control", "confounding", "mediating", "moderating"}, "role"
    );
    properties["data_type"] = one_of(
        {"continuous", "discrete", "ordinal", "categorical", "nominal", "binary"}, "data type"
    );
    properties["unit"] = {{"type", Json::array({"string", "null"})}, {"maxLength", 64}};
    return object(std::move(properties), Json::array({"name"}));
}

Json hypothesis_part() {
    Json properties = Json::object();
    properties["id"] = text(1, 255);
    properties["name"] = text(1, 255);
    properties["statement"] = text(1, 2000);
    properties["type"] = one_of(
        {"comparative", "causal", "correlational", "existence", "threshold", "trend"},
        "type of hypothesis"
    );
    properties["null_hypothesis"] = text(1, 1000);
    properties["alternative_hypothesis"] = text(1, 1000);
    properties["variables"] = list(variable_schema(), 0, 20);
    properties["significance_level"] = share(0.5, false);
    properties["required_power"] = share(1, true);
    return object(std::move(properties), Json::array({"name", "statement", "type"}));
}

Json data_part(bool with_quality) {
    Json properties = Json::object();
    properties["source_id"] = text(1, 255);
    properties["observations"] = observations_schema();
    if (with_quality) {
        properties["sample_size"] = number("integer", 0, 1'000'000'000);
        properties["quality_metrics"] = {{"type", "object"}};
    }
    return object(std::move(properties), Json::array({"observations"}));
}

Json hypothesis_config() {
    Json properties = Json::object();
    properties["test_method"] = one_of(method_names(), "test method");
    properties["apply_correction"] = flag();
    properties["correction_method"] =
        one_of({"bonferroni", "holm", "benjamini_hochberg", "benjamini_yekutieli"}, "correction");
    properties["bootstrap_iterations"] = number("integer", 100, 100'000);
    properties["random_seed"] = number("integer", 0, 9'007'199'254'740'991);
    properties["compute_effect_size"] = flag();
    properties["generate_diagnostics"] = flag();
    properties["threshold"] = {{"type", "number"}};
    return object(std::move(properties));
}

Json metric_part() {
    Json parameters = Json::object();
    parameters["percentiles"] = list(number("number", 0, 100), 1, 100);
    parameters["method"] = one_of({"linear", "nearest_rank", "pearson", "spearman"}, "method");
    parameters["function"] = one_of(
        {"sum",
         "count",
         "trimmed_mean",
         "geometric_mean",
         "harmonic_mean",
         "root_mean_square",
         "share_at_least",
         "share_at_most"},
        "function"
    );
    parameters["argument"] = {{"type", "number"}};
    Json properties = Json::object();
    properties["name"] = text(1, 128);
    properties["type"] = one_of(
        {"central_tendency",
         "dispersion",
         "distribution_shape",
         "percentile",
         "correlation",
         "regression",
         "custom"},
        "type of metric"
    );
    properties["variables"] = list(text(1, 128), 1, 2);
    properties["parameters"] = object(std::move(parameters));
    return object(std::move(properties), Json::array({"type", "variables"}));
}

Json metric_config() {
    Json properties = Json::object();
    properties["missing_data"] =
        one_of({"skip", "zero_fill", "mean", "median", "fail"}, "strategy");
    properties["precision"] = number("integer", 0, 20);
    properties["confidence_level"] = share(1, true);
    return object(std::move(properties));
}

/// Answers may grow: members that are not named are allowed.
Json answer(std::initializer_list<std::pair<const char*, Json>> members) {
    Json out = Json::object();
    out["type"] = "object";
    for (const auto& [name, schema] : members) {
        out["properties"][name] = schema;
    }
    return out;
}

Json of_type(std::string_view type, bool or_null = false) {
    Json out = Json::object();
    out["type"] = or_null ? Json::array({type, "null"}) : Json(type);
    return out;
}

Json describe_method(const MethodInfo& method) {
    Json out = Json::object();
    out["name"] = method.name;
    out["asks"] = method.summary;
    out["needs"] = method.needs;
    return out;
}

struct Agent {
    std::string_view name;
    std::string_view path;
    std::string_view description;
};
constexpr Agent kAgents[] = {
    {"hypothesis",
     "/api/v1/agents/hypothesis",
     "Tests a hypothesis on observations: statistic, p, interval, effect size, power, assumptions"},
    {"metric",
     "/api/v1/agents/metric",
     "Describes observations: central tendency, dispersion, shape, percentiles, correlation, "
     "regression"},
};

Json agent_head(const Agent& agent) {
    Json out = Json::object();
    out["id"] = agent.name;
    out["name"] = agent.name;
    out["description"] = agent.description;
    out["endpoint"] = agent.path;
    out["method"] = "POST";
    out["status"] = "available";
    return out;
}

}  // namespace

const Json& hypothesis_schema() {
    static const Json kSchema = [] {
        Json properties = Json::object();
        properties["request_id"] = text(1, 128);
        properties["hypothesis"] = hypothesis_part();
        properties["experimental_data"] = data_part(true);
        properties["config"] = hypothesis_config();
        return object(std::move(properties), Json::array({"hypothesis", "experimental_data"}));
    }();
    return kSchema;
}

const Json& metric_schema() {
    static const Json kSchema = [] {
        Json properties = Json::object();
        properties["request_id"] = text(1, 128);
        properties["metrics"] = list(metric_part(), 1, 50);
        properties["data"] = data_part(false);
        properties["config"] = metric_config();
        return object(std::move(properties), Json::array({"metrics", "data"}));
    }();
    return kSchema;
}

const Json& hypothesis_answer_schema() {
    static const Json kSchema = answer({
        {"request_id", of_type("string")},
        {"status", one_of({"accepted", "rejected", "inconclusive", "failed"}, "status")},
        {"conclusion", of_type("string")},
        {"test_method", of_type("string")},
        {"test_method_reason", of_type("string")},
        {"statistic_name", of_type("string")},
        {"test_statistic", of_type("number", true)},
        {"degrees_of_freedom", of_type("array")},
        {"p_value", of_type("number", true)},
        {"corrected_p_value", of_type("number", true)},
        {"confidence_interval", of_type("object", true)},
        {"effect_size", of_type("object", true)},
        {"effect_sizes", of_type("array")},
        {"achieved_power", of_type("number", true)},
        {"power", of_type("object")},
        {"sample_adequacy", one_of({"adequate", "marginal", "inadequate"}, "adequacy")},
        {"sample", of_type("object")},
        {"assumption_violations", of_type("array")},
        {"recommendations", of_type("array")},
        {"diagnostics", of_type("object")},
        {"other_variables", of_type("array")},
    });
    return kSchema;
}

const Json& metric_answer_schema() {
    static const Json kSchema = answer({
        {"request_id", of_type("string")},
        {"status", one_of({"completed", "partial", "failed"}, "status")},
        {"observations", of_type("integer")},
        {"metrics", of_type("array")},
    });
    return kSchema;
}

Json describe_agent(std::string_view name) {
    const bool hypothesis = name == "hypothesis";
    Json out = agent_head(kAgents[hypothesis ? 0 : 1]);
    Json limits = Json::object();
    limits["observations"] = kObservationsMax;
    limits["body_bytes"] = kAnalysisBytesMax;
    if (hypothesis) {
        limits["bootstrap_draws"] = kBootstrapDrawsMax;
        out["methods"] = Json::array();
        for (const MethodInfo& method : methods()) {
            out["methods"].push_back(describe_method(method));
        }
        out["without_test_method"] =
            "categories: chi_squared; every id once in each of two groups: paired_t_test; two "
            "groups: welch_t_test; more: anova, or welch_anova when Brown-Forsythe gives p < 0.05; "
            "a number beside a number: pearson_correlation, for trends linear_regression; one "
            "group: one_sample_t_test. In their place methods for ranks, when the outcome is "
            "ordinal or fewer than 30 values of a group are clearly not normal (Shapiro-Wilk "
            "p < 0.05)";
        out["status_rule"] =
            "accepted: the corrected p is at most significance_level (bayesian: BF10 >= 3); "
            "rejected: it is not, and an effect of medium size would have been found with "
            "required_power (BF10 <= 1/3); inconclusive: neither; failed: nothing could be "
            "computed";
    }
    out["limits"] = std::move(limits);
    out["input_schema"] = hypothesis ? hypothesis_schema() : metric_schema();
    out["output_schema"] = hypothesis ? hypothesis_answer_schema() : metric_answer_schema();
    return out;
}

Json list_agents() {
    Json agents = Json::array();
    for (const Agent& agent : kAgents) {
        agents.push_back(agent_head(agent));
    }
    Json out = Json::object();
    out["total"] = agents.size();
    out["agents"] = std::move(agents);
    return out;
}

}  // namespace lab::service
