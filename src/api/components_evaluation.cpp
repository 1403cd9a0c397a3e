#include "api/impl/schema_words.h"
#include "service/evaluations.h"

namespace lab::api {
namespace {

/// Three kinds in one collection, each with members of its own.
void add_evaluations(Json& out) {
    const Json& definition = service::evaluations_schema()["oneOf"][0];
    Json types = Json::array();
    for (const std::string& type : service::evaluation_types()) {
        types.push_back(type);
    }
    out["EvaluationConfig"] = definition["properties"]["config"];
    out["Evaluation"] = object(
        {
            {"id", uuid()},
            {"kind", word({"sample", "run_summary", "definition"})},
            {"status", word({"pending", "running", "completed", "failed", "cancelled"})},
            {"visibility", word({"private", "team", "org"})},
            {"collaborators", list_of(uuid())},
            {"tags", list_of(text())},
            {"metadata", free_object()},
            {"owner_id", or_null(uuid())},
            {"created_at", time()},
            {"updated_at", time()},
        },
        {
            {"description", text()},
            // definition
            {"name", text()},
            {"evaluation_type", {{"type", "string"}, {"enum", std::move(types)}}},
            {"config", schema_ref("EvaluationConfig")},
            {"run_count", count()},
            {"last_run_at", or_null(time())},
            // sample and run_summary
            {"experiment_id", uuid()},
            {"run_id", or_null(uuid())},
            {"metrics", map_of(number())},
            // sample
            {"sample_id", text()},
            {"input", text()},
            {"output", text()},
            {"expected_output", or_null(text())},
            {"latency_ms", number()},
            {"token_count", count()},
            {"cost", or_null(money())},
        }
    );
    out["EvaluationsMade"] = {
        {"anyOf", Json::array({schema_ref("Evaluation"), list_of(schema_ref("Evaluation"))})}
    };
    out["ScoresReceived"] =
        object({{"received", count()}, {"added", count()}, {"run", schema_ref("EvaluationRun")}});
    out["MetricType"] = object(
        {{"name", text()},
         {"metric", text()},
         {"description", text()},
         {"kind", word({"binary", "continuous", "corpus"})},
         {"direction", word({"higher_is_better", "lower_is_better"})},
         {"minimum", or_null(number())},
         {"maximum", or_null(number())},
         {"needs_reference", boolean()},
         {"parameters", free_object()}},
        {{"aliases", list_of(text())}}
    );
}

/// Figures of runs of evaluations, and of runs held against each other.
void add_figures(Json& out) {
    out["ConfidenceInterval"] =
        object({{"low", or_null(number())}, {"high", or_null(number())}, {"method", text()}});
    out["MetricThreshold"] = object(
        {},
        {{"above", number()},
         {"below", number()},
         {"equal", number()},
         {"between", list_of(number())}}
    );
    out["MetricFigure"] = object(
        {{"mean", or_null(number())},
         {"std", or_null(number())},
         {"standard_error", or_null(number())},
         {"median", or_null(number())},
         {"n", count()},
         {"missing", count()},
         {"confidence_interval", schema_ref("ConfidenceInterval")},
         {"higher_is_better", boolean()},
         {"minimum", or_null(number())},
         {"maximum", or_null(number())}},
        {{"notes", list_of(text())},
         {"threshold", schema_ref("MetricThreshold")},
         {"passed", boolean()}}
    );
    const Members tested{
        {"paired", boolean()},
        {"n", count()},
        {"dropped", count()},
        {"value_a", or_null(number())},
        {"value_b", or_null(number())},
        {"difference", or_null(number())},
        {"confidence_interval", schema_ref("ConfidenceInterval")},
        {"test", or_null(text())},
        {"p_value", or_null(number())},
        {"corrected_p_value", or_null(number())},
        {"significant", boolean()},
        {"effect_size", or_null(number())},
        {"effect_size_name", text()},
        {"verdict", text()},
        {"sentence", text()},
    };
    const auto test_of = [&](Members sides) {
        sides.insert(sides.end(), tested.begin(), tested.end());
        return object(sides, {{"reason", text()}, {"notes", list_of(text())}});
    };
    out["RunTest"] = test_of({{"run_a", uuid()}, {"run_b", uuid()}});
    out["VariantTest"] =
        test_of({{"metric", text()}, {"variant_a", text()}, {"variant_b", text()}});
    out["VariantFigures"] = object({
        {"variant", text()},
        {"model", or_null(text())},
        {"planned", count()},
        {"completed", count()},
        {"unparsed", count()},
        {"metrics", map_of(schema_ref("MetricFigure"))},
        {"overall_score", or_null(number())},
    });
    const Json place =
        object({{"limit", count()}, {"has_more", boolean()}, {"next_cursor", or_null(text())}});
    out["EvaluationResults"] = object({
        {"evaluation_id", uuid()},
        {"run_id", uuid()},
        {"status", text()},
        {"items", count()},
        {"metrics", map_of(schema_ref("MetricFigure"))},
        {"overall_score", or_null(number())},
        {"by_model", list_of(schema_ref("VariantFigures"))},
        {"comparisons", list_of(schema_ref("VariantTest"))},
        {"reported", map_of(or_null(number()))},
        {"samples", object({{"data", list_of(schema_ref("Sample"))}, {"pagination", place}})},
        {"run", schema_ref("EvaluationRun")},
    });
    out["MetricComparison"] = object({
        {"higher_is_better", boolean()},
        {"values", map_of(or_null(number()))},
        {"best_run_id", or_null(uuid())},
        {"improvement",
         or_null(object(
             {{"baseline_run_id", uuid()}, {"absolute", number()}, {"relative", or_null(number())}}
         ))},
        {"tests", list_of(schema_ref("RunTest"))},
        {"winner", or_null(uuid())},
    });
    out["RunComparison"] = object({
        {"run_ids", list_of(uuid())},
        {"metrics", map_of(schema_ref("MetricComparison"))},
        {"winner", or_null(uuid())},
        {"significance_level", number()},
        {"confidence_level", number()},
        {"correction", or_null(text())},
        {"comparisons", count()},
    });
}

}  // namespace

void add_evaluation_schemas(Json& out) {
    add_evaluations(out);
    add_figures(out);
}

}  // namespace lab::api
