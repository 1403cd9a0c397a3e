#include "platform/config/server_settings.h"

#include "platform/config/impl/test_environment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace lab {
namespace {

using namespace std::chrono_literals;
using test::environment;
using Values = std::map<std::string, std::string>;

const std::string kGoodSecret = "mN4vX2qT8zR6wK0pL5sB7yH1cJ3fD9gU";

Values production(Values more = {}) {
    more.try_emplace("DATABASE_URL", "postgres://app:hunter2@db:5432/lab");
    more.try_emplace("JWT_SECRET", kGoodSecret);
    return more;
}

ServerSettings load(const Values& values, const std::vector<std::string>& names = {}) {
    auto settings = load_server_settings(environment(values), names);
    EXPECT_TRUE(settings);
    for (const Detail& d : settings ? std::vector<Detail>{} : settings.error().details) {
        ADD_FAILURE() << d.field << ": " << d.message;
    }
    return settings ? *std::move(settings) : ServerSettings();
}

/// "KEY: what is wrong", for all that is.
std::vector<std::string> problems_of(const Values& values) {
    const auto settings = load_server_settings(environment(values));
    std::vector<std::string> out;
    if (!settings) {
        EXPECT_EQ(settings.error().code, Code::validation);
        for (const Detail& d : settings.error().details) {
            out.push_back(d.field + ": " + d.message);
            for (const auto& [key, value] : values) {
                EXPECT_TRUE(value.size() < 4 || out.back().find(value) == std::string::npos)
                    << out.back();
            }
        }
    }
    return out;
}
std::string problem_of(const Values& values) {
    const auto all = problems_of(values);
    EXPECT_LE(all.size(), 1U);
    return all.empty() ? "" : all[0];
}

const SettingRow& row_of(const ServerSettings& settings, const std::string& key) {
    const auto found = std::ranges::find(settings.rows, key, &SettingRow::key);
    EXPECT_NE(found, settings.rows.end()) << key;
    return *found;
}

TEST(ServerSettings, WithoutAnythingItIsEmbedded) {
    const ServerSettings s = load({});
    EXPECT_TRUE(s.embedded());
    EXPECT_FALSE(s.strict());
    EXPECT_EQ(s.general.environment, "development");
    EXPECT_EQ(s.http.host, "127.0.0.1");
    EXPECT_EQ(s.http.port, 8080);
    EXPECT_EQ(s.http.metrics_port, 9090);
    EXPECT_EQ(s.http.request_timeout, 300s);
    EXPECT_EQ(s.http.shutdown_timeout, 30s);
    EXPECT_EQ(s.http.request_mebibytes_max, 100);
    EXPECT_EQ(s.http.compression_bytes_min, 1024);
    EXPECT_EQ(s.http.requests_per_second, 100);
    EXPECT_EQ(s.http.request_burst, 200);
    EXPECT_EQ(s.database.connections_max, 50);
    EXPECT_EQ(s.database.connections_min, 10);
    EXPECT_EQ(s.auth.access_lifetime, 3600s);
    EXPECT_EQ(s.auth.refresh_lifetime, 7 * 24h);
    EXPECT_EQ(s.auth.jwt_issuer, "llm-research-api");
    EXPECT_EQ(s.auth.jwt_audience, "llm-research-users");
    EXPECT_EQ(s.cache.lifetime, 300s);
    EXPECT_EQ(s.cache.entries_max, 10'000);
    EXPECT_EQ(s.analytics.database, "llm_metrics");
    EXPECT_EQ(s.telemetry.log_level, "info");
    EXPECT_EQ(s.telemetry.log_format, "json");
    EXPECT_EQ(s.telemetry.sample_ratio, 1);
    EXPECT_TRUE(s.warnings.empty());
}

// The runbook's exports, ConfigMap and Secret, as an operator would have them.
TEST(ServerSettings, ReadsWhatTheRunbookSets) {
    const ServerSettings s = load(production({
        {"RUST_LOG", "info,llm_research_api=debug"},
        {"SERVER_HOST", "0.0.0.0"},
        {"SERVER_PORT", "8080"},
        {"METRICS_PORT", "9090"},
        {"HEALTH_CHECK_INTERVAL", "30s"},
        {"GRACEFUL_SHUTDOWN_TIMEOUT", "30s"},
        {"CONNECTION_POOL_SIZE", "50"},
        {"CACHE_TTL_SECONDS", "300"},
        {"COMPRESSION_ENABLED", "true"},
        {"COMPRESSION_MIN_SIZE", "1024"},
        {"DATABASE_MAX_CONNECTIONS", "100"},
        {"DATABASE_MIN_CONNECTIONS", "10"},
        {"CLICKHOUSE_USER", "llm_research"},
        {"CLICKHOUSE_DATABASE", "llm_metrics"},
        {"CLICKHOUSE_URL", "https://clickhouse.cluster.internal:8443"},
        {"S3_BUCKET", "llm-research-datasets-prod"},
        {"S3_REGION", "us-east-1"},
        {"REDIS_URL", "redis://redis.cluster.internal:6379"},
        {"REDIS_CLUSTER_ENABLED", "true"},
        {"OTEL_EXPORTER_ENDPOINT", "https://otel-collector.internal:4317"},
        {"PROMETHEUS_ENABLED", "true"},
        {"LOG_LEVEL", "info"},
        {"LOG_FORMAT", "json"},
        {"JWT_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789:secret:jwt-secret"},
        {"API_KEY_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789:secret:api-key-secret"},
        {"RATE_LIMIT_REQUESTS_PER_SECOND", "100"},
        {"RATE_LIMIT_BURST", "200"},
    }));
    EXPECT_FALSE(s.embedded());
    EXPECT_TRUE(s.strict());
    EXPECT_EQ(s.general.environment, "production");
    EXPECT_EQ(s.http.host, "0.0.0.0");
    EXPECT_EQ(s.telemetry.log_filter, "info,llm_research_api=debug");
    EXPECT_TRUE(s.cache.redis_cluster);
    EXPECT_TRUE(s.warnings.empty()) << s.warnings[0];
}

// Section 13 of the product's facts, key by key.
TEST(ServerSettings, TheTableHasEveryDocumentedKey) {
    std::set<std::string_view> keys;
    for (const ServerSettingInfo& info : server_setting_table()) {
        EXPECT_TRUE(keys.insert(info.key).second) << info.key;
        EXPECT_FALSE(info.help.empty()) << info.key;
        EXPECT_FALSE(info.group.empty()) << info.key;
        if (!info.alias.empty()) {
            EXPECT_TRUE(keys.insert(info.alias).second) << info.alias;
        }
    }
    for (const char* key : {
             "APP_NAME",
             "ENVIRONMENT",
             "SERVER_HOST",
             "SERVER_PORT",
             "METRICS_PORT",
             "DATABASE_URL",
             "CONNECTION_POOL_SIZE",
             "DATABASE_MAX_CONNECTIONS",
             "DATABASE_MIN_CONNECTIONS",
             "DATABASE_READ_URL",
             "DATABASE_WRITE_URL",
             "JWT_SECRET",
             "JWT_SECRET_ARN",
             "JWT_EXPIRY_SECONDS",
             "JWT_ACCESS_EXPIRY",
             "JWT_REFRESH_EXPIRY",
             "JWT_ISSUER",
             "JWT_AUDIENCE",
             "JWT_SECRET_PREVIOUS",
             "API_KEY_SECRET",
             "API_KEY_SECRET_ARN",
             "ADMIN_KEY",
             "CLICKHOUSE_URL",
             "CLICKHOUSE_USER",
             "CLICKHOUSE_PASSWORD",
             "CLICKHOUSE_DATABASE",
             "S3_BUCKET",
             "S3_REGION",
             "S3_ENDPOINT",
             "AWS_ACCESS_KEY_ID",
             "AWS_SECRET_ACCESS_KEY",
             "AWS_SESSION_TOKEN",
             "AWS_REGION",
             "S3_PRESIGNED_URL_EXPIRY",
             "BACKUP_BUCKET",
             "REDIS_URL",
             "REDIS_CLUSTER_ENABLED",
             "CACHE_ENABLED",
             "CACHE_TTL_SECONDS",
             "CACHE_MAX_SIZE",
             "COMPRESSION_ENABLED",
             "COMPRESSION_MIN_SIZE",
             "HEALTH_CHECK_INTERVAL",
             "GRACEFUL_SHUTDOWN_TIMEOUT",
             "MAINTENANCE_MODE",
             "OTEL_EXPORTER_ENDPOINT",
             "OTEL_EXPORTER_OTLP_ENDPOINT",
             "PROMETHEUS_ENABLED",
             "LOG_LEVEL",
             "LOG_FORMAT",
             "RUST_LOG",
             "ENABLE_TRACING",
             "ENABLE_PROFILING",
             "RATE_LIMIT_REQUESTS_PER_SECOND",
             "RATE_LIMIT_BURST",
             "REQUEST_TIMEOUT_SECONDS",
             "MAX_REQUEST_SIZE_MB",
             "CORS_ALLOWED_ORIGINS",
             "TRUSTED_PROXIES",
             "OPENAI_API_KEY",
             "ANTHROPIC_API_KEY",
             "PROVIDER_ALLOWED_HOSTS",
         }) {
        EXPECT_TRUE(keys.contains(key)) << key;
    }
}

TEST(ServerSettings, DefaultsAreValuesOfTheirOwnRows) {
    for (const ServerSettingInfo& info : server_setting_table()) {
        if (!info.default_text.empty()) {
            EXPECT_EQ(problem_of({{std::string(info.key), std::string(info.default_text)}}), "");
        }
    }
}

TEST(ServerSettings, EveryRowRefusesNonsense) {
    const std::string nonsense = "\x01 nonsense, https://\xff";
    for (const ServerSettingInfo& info : server_setting_table()) {
        const auto problems = problems_of({{std::string(info.key), nonsense}});
        EXPECT_TRUE(std::ranges::any_of(problems, [&](const std::string& problem) {
            return problem.starts_with(std::string(info.key) + ": has to ");
        })) << info.key;
    }
}

TEST(ServerSettings, LogFiltersAreReadBeforeTheyAreNeeded) {
    for (const char* good :
         {"info", "warn,http=debug", "http::server=TRACE , ,off", "tower_http"}) {
        EXPECT_EQ(problem_of({{"RUST_LOG", good}}), "") << good;
    }
    for (const char* bad : {"http=loud", "=info", "a b=info", "http=", "info;debug"}) {
        EXPECT_TRUE(problem_of({{"RUST_LOG", bad}}).starts_with("RUST_LOG: has to be")) << bad;
    }
}

TEST(ServerSettings, TellsEverythingThatIsWrongAtOnceAndNoValue) {
    const auto problems = problems_of({
        {"SERVER_PORT", "99999"},
        {"LOG_LEVEL", "loud"},
        {"HEALTH_CHECK_INTERVAL", "soon"},
        {"CACHE_ENABLED", "maybe"},
        {"REDIS_URL", "http://hunter2@x"},
    });
    EXPECT_EQ(
        problems,
        (std::vector<std::string>{
            "SERVER_PORT: has to be a whole number from 0 to 65535",
            "HEALTH_CHECK_INTERVAL: has to be a time from 1 s to 1 h, such as 500ms, 30s, 5m, 2h, "
            "7d "
            "or a number of seconds",
            "CACHE_ENABLED: has to be true, false, 1 or 0",
            "REDIS_URL: has to be a URL that begins with redis:// or rediss://",
            "LOG_LEVEL: has to be trace, debug, info, warn, warning, error or off",
        })
    );
}

TEST(ServerSettings, AnIdentityProviderIsSetUpWholeOrNotAtAll) {
    EXPECT_TRUE(load(production({})).oidc.issuer.empty());
    EXPECT_EQ(
        problems_of({{"OIDC_ISSUER", "https://id.example.org"}}),
        (std::vector<std::string>{
            "OIDC_CLIENT_ID: is missing, but OIDC_ISSUER is set",
            "OIDC_REDIRECT_URL: is missing, but OIDC_ISSUER is set",
        })
    );
    const ServerSettings s = load(production({
        {"OIDC_ISSUER", "https://id.example.org"},
        {"OIDC_CLIENT_ID", "lab"},
        {"OIDC_REDIRECT_URL", "https://lab.example.org/auth/oidc/callback"},
        {"OIDC_ROLE_MAP", "admins=Admin, cn=staff=Viewer"},
    }));
    EXPECT_EQ(s.oidc.role_map, (std::vector<std::string>{"admins=Admin", "cn=staff=Viewer"}));
    EXPECT_TRUE(s.oidc.require_verified_email);
    EXPECT_EQ(
        problem_of({{"OIDC_ROLE_MAP", "admins"}}),
        "OIDC_ROLE_MAP: has to be a list of group=Role, separated by commas"
    );
    for (const char* role : {"Boss", "ServiceAccount", "System"}) {
        EXPECT_EQ(
            problem_of({{"OIDC_ROLE_MAP", "a=data_engineer,b=" + std::string(role)}}),
            "OIDC_ROLE_MAP: names a role that nobody can log in with: there are Admin, Researcher, "
            "Analyst, DataEngineer, ModelEngineer and Viewer"
        );
    }
}

TEST(ServerSettings, AFolderThatMayChangeThingsHasToBeThere) {
    const std::string folder = testing::TempDir();
    EXPECT_EQ(load({{"LIVE_CONFIG_DIR", folder}}).general.live_folder, folder);
    EXPECT_EQ(
        problem_of({{"LIVE_CONFIG_DIR", folder + "/lab-not-there"}}),
        "LIVE_CONFIG_DIR: has to be a folder that exists"
    );
}

TEST(ServerSettings, EmptyValuesAndBlanksCountAsNothing) {
    const ServerSettings s = load(production({
        {"SERVER_PORT", ""},
        {"APP_NAME", "  \n"},
        {"METRICS_PORT", " 9191\n"},
        {"ADMIN_KEY", "k7Qw9zX3vB5nM1aS\n"},
    }));
    EXPECT_EQ(s.http.port, 8080);
    EXPECT_EQ(s.http.metrics_port, 9191);
    EXPECT_EQ(s.auth.admin_key, "k7Qw9zX3vB5nM1aS");
    ASSERT_EQ(s.warnings.size(), 1U);
    EXPECT_TRUE(s.warnings[0].starts_with("ADMIN_KEY "));
}

TEST(ServerSettings, ServiceLinksAreNoPorts) {
    const ServerSettings s =
        load({{"SERVER_PORT", "tcp://10.0.0.7:8080"}, {"METRICS_PORT", "tcp://10.0.0.7:9090"}});
    EXPECT_EQ(s.http.port, 8080);
    EXPECT_EQ(s.http.metrics_port, 9090);
    ASSERT_EQ(s.warnings.size(), 2U);
    EXPECT_TRUE(s.warnings[0].starts_with("SERVER_PORT is ignored"));
}

TEST(ServerSettings, OtherNamesOfAKey) {
    EXPECT_EQ(load({{"JWT_ACCESS_EXPIRY", "15m"}}).auth.access_lifetime, 15min);
    EXPECT_EQ(
        row_of(load({{"JWT_ACCESS_EXPIRY", "15m"}}), "JWT_EXPIRY_SECONDS").from,
        "environment JWT_ACCESS_EXPIRY"
    );
    const ServerSettings both = load({{"JWT_ACCESS_EXPIRY", "15m"}, {"JWT_EXPIRY_SECONDS", "600"}});
    EXPECT_EQ(both.auth.access_lifetime, 10min);
    ASSERT_EQ(both.warnings.size(), 1U);
    EXPECT_TRUE(both.warnings[0].starts_with("JWT_ACCESS_EXPIRY is ignored"));
    EXPECT_TRUE(load({{"S3_REGION", "x"}, {"AWS_REGION", "x"}}).warnings.empty());
    EXPECT_TRUE(problem_of({{"JWT_ACCESS_EXPIRY", "x"}}).starts_with("JWT_ACCESS_EXPIRY: "));
    EXPECT_EQ(
        load({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"}}).telemetry.otlp_endpoint,
        "http://c:4317"
    );
}

// --- Secrets -------------------------------------------------------------------------------------

TEST(ServerSettings, ProductionNeedsASecretForTokens) {
    const Values bare{{"DATABASE_URL", "postgres://db/lab"}};
    EXPECT_EQ(
        problem_of(bare),
        "JWT_SECRET: is missing, and production needs one of at least 32 bytes: openssl rand "
        "-base64 48"
    );
    EXPECT_TRUE(problem_of({{"ENVIRONMENT", "staging"}}).starts_with("JWT_SECRET: is missing"));
    EXPECT_EQ(problem_of({{"ENVIRONMENT", "test"}}), "");
    EXPECT_EQ(
        problem_of({{"ENVIRONMENT", "development"}, {"DATABASE_URL", "postgres://db/l"}}), ""
    );
    EXPECT_EQ(
        problem_of(
            {{"DATABASE_URL", "postgres://db/lab"},
             {"JWT_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:x"}}
        ),
        ""
    );
    EXPECT_EQ(problem_of(production()), "");
}

TEST(ServerSettings, ProductionRefusesPoorSecrets) {
    for (const char* key : {"JWT_SECRET", "JWT_SECRET_PREVIOUS"}) {
        EXPECT_EQ(
            problem_of(production({{key, "short"}})),
            std::string(key) + ": has to have 32 to 4096 bytes"
        );
        for (const std::string& poor : {
                 std::string(64, 'x'),
                 std::string("change-me-change-me-change-me-change-me"),
             }) {
            EXPECT_TRUE(
                problem_of(production({{key, poor}})).starts_with(std::string(key) + ": is ")
            ) << poor;
        }
    }
    // Elsewhere it is said, and the server starts.
    const ServerSettings s = load({{"JWT_SECRET", std::string(64, 'x')}});
    ASSERT_EQ(s.warnings.size(), 1U);
    EXPECT_TRUE(s.warnings[0].starts_with("JWT_SECRET is too regular"));
    // Too short is too short everywhere: HMAC-SHA-256 needs 32 bytes.
    EXPECT_NE(problem_of({{"JWT_SECRET", "short"}}), "");
}

TEST(ServerSettings, PoorKeysOfAdministratorsAreWarnedOf) {
    const ServerSettings s = load(production({{"ADMIN_KEY", "admin"}}));
    ASSERT_EQ(s.warnings.size(), 1U);
    EXPECT_TRUE(s.warnings[0].starts_with("ADMIN_KEY is too short"));
}

TEST(ServerSettings, OtherAlgorithmsNeedKeyFiles) {
    Values values{{"DATABASE_URL", "postgres://db/lab"}, {"JWT_ALGORITHM", "es256"}};
    EXPECT_TRUE(problem_of(values).starts_with("JWT_PRIVATE_KEY_FILE: is missing"));
    values["JWT_PRIVATE_KEY_FILE"] = "/run/secrets/jwt.pem";
    EXPECT_EQ(problem_of(values), "");
    EXPECT_EQ(load(values).auth.jwt_algorithm, "ES256");
}

TEST(ServerSettings, RowsNeverShowASecret) {
    Values values = production({
        {"ADMIN_KEY", "canary-1-k7Qw9zX3vB"},
        {"API_KEY_SECRET", "canary-2-k7Qw9zX3vB5nM1aSd8fG6hJ4kL"},
        {"REDIS_URL", "redis://:canary-3@cache"},
        {"CLICKHOUSE_PASSWORD", "canary-4"},
        {"AWS_ACCESS_KEY_ID", "canary-5"},
        {"AWS_SECRET_ACCESS_KEY", "canary-6"},
        {"OPENAI_API_KEY", "canary-7"},
        {"JWT_SECRET_PREVIOUS", "canary-8-k7Qw9zX3vB5nM1aSd8fG6hJ4kL"},
        {"APP_NAME", "shown"},
    });
    const ServerSettings s = load(values);
    EXPECT_EQ(s.rows.size(), server_setting_table().size());
    for (const SettingRow& row : s.rows) {
        EXPECT_EQ(row.value.find("canary"), std::string::npos) << row.key;
        EXPECT_EQ(row.value.find("hunter2"), std::string::npos) << row.key;
        EXPECT_TRUE(!row.secret || row.value.empty() || row.value == "[set]");
    }
    EXPECT_EQ(row_of(s, "OPENAI_API_KEY").value, "[set]");
    EXPECT_EQ(row_of(s, "ANTHROPIC_API_KEY").value, "");
    EXPECT_EQ(row_of(s, "APP_NAME").value, "shown");
    EXPECT_EQ(row_of(s, "APP_NAME").from, "environment APP_NAME");
    EXPECT_EQ(row_of(s, "SERVER_HOST").value, "0.0.0.0");
    EXPECT_EQ(row_of(s, "SERVER_HOST").from, "default");
}

TEST(ServerSettings, PasswordsHaveTheirOwnVariables) {
    EXPECT_TRUE(problem_of({{"CLICKHOUSE_URL", "https://u:p@c:8443"}})
                    .starts_with("CLICKHOUSE_URL: must not hold a user or a password"));
}

TEST(ServerSettings, ModelsSeeKeysOfProvidersOnly) {
    const ServerSettings s = load(production({{"OPENAI_API_KEY", "k"}, {"ADMIN_KEY", "a"}}));
    const EnvLookup seen = provider_environment(s);
    EXPECT_EQ(seen("OPENAI_API_KEY"), "k");
    EXPECT_EQ(seen("ANTHROPIC_API_KEY"), std::nullopt);
    EXPECT_EQ(seen("JWT_SECRET"), std::nullopt);
    EXPECT_EQ(seen("ADMIN_KEY"), std::nullopt);
    EXPECT_EQ(seen("PATH"), std::nullopt);
}

// --- Several keys together -----------------------------------------------------------------------

TEST(ServerSettings, WhatDoesNotFitTogether) {
    EXPECT_TRUE(problem_of({{"SERVER_PORT", "9090"}}).starts_with("METRICS_PORT: "));
    EXPECT_EQ(problem_of({{"SERVER_PORT", "0"}, {"METRICS_PORT", "0"}}), "");
    EXPECT_TRUE(problem_of({{"JWT_REFRESH_EXPIRY", "1h"}}).starts_with("JWT_REFRESH_EXPIRY: "));
    EXPECT_TRUE(problem_of({{"REDIS_CLUSTER_ENABLED", "1"}}).starts_with("REDIS_URL: "));
    EXPECT_TRUE(problem_of({{"AWS_ACCESS_KEY_ID", "x"}}).starts_with("AWS_SECRET_ACCESS_KEY: "));
    EXPECT_TRUE(problem_of({{"AWS_SECRET_ACCESS_KEY", "x"}}).starts_with("AWS_ACCESS_KEY_ID: "));
    EXPECT_TRUE(problem_of({{"DATABASE_READ_URL", "postgres://r/x"}})
                    .starts_with("DATABASE_URL: is missing"));
}

TEST(ServerSettings, ThePoolIsTheLesserOfTwo) {
    const ServerSettings few = load(production({{"DATABASE_MAX_CONNECTIONS", "20"}}));
    EXPECT_EQ(few.database.connections_max, 20);
    const ServerSettings tiny = load(production({{"CONNECTION_POOL_SIZE", "4"}}));
    EXPECT_EQ(tiny.database.connections_max, 4);
    EXPECT_EQ(tiny.database.connections_min, 4);
    EXPECT_TRUE(tiny.warnings.empty());
    const ServerSettings odd =
        load(production({{"CONNECTION_POOL_SIZE", "4"}, {"DATABASE_MIN_CONNECTIONS", "8"}}));
    EXPECT_EQ(odd.database.connections_min, 4);
    EXPECT_EQ(odd.warnings.size(), 1U);
}

TEST(ServerSettings, FeaturesAreWhateverBeginsSo) {
    const Values values{
        {"FEATURE_BATCH_MODE", "true"},
        {"FEATURE_OLD", "0"},
        {"FEATURE_", "x"},
        {"FEATURE_EMPTY", ""}
    };
    std::vector<std::string> names{"PATH"};
    for (const auto& [name, value] : values) {
        names.push_back(name);
    }
    const ServerSettings s = load(values, names);
    EXPECT_EQ(
        s.general.features, (std::map<std::string, bool>{{"batch_mode", true}, {"old", false}})
    );
    EXPECT_EQ(row_of(s, "FEATURE_BATCH_MODE").value, "true");
    const auto bad = load_server_settings(environment({{"FEATURE_X", "yes"}}), {"FEATURE_X"});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().details[0].field, "FEATURE_X");
    std::vector<std::string> many(300, "FEATURE_X");
    EXPECT_FALSE(load_server_settings(environment({}), many));
}

TEST(ServerSettings, TheProcessTellsItsNames) {
    const auto names = process_environment_names();
    EXPECT_NE(std::ranges::find(names, "PATH"), names.end());
    for (const std::string& name : names) {
        EXPECT_EQ(name.find('='), std::string::npos);
    }
}

// --- While the server runs -----------------------------------------------------------------------

TEST(LiveSettings, OnlyThoseThatMayChange) {
    const ServerSettings started = load({{"LOG_LEVEL", "warn"}, {"SERVER_PORT", "8081"}});
    const auto live = with_live_settings(
        started,
        environment({{"MAINTENANCE_MODE", "true"}, {"SERVER_PORT", "1"}, {"LOG_FORMAT", "pretty"}})
    );
    ASSERT_TRUE(live);
    EXPECT_TRUE(live->general.maintenance);
    EXPECT_EQ(live->http.port, 8081);
    EXPECT_EQ(live->telemetry.log_format, "json");
    EXPECT_EQ(live->telemetry.log_level, "warn");
    EXPECT_EQ(row_of(*live, "MAINTENANCE_MODE").from, "live MAINTENANCE_MODE");
    EXPECT_EQ(row_of(*live, "MAINTENANCE_MODE").value, "true");
    // When it is gone from there, the value of the start is back.
    EXPECT_FALSE(with_live_settings(started, environment({}))->general.maintenance);
}

TEST(LiveSettings, ThePoolHasTheLesserOfItsTwoSizes) {
    const ServerSettings started = load({{"CONNECTION_POOL_SIZE", "20"}});
    const auto live = with_live_settings(
        started, environment({{"CONNECTION_POOL_SIZE", "80"}, {"DATABASE_MAX_CONNECTIONS", "60"}})
    );
    EXPECT_EQ(live->database.connections_max, 60);
    EXPECT_EQ(with_live_settings(started, environment({}))->database.connections_max, 20);
}

TEST(ServerSettings, APodKnowsItsCluster) {
    const ServerSettings none = load({});
    EXPECT_EQ(none.kubernetes.host, "");
    EXPECT_EQ(none.kubernetes.config_map, "llm-research-config");
    const ServerSettings pod = load(
        {{"KUBERNETES_SERVICE_HOST", "fd00::1"},
         {"KUBERNETES_SERVICE_PORT", "6443"},
         {"LIVE_CONFIG_MAP", "off"}}
    );
    EXPECT_EQ(pod.kubernetes.host, "fd00::1");
    EXPECT_EQ(pod.kubernetes.port, 6443);
    EXPECT_EQ(pod.kubernetes.config_map, kNoConfigMap);
    EXPECT_EQ(
        problem_of({{"LIVE_CONFIG_MAP", "a/../b"}}),
        "LIVE_CONFIG_MAP: has to be the name of an object: lower case letters, digits, - and ."
    );
}

TEST(LiveSettings, NothingChangesBecauseOfNonsense) {
    const ServerSettings started = load({});
    const auto live = with_live_settings(
        started, environment({{"MAINTENANCE_MODE", "true"}, {"LOG_LEVEL", "loud"}})
    );
    ASSERT_FALSE(live);
    ASSERT_EQ(live.error().details.size(), 1U);
    EXPECT_EQ(live.error().details[0].field, "LOG_LEVEL");
}

// --- The document --------------------------------------------------------------------------------

TEST(SettingsDocument, HoldsTheTablesOfTheSettings) {
    constexpr std::string_view kStart = "<!-- tables: generated from the settings -->\n";
    const auto path = std::filesystem::path(LAB_SOURCE_DIR) / "docs/config.md";
    std::ostringstream read;
    read << std::ifstream(path, std::ios::binary).rdbuf();
    const std::string text = read.str();
    const std::size_t at = text.find(kStart);
    ASSERT_NE(at, std::string::npos);
    const std::string want = text.substr(0, at + kStart.size()) + settings_markdown();
    if (text != want) {
        const std::string fresh = testing::TempDir() + "config.md";
        std::ofstream(fresh) << want;
        ADD_FAILURE() << "docs/config.md is stale: copy " << fresh << " over it";
    }
}

}  // namespace
}  // namespace lab
