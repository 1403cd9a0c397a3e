#include "api/routes.h"

#include "api/openapi.h"
#include "api/operations.h"
#include "api/router.h"
#include "base/text.h"
#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace lab::api {
namespace {

class NoControl final : public service::RunControl {
  public:
    void wake() override {}
    void interrupt(const std::string&) override {}
};

/// All routes, over things that are never asked here.
class AllRoutes : public testing::Test {
  protected:
    AllRoutes() {
        auto jwt =
            Jwt::create({.secret = std::string(40, 's'), .issuer = "i", .audience = "a"}, clock_);
        auto hasher = PasswordHasher::create({.passes = 1, .memory_bytes = 8U << 10});
        EXPECT_TRUE(jwt && hasher);
        auto identity = service::Identity::create(
            {.jwt = *std::move(jwt), .hasher = *std::move(hasher), .pepper = std::string(40, 'p')},
            clock_,
            random_,
            uuids_
        );
        EXPECT_TRUE(identity) << (identity ? "" : identity.error().message);
        identity_ = *std::move(identity);
        routes_ = all_routes({
            .identity = *identity_,
            .control = control_,
            .events = events_,
            .board = board_,
            .maintenance = maintenance_,
            .metrics_text = [] { return std::string(); },
            .document = [this]() -> const std::string& { return document_; },
            .count_evaluations = [](std::size_t) {},
            .signing = signing_,
        });
    }
    SystemClock clock_;
    SystemRandom random_;
    RandomUuids uuids_;
    std::unique_ptr<service::Identity> identity_;
    NoControl control_;
    service::RunEvents events_;
    HealthBoard board_{clock_, "1"};
    service::MaintenanceFlag maintenance_;
    SigningKeys signing_{"key"};
    std::string document_;
    std::vector<Route> routes_;
};

/// Who may use it, as the contract writes it: a scope, or open, caller, admin, loopback.
std::string guard_words(const Route& route) {
    switch (route.guard) {
        case Guard::undeclared:
            return "undeclared";
        case Guard::open:
            return "open";
        case Guard::caller:
            return "caller";
        case Guard::permission:
            return std::string(to_string(*route.permission)) +
                   (route.or_scope.empty() ? "" : " or " + std::string(route.or_scope));
        case Guard::admin:
            return "admin";
        case Guard::loopback:
            return "loopback";
    }
    return "?";
}

TEST_F(AllRoutes, MakeATableThatTheProgramStartsWith) {
    const auto router = Router::make(routes_);
    EXPECT_TRUE(router) << (router ? "" : router.error().message);
}

// What the contract says of who may use what. A route that is not here has nobody thought about.
TEST_F(AllRoutes, AreGuardedAsTheContractSays) {
    const std::map<std::string, std::string> contract{
        {"POST /auth/token", "open"},
        {"POST /auth/login", "open"},
        {"POST /auth/refresh", "open"},
        {"POST /auth/logout", "caller"},
        {"GET /auth/me", "caller"},
        {"POST /auth/password", "caller"},
        {"GET /auth/oidc/login", "open"},
        {"GET /auth/oidc/callback", "open"},
        {"POST /experiments", "CreateExperiment"},
        {"GET /experiments", "ReadExperiment"},
        {"GET /experiments/{id}", "ReadExperiment"},
        {"PUT /experiments/{id}", "UpdateExperiment"},
        {"DELETE /experiments/{id}", "DeleteExperiment"},
        {"POST /experiments/{id}/start", "RunExperiment"},
        {"POST /experiments/{id}/pause", "RunExperiment"},
        {"POST /experiments/{id}/resume", "RunExperiment"},
        {"POST /experiments/{id}/cancel", "RunExperiment"},
        {"POST /experiments/{id}/archive", "UpdateExperiment"},
        {"POST /experiments/{id}/unarchive", "UpdateExperiment"},
        {"POST /experiments/{id}/clone", "CreateExperiment"},
        {"POST /experiments/{id}/runs", "RunExperiment"},
        {"GET /experiments/{id}/runs", "ReadExperiment"},
        {"GET /experiments/{id}/runs/{run}", "ReadExperiment"},
        {"POST /experiments/{id}/runs/{run}/cancel", "RunExperiment"},
        {"POST /experiments/{id}/runs/{run}/complete", "RunExperiment"},
        {"POST /experiments/{id}/runs/{run}/fail", "RunExperiment"},
        {"GET /experiments/{id}/metrics", "ReadMetrics"},
        {"GET /experiments/{id}/metrics/series", "ReadMetrics"},
        {"GET /experiments/{id}/metrics/trend", "ReadMetrics"},
        {"GET /analytics/latency", "ReadMetrics"},
        {"GET /analytics/costs", "ReadMetrics"},
        {"GET /experiments/{id}/runs/{run}/samples", "ReadMetrics"},
        {"GET /experiments/{id}/runs/{run}/samples/{sample}", "ReadMetrics"},
        {"POST /experiments/{id}/runs/{run}/samples", "RunExperiment"},
        {"POST /experiments/{id}/runs/{run}/metrics", "RunExperiment"},
        {"GET /experiments/{id}/runs/{run}/events", "ReadExperiment"},
        {"POST /experiments/{id}/runs/{run}/artifacts", "RunExperiment"},
        {"GET /experiments/{id}/runs/{run}/artifacts", "ReadExperiment"},
        {"GET /experiments/{id}/runs/{run}/artifacts/{artifact}", "ReadExperiment"},
        {"DELETE /experiments/{id}/runs/{run}/artifacts/{artifact}", "RunExperiment"},
        {"GET /experiments/{id}/runs/{run}/artifacts/{artifact}/content", "ReadExperiment"},
        {"POST /experiments/{id}/runs/{run}/artifacts/upload", "RunExperiment"},
        {"PUT /experiments/{id}/runs/{run}/artifacts/content", "open"},
        {"GET /experiments/{id}/report", "ReadMetrics"},
        {"GET /experiments/{id}/runs/{run}/report", "ReadMetrics"},
        {"POST /models", "CreateModel"},
        {"GET /models", "ReadModel"},
        {"GET /models/{id}", "ReadModel"},
        {"PUT /models/{id}", "UpdateModel"},
        {"DELETE /models/{id}", "DeleteModel"},
        {"GET /models/providers", "open"},
        {"POST /datasets", "CreateDataset"},
        {"GET /datasets", "ReadDataset"},
        {"GET /datasets/{id}", "ReadDataset"},
        {"PUT /datasets/{id}", "UpdateDataset"},
        {"DELETE /datasets/{id}", "DeleteDataset"},
        {"POST /datasets/{id}/versions", "UpdateDataset"},
        {"GET /datasets/{id}/versions", "ReadDataset"},
        {"POST /datasets/{id}/upload", "UpdateDataset"},
        {"GET /datasets/{id}/download", "ExportData"},
        {"POST /prompts", "CreatePrompt"},
        {"GET /prompts", "ReadPrompt"},
        {"GET /prompts/{id}", "ReadPrompt"},
        {"PUT /prompts/{id}", "UpdatePrompt"},
        {"DELETE /prompts/{id}", "DeletePrompt"},
        {"POST /prompts/{id}/render", "ReadPrompt"},
        {"POST /prompts/validate", "ReadPrompt"},
        {"POST /prompts/{id}/versions", "UpdatePrompt"},
        {"GET /prompts/{id}/versions", "ReadPrompt"},
        {"POST /api/v1/agents/hypothesis", "ReadMetrics"},
        {"GET /api/v1/agents/hypothesis", "ReadMetrics"},
        {"POST /api/v1/agents/metric", "ReadMetrics"},
        {"GET /api/v1/agents/metric", "ReadMetrics"},
        {"GET /api/v1/agents", "ReadMetrics"},
        {"POST /research-lab/hypothesis", "ReadMetrics"},
        {"GET /research-lab/hypothesis", "ReadMetrics"},
        {"POST /research-lab/metrics", "ReadMetrics"},
        {"GET /research-lab/metrics", "ReadMetrics"},
        {"GET /research-lab/health", "ReadMetrics"},
        {"POST /evaluations", "RunExperiment or metrics:write"},
        {"GET /evaluations", "ReadMetrics"},
        {"GET /evaluations/{id}", "ReadMetrics"},
        {"PUT /evaluations/{id}", "RunExperiment or metrics:write"},
        {"DELETE /evaluations/{id}", "RunExperiment or metrics:write"},
        {"POST /evaluations/{id}/run", "RunExperiment"},
        {"GET /evaluations/{id}/runs", "ReadMetrics"},
        {"GET /evaluations/{id}/runs/{run}", "ReadMetrics"},
        {"POST /evaluations/{id}/runs/{run}/cancel", "RunExperiment"},
        {"GET /evaluations/{id}/runs/{run}/results", "ReadMetrics"},
        {"POST /evaluations/{id}/runs/{run}/metrics", "RunExperiment or metrics:write"},
        {"POST /evaluations/compare", "ReadMetrics"},
        {"GET /evaluations/metric-types", "ReadMetrics"},
        {"GET /health", "open"},
        {"GET /health/live", "open"},
        {"GET /health/ready", "open"},
        {"GET /health/startup", "open"},
        {"GET /health/detailed", "caller"},
        {"GET /metrics", "open"},
        {"POST /admin/credentials", "admin"},
        {"GET /admin/credentials", "admin"},
        {"GET /admin/credentials/{name}", "admin"},
        {"PUT /admin/credentials/{name}", "admin"},
        {"DELETE /admin/credentials/{name}", "admin"},
        {"POST /admin/circuit-breaker/open", "admin"},
        {"POST /admin/circuit-breaker/close", "admin"},
        {"POST /admin/circuit-breaker/reset", "admin"},
        {"GET /admin/circuit-breaker/status", "loopback"},
        {"POST /admin/cache/warm", "admin"},
        {"POST /admin/cache/clear", "admin"},
        {"GET /admin/maintenance", "admin"},
        {"POST /admin/maintenance", "admin"},
        {"POST /admin/api-keys", "ManageApiKeys"},
        {"GET /admin/api-keys", "ManageApiKeys"},
        {"DELETE /admin/api-keys/{id}", "ManageApiKeys"},
        {"POST /admin/api-keys/{id}/rotate", "ManageApiKeys"},
        {"POST /admin/users", "ManageUsers"},
        {"GET /admin/users", "ManageUsers"},
        {"PUT /admin/users/{id}", "ManageUsers"},
        {"DELETE /admin/users/{id}", "ManageUsers"},
        {"GET /admin/audit-logs", "ViewAuditLogs"},
        {"GET /admin/audit-logs/statistics", "ViewAuditLogs"},
    };
    std::map<std::string, std::string> table;
    for (const Route& route : routes_) {
        table[std::string(route.method) + " " + std::string(route.path)] = guard_words(route);
    }
    for (const auto& [route, guard] : contract) {
        const auto found = table.find(route);
        ASSERT_NE(found, table.end()) << route << " is missing";
        EXPECT_EQ(found->second, guard) << route;
    }
    // Open to everybody is only what has to be: named here, so that nobody opens one in passing.
    const std::set<std::string> also_open{
        "POST /auth/bootstrap", "GET /openapi.json", "GET /docs", "GET /docs.css"
    };
    for (const auto& [route, guard] : table) {
        const bool signed_address = route.find("/content") != std::string::npos;
        if (guard == "open" && !contract.contains(route) && !signed_address) {
            EXPECT_TRUE(also_open.contains(route)) << route << " is open";
        }
    }
}

TEST_F(AllRoutes, AreTheDocumentAndNothingElseIs) {
    const Json document = openapi_document(routes_, "1");
    std::set<std::string> documented;
    for (const auto& [path, item] : document["paths"].items()) {
        for (const auto& [method, operation] : item.items()) {
            documented.insert(method + " " + path);
            EXPECT_TRUE(operation["responses"].is_object()) << path;
        }
    }
    EXPECT_EQ(documented.size(), routes_.size());
    std::set<std::string> ids;
    for (const Route& route : routes_) {
        std::string method(route.method);
        std::ranges::transform(method, method.begin(), [](char c) {
            return static_cast<char>(c - 'A' + 'a');
        });
        EXPECT_TRUE(documented.contains(method + " " + std::string(route.path))) << route.path;
        const Json& one = document["paths"][std::string(route.path)][method];
        EXPECT_TRUE(ids.insert(one["operationId"].get<std::string>()).second) << route.path;
        EXPECT_FALSE(route.summary.empty()) << route.path;
        EXPECT_FALSE(route.tag.empty()) << route.path;
    }
}

TEST_F(AllRoutes, AreTheDocumentThePythonClientIsMadeOf) {
    std::ifstream kept(std::filesystem::path(LAB_SOURCE_DIR) / "sdk/python/openapi.json");
    Json document = Json::parse(kept);
    const std::string version = document["info"]["version"].get<std::string>();
    EXPECT_TRUE(document == openapi_document(routes_, version))
        << "the API has changed: make sdk-generate";
}

TEST_F(AllRoutes, SayWhereAPathWithoutParametersStandsInTheirWay) {
    const Json document = openapi_document(routes_, "1");
    const auto answers = [&](const char* path, const char* method) {
        return document["paths"][path][method]["responses"];
    };
    const std::string artifacts = "/experiments/{id}/runs/{run}/artifacts/";
    EXPECT_TRUE(answers((artifacts + "{artifact}").c_str(), "delete").contains("405"));
    EXPECT_FALSE(answers((artifacts + "content").c_str(), "put").contains("405"));
    EXPECT_TRUE(answers("/evaluations/{id}", "put").contains("405")) << "there is /compare";
    EXPECT_FALSE(answers("/experiments/{id}/runs/{run}", "get").contains("405"));
}

/// Lists that are none of the pages everything else is listed in, and why.
const std::set<std::string> kOtherLists{
    "GET /models/providers",                     // nine, as the runbook reads them
    "GET /evaluations/metric-types",             // what the program has
    "GET /datasets/{id}/rows",                   // one a line to begin with
    "GET /evaluations/{id}/runs/{run}/results",  // figures, and samples beside them
};

TEST_F(AllRoutes, ThatListSomethingDoItInOneWay) {
    const Json document = openapi_document(routes_, "1");
    int lists = 0;
    for (const Route& route : routes_) {
        const auto takes = [&](std::string_view name) {
            return std::ranges::find(route.query, name, &QueryParameter::name) != route.query.end();
        };
        const bool lists_something = route.answer.starts_with("Page of ") ||
                                     route.answer.starts_with('[') || takes("limit") ||
                                     takes("cursor");
        const std::string name = std::string(route.method) + " " + std::string(route.path);
        if (route.method != "GET" || !lists_something || kOtherLists.contains(name)) {
            continue;
        }
        ++lists;
        for (const char* parameter :
             {"limit", "offset", "page", "page_size", "cursor", "after", "fields", "format"}) {
            EXPECT_TRUE(takes(parameter)) << name << " does not take " << parameter;
        }
        const Json& content =
            document["paths"][std::string(route.path)]["get"]["responses"]["200"]["content"];
        EXPECT_TRUE(content.contains("application/json")) << name;
        EXPECT_TRUE(content.contains("application/x-ndjson")) << name;
    }
    EXPECT_GT(lists, 12);
}

/// Every $ref in it, resolved within the document.
void check_references(const Json& document, const Json& part, std::string_view where) {
    if (part.is_object() && part.contains("$ref")) {
        const std::string ref = part["$ref"].get<std::string>();
        ASSERT_TRUE(ref.starts_with("#/")) << where;
        EXPECT_TRUE(document.contains(Json::json_pointer(ref.substr(1)))) << where << ": " << ref;
    }
    if (part.is_structured()) {
        for (const auto& [name, value] : part.items()) {
            check_references(document, value, where);
        }
    }
}

TEST_F(AllRoutes, SayWhatTheyAnswer) {
    const Json document = openapi_document(routes_, "1");
    check_references(document, document, "the document");
    for (const Route& route : routes_) {
        const Json& answers =
            document["paths"][std::string(route.path)][to_lower(route.method)]["responses"];
        const Json& success = answers[std::to_string(route.success)];
        if (route.success == 204 || route.success == 302) {
            EXPECT_FALSE(success.contains("content")) << route.path;
            continue;
        }
        ASSERT_TRUE(success.contains("content")) << route.method << " " << route.path;
        const auto json = success["content"].find("application/json");
        if (json != success["content"].end()) {
            EXPECT_FALSE((*json)["schema"].empty())
                << route.method << " " << route.path
                << ": name the component in operations.cpp or give a response_schema";
        }
    }
}

TEST_F(AllRoutes, ShowExamplesThatTheirSchemasTake) {
    for (const Operation& operation : operations()) {
        const auto found = std::ranges::find_if(routes_, [&](const Route& route) {
            return std::string(route.method) + " " + std::string(route.path) == operation.route;
        });
        ASSERT_NE(found, routes_.end()) << operation.route << " is no route";
        if (operation.example.empty()) {
            continue;
        }
        const auto example = parse_json(operation.example);
        ASSERT_TRUE(example) << operation.route;
        const Json* const schema = found->shown_request_schema != nullptr
                                       ? found->shown_request_schema
                                       : found->request_schema;
        ASSERT_NE(schema, nullptr) << operation.route;
        EXPECT_TRUE(check_schema(*example, *schema).empty()) << operation.route;
    }
}

// What changes something is recorded, and waits while maintenance is under way; identity and
// operations must go on then, and record what they do themselves.
TEST_F(AllRoutes, ThatChangeSomethingAreRecordedAndRefusedDuringMaintenance) {
    for (const Route& route : routes_) {
        const bool reads = route.method == "GET" || route.path.ends_with("/render") ||
                           route.path.ends_with("/validate") || route.path.ends_with("/compare") ||
                           route.tag == "Analyses";
        const bool operates = route.path.starts_with("/auth/") || route.path.starts_with("/admin/");
        if (reads || operates) {
            continue;
        }
        EXPECT_EQ(route.maintenance, InMaintenance::refused) << route.method << " " << route.path;
        EXPECT_FALSE(route.audit.action.empty()) << route.method << " " << route.path;
    }
}

}  // namespace
}  // namespace lab::api
