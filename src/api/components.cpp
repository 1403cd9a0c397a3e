#include "api/components.h"

#include "api/impl/schema_words.h"
#include "domain/access.h"
#include "service/credentials.h"
#include "service/experiment_config.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace lab::api {
namespace {

/// What all nouns have, around their own members.
Json noun(const Members& own, const Members& sometimes = {}) {
    Members all{{"id", uuid()}, {"name", text()}, {"description", text()}};
    all.insert(all.end(), own.begin(), own.end());
    const Members rest{
        {"visibility", word({"private", "team", "org"})},
        {"collaborators", list_of(uuid())},
        {"tags", list_of(text())},
        {"metadata", free_object()},
        {"owner_id", or_null(uuid())},
        {"created_at", time()},
        {"updated_at", time()},
    };
    all.insert(all.end(), rest.begin(), rest.end());
    return object(all, sometimes);
}

Json roles() {
    Json names = Json::array();
    for (const std::string_view name : domain::role_names()) {
        names.push_back(name);
    }
    return list_of({{"type", "string"}, {"enum", std::move(names)}});
}

Json tier() { return word({"free", "standard", "professional", "enterprise", "unlimited"}); }

void add_experiments(Json& out) {
    out["ExperimentConfig"] = service::experiment_config_schema();
    out["Experiment"] = noun({
        {"hypothesis", or_null(text())},
        {"config", schema_ref("ExperimentConfig")},
        {"status",
         word(
             {"draft", "ready", "running", "paused", "completed", "failed", "cancelled", "archived"}
         )},
        {"started_at", or_null(time())},
        {"completed_at", or_null(time())},
        {"archived_at", or_null(time())},
    });
    out["RunProgress"] = object({
        {"total_samples", count()},
        {"processed_samples", count()},
        {"current_step", or_null(text())},
        {"estimated_completion", or_null(time())},
    });
    out["RunTotals"] = object({
        {"successful_samples", count()},
        {"failed_samples", count()},
        {"total_tokens", count()},
        {"total_cost", money()},
    });
    out["RunStep"] = object({
        {"name", text()},
        {"kind", text()},
        {"status", text()},
        {"depends_on", list_of(text())},
        {"progress", number()},
    });
    // Of an experiment, and of the definition of an evaluation.
    const auto run_of = [](std::string_view owner, const Members& sometimes) {
        return object(
            {
                {"id", uuid()},
                {owner, uuid()},
                {"run_number", count()},
                {"name", text()},
                {"status",
                 word(
                     {"pending",
                      "queued",
                      "running",
                      "completed",
                      "failed",
                      "cancelled",
                      "timed_out"}
                 )},
                {"origin", word({"engine", "client"})},
                {"config", free_object()},
                {"started_at", or_null(time())},
                {"completed_at", or_null(time())},
                {"duration_ms", or_null(count())},
                {"error", or_null(text())},
                {"progress", schema_ref("RunProgress")},
                {"totals", schema_ref("RunTotals")},
                {"steps", list_of(schema_ref("RunStep"))},
                {"environment", free_object()},
                {"manifest", free_object()},
                {"parent_run_id", or_null(text())},
                {"created_by", or_null(uuid())},
                {"created_at", time()},
            },
            sometimes
        );
    };
    out["Run"] = run_of("experiment_id", {});
    out["JudgedModel"] = object({{"variant", text()}, {"model", or_null(text())}});
    out["RunJudge"] = object(
        {{"model_id", uuid()},
         {"model", text()},
         {"prompt_template_id", or_null(uuid())},
         {"prompt_sha256", text()},
         {"judged", list_of(schema_ref("JudgedModel"))},
         {"notes", list_of(text())}},
        {{"source_run_id", uuid()},
         {"dataset_id", uuid()},
         {"rows", count()},
         {"dropped_items", count()}}
    );
    // `stage`: of the models' run whose outputs a judge's run waits for.
    out["EvaluationRun"] =
        run_of("evaluation_id", {{"stage", word({"outputs"})}, {"judge", schema_ref("RunJudge")}});
}

void add_samples(Json& out) {
    out["Usage"] = object({
        {"input_tokens", count()},
        {"cache_read_tokens", count()},
        {"cache_write_tokens", count()},
        {"output_tokens", count()},
        {"reasoning_tokens", count()},
        {"estimated", boolean()},
    });
    out["Message"] = object({{"role", text()}, {"content", text()}});
    // Those of a client have what the client sent; those of the engine have the rest.
    out["Sample"] = object(
        {{"id", text()}},
        {
            {"index", count()},
            {"item_id", text()},
            {"variant", or_null(text())},
            {"repetition", count()},
            {"status", word({"done", "failed"})},
            {"outcome", or_null(word({"correct", "incorrect", "scored", "unparsed", "error"}))},
            {"input", text()},
            {"output", text()},
            {"expected_output", text()},
            {"scores", free_object()},
            {"extracted", free_object()},
            {"usage", {{"anyOf", Json::array({schema_ref("Usage"), free_object()})}}},
            {"latency_ms", number()},
            {"time_to_first_token_ms", or_null(number())},
            {"cost", or_null(money())},
            {"attempts", count()},
            {"cached", boolean()},
            {"replayed", boolean()},
            {"finish_reason", or_null(text())},
            {"error", or_null(free_object())},
            {"item", free_object()},
            {"prompt", list_of(schema_ref("Message"))},
            {"references", anything()},
            {"metadata", free_object()},
            {"created_at", time()},
        }
    );
    out["Artifact"] = object({
        {"id", uuid()},
        {"run_id", uuid()},
        {"experiment_id", uuid()},
        {"artifact_type", text()},
        {"name", text()},
        {"s3_path", text()},
        {"content_hash", text()},
        {"size_bytes", count()},
        {"mime_type", text()},
        {"created_at", text()},
    });
    out["ArtifactUpload"] = object({
        {"upload_url", text()},
        {"expires_at", text()},
        {"method", text()},
        {"headers", map_of(text())},
    });
    out["CacheAnswer"] = object({{"status", text()}, {"cache", text()}}, {{"cleared", count()}});
    out["Received"] = object({{"received", count()}, {"added", count()}});
    out["MetricAggregate"] = object(
        {{"count", count()}},
        {{"mean", number()},
         {"std", number()},
         {"min", number()},
         {"max", number()},
         {"p50", number()},
         {"p95", number()},
         {"p99", number()}}
    );
    out["RunMetrics"] = object({{"run_id", uuid()}, {"metrics", map_of(or_null(number()))}});
    out["ExperimentMetrics"] = object({
        {"experiment_id", uuid()},
        {"total_samples", count()},
        {"avg_latency_ms", or_null(number())},
        {"total_tokens", count()},
        {"total_cost", money()},
        {"accuracy", or_null(number())},
        {"custom_metrics", free_object()},
        {"aggregated_metrics", map_of(schema_ref("MetricAggregate"))},
        {"runs", list_of(schema_ref("RunMetrics"))},
    });
    out["Report"] = free_object();
    out["Report"]["description"] = "The report as `llm-research report -o json` prints it";
}

void add_models(Json& out) {
    const Json provider = word(
        {"openai", "anthropic", "google", "azure", "huggingface", "cohere", "aws", "local", "custom"
        }
    );
    out["Model"] = noun({
        {"provider", provider},
        {"model_identifier", text()},
        {"version", text()},
        {"config", free_object()},
    });
    out["Provider"] = object({
        {"name", provider},
        {"display_name", text()},
        {"description", text()},
        {"supported_models", list_of(text())},
    });
}

void add_datasets(Json& out) {
    out["Dataset"] = noun(
        {
            {"format", word({"jsonl", "json", "csv", "tsv", "parquet", "text"})},
            {"schema", or_null(free_object())},
            {"s3_path", text()},
            {"status", word({"pending_upload", "validating", "ready", "failed"})},
            {"version", or_null(count())},
            {"row_count", or_null(count())},
            {"sample_count", or_null(count())},
            {"size_bytes", or_null(count())},
            {"content_hash", or_null(text())},
        },
        {{"problem", text()}}  // why the last rows were not taken
    );
    out["DatasetVersion"] = object({
        {"id", or_null(uuid())},
        {"dataset_id", uuid()},
        {"version", count()},
        {"label", or_null(text())},
        {"status", word({"pending_upload", "ready"})},
        {"description", text()},
        {"changelog", text()},
        {"s3_path", or_null(text())},
        {"sample_count", or_null(count())},
        {"row_count", or_null(count())},
        {"size_bytes", or_null(count())},
        {"content_hash", or_null(text())},
        {"fields", or_null(list_of(text()))},
        {"schema", or_null(free_object())},
        {"source", or_null(text())},
        {"created_by", or_null(uuid())},
        {"created_at", or_null(time())},
    });
    out["Upload"] = object({
        {"upload_url", text()},
        {"s3_path", text()},
        {"expires_at", time()},
        {"method", word({"PUT"})},
        {"headers", map_of(text())},
        {"max_bytes", count()},
    });
    out["Download"] = object({
        {"download_url", text()},
        {"expires_at", time()},
        {"version", count()},
        {"format", word({"jsonl"})},
    });
}

void add_prompts(Json& out) {
    out["PromptVariable"] = object(
        {{"name", text()}},
        {
            {"type", word({"string", "number", "boolean", "array", "object"})},
            {"description", text()},
            {"default_value", anything()},
            {"required", boolean()},
        }
    );
    out["Prompt"] = noun({
        {"template", text()},
        {"system_prompt", or_null(text())},
        {"variables", list_of(schema_ref("PromptVariable"))},
        {"default_values", free_object()},
        {"version", count()},
        {"version_count", count()},
        {"current_version_id", uuid()},
    });
    out["PromptVersion"] = object({
        {"id", uuid()},
        {"prompt_id", uuid()},
        {"version_number", count()},
        {"template", text()},
        {"system_prompt", or_null(text())},
        {"variables", list_of(schema_ref("PromptVariable"))},
        {"default_values", free_object()},
        {"changelog", text()},
        {"created_by", or_null(uuid())},
        {"created_at", time()},
    });
    out["RenderedPrompt"] = object({
        {"rendered", text()},
        {"rendered_template", text()},
        {"rendered_system_prompt", or_null(text())},
        {"token_count", count()},
        {"version", count()},
    });
    out["PromptFinding"] = object(
        {{"message", text()}},
        {{"field", text()},
         {"part", text()},
         {"line", or_null(count())},
         {"column", or_null(count())}}
    );
    out["PromptInspection"] = object({
        {"valid", boolean()},
        {"errors", list_of(schema_ref("PromptFinding"))},
        {"warnings", list_of(schema_ref("PromptFinding"))},
        {"detected_variables", list_of(text())},
    });
}

void add_people(Json& out) {
    out["TokenPair"] = object(
        {{"access_token", text()},
         {"refresh_token", text()},
         {"token_type", word({"Bearer"})},
         {"expires_in", count()}},
        {{"refresh_expires_in", count()}}
    );
    out["Identity"] = object({
        {"id", or_null(uuid())},
        {"email", or_null(text())},
        {"name", or_null(text())},
        {"credential", word({"api_key", "token", "admin_key", "local"})},
        {"roles", roles()},
        {"permissions", list_of(text())},
        {"scopes", or_null(list_of(text()))},
        {"rate_limit_tier", tier()},
    });
    out["User"] = object({
        {"id", uuid()},
        {"email", text()},
        {"name", text()},
        {"roles", roles()},
        {"rate_limit_tier", tier()},
        {"is_active", boolean()},
        {"last_login_at", or_null(time())},
        {"created_at", time()},
        {"updated_at", time()},
    });
    const Members key{
        {"id", uuid()},
        {"name", text()},
        {"owner_id", uuid()},
        {"key_prefix", text()},
        {"scopes", list_of(text())},
        {"roles", roles()},
        {"rate_limit_tier", tier()},
        {"created_at", time()},
        {"expires_at", or_null(time())},
        {"last_used_at", or_null(time())},
        {"is_active", boolean()},
    };
    out["ApiKey"] = object(key);
    Members shown_once = key;
    shown_once.emplace_back("key", text());
    out["NewApiKey"] = object(shown_once);
    out["NewApiKey"]["description"] = "The only answer that has the key itself";
}

void add_operations(Json& out) {
    const Json tagged = {
        {"type", "object"},
        {"properties", {{"type", text()}}},
        {"required", {"type"}},
        {"additionalProperties", true},
    };
    out["AuditEvent"] = object({
        {"id", uuid()},
        {"timestamp", time()},
        {"event_type", tagged},
        {"actor", tagged},
        {"resource", tagged},
        {"action", text()},
        {"outcome",
         object({{"status", word({"success", "failure", "denied"})}}, {{"reason", text()}})},
        {"details", or_null(free_object())},
        {"ip_address", or_null(text())},
        {"user_agent", or_null(text())},
        {"request_id", or_null(text())},
        {"duration_ms", or_null(number())},
        {"created_at", time()},
    });
    out["Credential"] = service::shown_credential_schema();
    out["AuditStatistics"] = object({
        {"total", count()},
        {"successful", count()},
        {"failed", count()},
        {"denied", count()},
        {"unique_ips", count()},
    });
    out["Breaker"] = object({
        {"service", text()},
        {"state", word({"closed", "open", "half_open"})},
        {"forced", boolean()},
        {"opened_by", or_null(text())},
        {"opened_at", or_null(time())},
    });
    out["BreakerStatus"] = object({{"breakers", list_of(schema_ref("Breaker"))}});
    out["ProbeStatus"] = object({{"status", word({"alive", "stuck", "started", "starting"})}});
    out["ComponentHealth"] = object(
        {{"name", text()},
         {"status", word({"healthy", "degraded", "unhealthy", "disabled"})},
         {"critical", boolean()},
         {"latency_ms", number()},
         {"last_check", time()}},
        {{"message", text()}}
    );
    out["Health"] = object(
        {{"status", word({"healthy", "degraded", "unhealthy"})},
         {"components", map_of(schema_ref("ComponentHealth"))},
         {"timestamp", time()},
         {"version", text()},
         {"uptime_seconds", number()}},
        {{"message", text()}}
    );
    out["HealthDetails"] = object(
        {{"status", word({"healthy", "degraded", "unhealthy"})},
         {"components", map_of(schema_ref("ComponentHealth"))},
         {"timestamp", time()},
         {"version", text()},
         {"uptime_seconds", number()},
         {"pools", map_of(map_of(count()))},
         {"versions", map_of(text())}},
        {{"message", text()}}
    );
}

void add_analyses(Json& out) {
    out["Agent"] = free_object();
    out["Agent"]["description"] = "What an analysis accepts, answers and is bounded by";
    out["AgentList"] = object(
        {{"total", count()}, {"agents", list_of(schema_ref("Agent"))}}, {{"status", text()}}
    );
}

/// What pages have beside their rows.
void add_paging(Json& out) {
    out["Pagination"] = object(
        {{"total", or_null(count())},
         {"limit", count()},
         {"offset", count()},
         {"has_more", boolean()},
         {"next_cursor", or_null(text())}},
        {{"total_at_least", count()}}
    );
    out["Pagination"]["properties"]["total"]["description"] =
        "null where it is not counted, or goes beyond 10,000: then total_at_least is there";
    out["PageMeta"] = object({
        {"page", count()},
        {"page_size", count()},
        {"total_count", or_null(count())},
        {"total_pages", or_null(count())},
        {"has_next", boolean()},
        {"has_previous", boolean()},
    });
    out["PageLinks"] = object(
        {{"self", text()}},
        {{"first", text()}, {"prev", text()}, {"next", text()}, {"last", text()}}
    );
    out["PageInfo"] = object({
        {"has_next_page", boolean()},
        {"has_previous_page", boolean()},
        {"start_cursor", or_null(text())},
        {"end_cursor", or_null(text())},
    });
}

void add_errors(Json& out) {
    out["FieldProblem"] = object({{"field", text()}, {"message", text()}});
    out["ErrorBody"] = object(
        {{"code", text()}, {"message", text()}, {"request_id", text()}},
        {
            {"details", list_of(schema_ref("FieldProblem"))},
            {"required_permission", text()},
            {"existing_id", text()},
            {"current", text()},
            {"allowed", list_of(text())},
            {"known", list_of(text())},
            {"retry_after", count()},
            {"limit", count()},
            {"remaining", count()},
            {"reset_at", count()},
        }
    );
    // Members of one code may come with later versions.
    out["ErrorBody"]["additionalProperties"] = true;
    out["Error"] = object({{"error", schema_ref("ErrorBody")}});
}

}  // namespace

const Json& answer_schemas() {
    static const Json kSchemas = [] {
        Json out = Json::object();
        add_experiments(out);
        add_samples(out);
        add_models(out);
        add_datasets(out);
        add_prompts(out);
        add_people(out);
        add_operations(out);
        add_evaluation_schemas(out);
        add_analyses(out);
        add_analytics_schemas(out);
        add_paging(out);
        add_errors(out);
        return out;
    }();
    return kSchemas;
}

std::vector<std::string_view> members_of(std::string_view component) {
    std::vector<std::string_view> out;
    const auto found = answer_schemas().find(component);
    if (found != answer_schemas().end() && found->contains("properties")) {
        for (const auto& [name, schema] : (*found)["properties"].items()) {
            out.push_back(name);
        }
    }
    return out;
}

}  // namespace lab::api
