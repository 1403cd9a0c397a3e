#include "api/operations.h"

#include "api/components.h"
#include "base/text.h"

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::string_view kReport =
    "Report text/html text/csv text/markdown application/xml application/yaml text/plain";

constexpr Operation kOperations[] = {
    {"GET /health", "getHealth", "text/plain"},
    {"GET /health/live", "getLiveness", "ProbeStatus"},
    {"GET /health/ready", "getReadiness", "Health"},
    {"GET /health/startup", "getStartup", "ProbeStatus"},
    {"GET /health/detailed", "getHealthDetails", "HealthDetails"},
    {"GET /metrics", "getMetrics", "text/plain"},
    {"GET /openapi.json", "getOpenapi", "application/json"},
    {"GET /docs", "getDocs", "text/html"},
    {"GET /docs.css", "getDocsStyle", "text/css"},

    {"POST /auth/token", "createToken", "TokenPair"},
    {"POST /auth/login",
     "login",
     "TokenPair",
     R"({"email": "ann@example.org", "password": "correct horse battery staple"})"},
    {"POST /auth/refresh", "refreshToken", "TokenPair"},
    {"POST /auth/bootstrap", "bootstrap", "User"},
    {"POST /auth/logout", "logout", ""},
    {"POST /auth/password", "changePassword", "TokenPair"},
    {"GET /auth/oidc/login", "beginOidcLogin", ""},
    {"GET /auth/oidc/callback", "finishOidcLogin", "TokenPair"},
    {"GET /auth/me", "getIdentity", "Identity"},

    {"POST /experiments",
     "createExperiment",
     "Experiment",
     R"({"name": "Which model adds best", "description": "Grade-school arithmetic",
         "tags": ["arithmetic"], "config": {"evaluation_metrics": ["exact_match"],
         "parameters": {"temperature": 0, "max_tokens": 256}, "random_seed": 7}})"},
    {"GET /experiments", "listExperiments", "Page of Experiment"},
    {"GET /experiments/{id}", "getExperiment", "Experiment"},
    {"PUT /experiments/{id}", "updateExperiment", "Experiment", R"({"description": "Shorter"})"},
    {"DELETE /experiments/{id}", "deleteExperiment", ""},
    {"POST /experiments/{id}/start", "startExperiment", "Experiment"},
    {"POST /experiments/{id}/pause", "pauseExperiment", "Experiment"},
    {"POST /experiments/{id}/resume", "resumeExperiment", "Experiment"},
    {"POST /experiments/{id}/cancel", "cancelExperiment", "Experiment"},
    {"POST /experiments/{id}/archive", "archiveExperiment", "Experiment"},
    {"POST /experiments/{id}/unarchive", "unarchiveExperiment", "Experiment"},
    {"POST /experiments/{id}/clone",
     "cloneExperiment",
     "Experiment",
     R"({"name": "Which model adds best, again"})"},
    {"GET /experiments/{id}/metrics", "getExperimentMetrics", "ExperimentMetrics"},
    {"GET /experiments/{id}/metrics/series", "getMetricSeries", "MetricSeries"},
    {"GET /experiments/{id}/metrics/trend", "getMetricTrend", "MetricTrend"},
    {"GET /analytics/latency", "getLatencyFigures", "LatencyFigures"},
    {"GET /analytics/costs", "getCostFigures", "CostFigures"},
    {"GET /experiments/{id}/report", "getExperimentReport", kReport},

    {"POST /experiments/{id}/runs",
     "createRun",
     "Run",
     R"({"name": "from the notebook", "environment": {"python": "3.12"}})"},
    {"GET /experiments/{id}/runs", "listRuns", "Page of Run"},
    {"GET /experiments/{id}/runs/{run}", "getRun", "Run"},
    {"POST /experiments/{id}/runs/{run}/cancel", "cancelRun", "Run"},
    {"POST /experiments/{id}/runs/{run}/complete", "completeRun", "Run"},
    {"POST /experiments/{id}/runs/{run}/fail",
     "failRun",
     "Run",
     R"({"error": "the model server went away"})"},
    {"POST /experiments/{id}/runs/{run}/metrics",
     "logMetrics",
     "Received",
     R"([{"name": "loss", "value": 0.25, "step": 10}])"},
    {"POST /experiments/{id}/runs/{run}/samples",
     "logSamples",
     "Received",
     R"([{"id": "s-1", "input": "2 + 2", "output": "4", "scores": {"exact_match": 1}}])"},
    {"GET /experiments/{id}/runs/{run}/samples", "listSamples", "Page of Sample text/csv"},
    {"GET /experiments/{id}/runs/{run}/samples/{sample}", "getSample", "Sample"},
    {"GET /experiments/{id}/runs/{run}/events", "streamEvents", "text/event-stream"},
    {"GET /experiments/{id}/runs/{run}/report", "getRunReport", kReport},

    {"POST /experiments/{id}/runs/{run}/artifacts", "uploadArtifact", "Artifact"},
    {"GET /experiments/{id}/runs/{run}/artifacts", "listArtifacts", "Page of Artifact"},
    {"POST /experiments/{id}/runs/{run}/artifacts/upload",
     "prepareArtifactUpload",
     "ArtifactUpload",
     R"({"name": "log.txt", "artifact_type": "log", "mime_type": "text/plain"})"},
    {"PUT /experiments/{id}/runs/{run}/artifacts/content", "uploadArtifactContent", "Artifact"},
    {"GET /experiments/{id}/runs/{run}/artifacts/{artifact}", "getArtifact", "Artifact"},
    {"DELETE /experiments/{id}/runs/{run}/artifacts/{artifact}", "deleteArtifact", ""},
    {"GET /experiments/{id}/runs/{run}/artifacts/{artifact}/content",
     "downloadArtifact",
     "application/octet-stream"},

    {"POST /models",
     "createModel",
     "Model",
     R"({"name": "small", "provider": "openai", "model_identifier": "gpt-4o-mini"})"},
    {"GET /models", "listModels", "Page of Model"},
    {"GET /models/{id}", "getModel", "Model"},
    {"PUT /models/{id}", "updateModel", "Model", R"({"version": "2024-07-18"})"},
    {"DELETE /models/{id}", "deleteModel", ""},
    {"GET /models/providers", "listProviders", "[Provider]"},

    {"POST /datasets", "createDataset", "Dataset", R"({"name": "sums", "format": "jsonl"})"},
    {"GET /datasets", "listDatasets", "Page of Dataset"},
    {"GET /datasets/{id}", "getDataset", "Dataset"},
    {"PUT /datasets/{id}", "updateDataset", "Dataset", R"({"description": "Sums up to 100"})"},
    {"DELETE /datasets/{id}", "deleteDataset", ""},
    {"POST /datasets/{id}/versions",
     "createDatasetVersion",
     "DatasetVersion",
     R"({"version": "1.1.0", "changelog": "100 more rows"})"},
    {"GET /datasets/{id}/versions", "listDatasetVersions", "[DatasetVersion]"},
    {"POST /datasets/{id}/upload", "prepareUpload", "Upload", R"({"filename": "sums.jsonl"})"},
    {"PUT /datasets/{id}/content", "uploadContent", "DatasetVersion"},
    {"GET /datasets/{id}/content", "downloadContent", "application/x-ndjson"},
    {"POST /datasets/{id}/import", "importRows", "DatasetVersion"},
    {"GET /datasets/{id}/download", "prepareDownload", "Download"},
    {"GET /datasets/{id}/rows", "streamRows", "application/x-ndjson"},

    {"POST /prompts",
     "createPrompt",
     "Prompt",
     R"({"name": "plain", "template": "What is {{question}}?"})"},
    {"GET /prompts", "listPrompts", "Page of Prompt"},
    {"GET /prompts/{id}", "getPrompt", "Prompt"},
    {"PUT /prompts/{id}", "updatePrompt", "Prompt", R"({"template": "Compute {{question}}."})"},
    {"DELETE /prompts/{id}", "deletePrompt", ""},
    {"POST /prompts/{id}/render",
     "renderPrompt",
     "RenderedPrompt",
     R"({"variables": {"question": "2 + 2"}})"},
    {"POST /prompts/validate",
     "validatePrompt",
     "PromptInspection",
     R"({"template": "What is {{question}}?"})"},
    {"POST /prompts/{id}/versions",
     "createPromptVersion",
     "PromptVersion",
     R"({"template": "{{question}} =", "changelog": "shorter"})"},
    {"GET /prompts/{id}/versions", "listPromptVersions", "Page of PromptVersion"},
    {"GET /prompts/{id}/versions/{version}", "getPromptVersion", "PromptVersion"},

    {"POST /evaluations", "createEvaluation", "EvaluationsMade"},
    {"GET /evaluations", "listEvaluations", "Page of Evaluation"},
    {"GET /evaluations/{id}", "getEvaluation", "Evaluation"},
    {"PUT /evaluations/{id}", "updateEvaluation", "Evaluation"},
    {"DELETE /evaluations/{id}", "deleteEvaluation", ""},
    {"POST /evaluations/{id}/run", "runEvaluation", "EvaluationRun"},
    {"GET /evaluations/{id}/runs", "listEvaluationRuns", "Page of EvaluationRun"},
    {"GET /evaluations/{id}/runs/{run}", "getEvaluationRun", "EvaluationRun"},
    {"POST /evaluations/{id}/runs/{run}/cancel", "cancelEvaluationRun", "EvaluationRun"},
    {"GET /evaluations/{id}/runs/{run}/results", "getEvaluationResults", "EvaluationResults"},
    {"POST /evaluations/{id}/runs/{run}/metrics", "logScores", "ScoresReceived"},
    {"POST /evaluations/compare", "compareRuns", "RunComparison"},
    {"GET /evaluations/metric-types", "listMetricTypes", "[MetricType]"},

    {"GET /api/v1/agents", "listAgents", "AgentList"},
    {"POST /api/v1/agents/hypothesis", "analyzeHypothesis", ""},
    {"GET /api/v1/agents/hypothesis", "describeHypothesisAnalysis", "Agent"},
    {"POST /api/v1/agents/metric", "analyzeMetrics", ""},
    {"GET /api/v1/agents/metric", "describeMetricAnalysis", "Agent"},
    {"POST /research-lab/hypothesis", "analyzeHypothesisInLab", ""},
    {"GET /research-lab/hypothesis", "describeHypothesisAnalysisInLab", "Agent"},
    {"POST /research-lab/metrics", "analyzeMetricsInLab", ""},
    {"GET /research-lab/metrics", "describeMetricAnalysisInLab", "Agent"},
    {"GET /research-lab/health", "getAnalysisHealth", "AgentList"},

    {"POST /admin/users", "createUser", "User"},
    {"GET /admin/users", "listUsers", "Page of User"},
    {"GET /admin/users/{id}", "getUser", "User"},
    {"PUT /admin/users/{id}", "updateUser", "User", R"({"rate_limit_tier": "enterprise"})"},
    {"DELETE /admin/users/{id}", "deleteUser", ""},
    {"POST /admin/api-keys",
     "createApiKey",
     "NewApiKey",
     R"({"name": "ci", "scopes": ["experiments:read"]})"},
    {"GET /admin/api-keys", "listApiKeys", "Page of ApiKey"},
    {"GET /admin/api-keys/{id}", "getApiKey", "ApiKey"},
    {"DELETE /admin/api-keys/{id}", "deleteApiKey", ""},
    {"POST /admin/api-keys/{id}/rotate", "rotateApiKey", "NewApiKey", R"({"overlap_hours": 1})"},
    {"GET /admin/audit-logs", "listAuditEvents", "Page of AuditEvent"},
    {"GET /admin/audit-logs/statistics", "getAuditStatistics", "AuditStatistics"},
    {"POST /admin/credentials",
     "createCredential",
     "Credential",
     R"({"name": "openai", "secret_ref": "env:OPENAI_API_KEY", "allowed_hosts": ["api.openai.com"]})"
    },
    {"GET /admin/credentials", "listCredentials", "Page of Credential"},
    {"GET /admin/credentials/{name}", "getCredential", "Credential"},
    {"PUT /admin/credentials/{name}", "updateCredential", "Credential"},
    {"DELETE /admin/credentials/{name}", "deleteCredential", ""},
    {"GET /admin/maintenance", "getMaintenance", ""},
    {"POST /admin/maintenance", "setMaintenance", ""},
    {"POST /admin/cache/warm", "warmCache", "CacheAnswer"},
    {"POST /admin/cache/clear", "clearCache", "CacheAnswer"},
    {"POST /admin/circuit-breaker/open", "openBreaker", "Breaker", R"({"service": "openai-api"})"},
    {"POST /admin/circuit-breaker/close", "closeBreaker", "Breaker", R"({"service": "openai-api"})"
    },
    {"POST /admin/circuit-breaker/reset", "resetBreaker", "Breaker", R"({"service": "openai-api"})"
    },
    {"GET /admin/circuit-breaker/status", "getBreakers", "BreakerStatus"},
};

void let_choose_fields(Route& route) {
    constexpr std::string_view kPage = "Page of ";
    if (!route.answer.starts_with(kPage)) {
        return;
    }
    const auto fields = std::ranges::find(route.query, "fields", &QueryParameter::name);
    if (fields != route.query.end()) {
        fields->type = "words";
        const std::string_view row = route.answer.substr(kPage.size());
        fields->values = members_of(row.substr(0, row.find(' ')));
    }
}

}  // namespace

std::span<const Operation> operations() { return kOperations; }

void name_routes(std::vector<Route>& routes) {
    for (Route& route : routes) {
        const std::string name = std::string(route.method) + " " + std::string(route.path);
        const auto* const found = std::ranges::find(kOperations, name, &Operation::route);
        if (found != std::end(kOperations)) {
            route.id = found->id;
            route.answer = found->answer;
            route.example = found->example;
        }
        let_choose_fields(route);
    }
}

}  // namespace lab::api
