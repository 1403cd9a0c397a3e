#include "app/unused_settings.h"

#include "platform/redis/url.h"

#include <utility>

namespace lab::app {

std::vector<std::string> unused_settings(const ServerSettings& settings) {
    const std::pair<bool, const char*> all[] = {
        {!settings.analytics.url.empty(),
         "CLICKHOUSE_URL is not used yet: analyses read the database"},
        {!settings.objects.backup_bucket.empty(),
         "BACKUP_BUCKET is not used yet: copies of the store are made by hand"},
        {!settings.telemetry.otlp_endpoint.empty(),
         "OTEL_EXPORTER_ENDPOINT is not used yet: no spans are exported"},
        {settings.http.profiling,
         "ENABLE_PROFILING has no effect: there are no built-in profiles, perf works on the binary"
        },
    };
    std::vector<std::string> out;
    for (const auto& [given, words] : all) {
        if (given) {
            out.emplace_back(words);
        }
    }
    return out;
}

Status check_usable(const ServerSettings& settings) {
    std::vector<Detail> problems;
    const AuthSettings& auth = settings.auth;
    if (!auth.jwt_secret_arn.empty() && auth.jwt_secret.empty()) {
        problems.push_back({"JWT_SECRET_ARN", "secrets services cannot be read yet: set JWT_SECRET"}
        );
    }
    if (!auth.api_key_secret_arn.empty() && auth.api_key_secret.empty()) {
        problems.push_back(
            {"API_KEY_SECRET_ARN", "secrets services cannot be read yet: set API_KEY_SECRET"}
        );
    }
    if (!settings.cache.redis_url.empty()) {
        const auto endpoint = redis::parse_url(settings.cache.redis_url);
        if (!endpoint) {
            problems.push_back({"REDIS_URL", endpoint.error().message});
        } else if (settings.cache.redis_cluster && endpoint->database != 0) {
            problems.push_back({"REDIS_URL", "names a database, and a cluster has none but 0"});
        }
    }
    if (problems.empty()) {
        return ok();
    }
    return Error(Code::validation, "the configuration is not right", std::move(problems));
}

}  // namespace lab::app
