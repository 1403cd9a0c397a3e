#include "app/unused_settings.h"

#include "app/tracing.h"
#include "platform/redis/url.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lab::app {

namespace {

bool is_given(const ServerSettings& settings, std::string_view key) {
    const auto row = std::ranges::find(settings.rows, key, &SettingRow::key);
    return row != settings.rows.end() && row->from.starts_with("environment");
}

}  // namespace

std::vector<std::string> unused_settings(const ServerSettings& settings) {
    const std::pair<bool, const char*> all[] = {
        {!settings.objects.backup_bucket.empty(),
         "BACKUP_BUCKET is not used yet: `admin backup` writes a file"},
        {settings.http.profiling,
         "ENABLE_PROFILING has no effect: there are no built-in profiles, perf works on the binary"
        },
        {settings.kubernetes.host.empty() && is_given(settings, "LIVE_CONFIG_MAP"),
         "LIVE_CONFIG_MAP has no effect: this is no cluster, KUBERNETES_SERVICE_HOST is not set"},
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
    std::ranges::move(check_tracing(settings.telemetry), std::back_inserter(problems));
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
