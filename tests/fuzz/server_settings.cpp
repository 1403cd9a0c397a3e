#include "platform/config/server_settings.h"

#include "base/text.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <map>

namespace {
using namespace lab;
using fuzz::require;

using Variables = std::map<std::string, std::string>;

const std::vector<ServerSettingInfo>& table() {
    static const auto kTable = server_setting_table();
    return kTable;
}

/// "KEY=VALUE" line by line; the last of a name counts.
Variables variables_of(std::string_view text) {
    Variables out;
    while (!text.empty()) {
        std::string_view line = fuzz::take_until(text, '\n');
        const std::string name(fuzz::take_until(line, '='));
        out[name] = line;
    }
    return out;
}

EnvLookup lookup(const Variables& variables) {
    return [&variables](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
}

std::string value_of(const Variables& variables, std::string_view name) {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? "" : std::string(trim_ascii(found->second));
}

/// No text of ours has these characters, so what holds one and is in a message was put there.
bool is_told(std::string_view text, std::string_view value) {
    return value.size() >= 3 && value.find_first_of("~^`\\") != value.npos && text.contains(value);
}

void check_words(const std::string& words, const Variables& variables) {
    require(words.size() <= 400, "a message has a length");
    for (const auto& [name, value] : variables) {
        require(!is_told(words, trim_ascii(value)), "no message holds a value");
    }
}

void check_refusal(const Error& error, const Variables& variables) {
    require(error.code == Code::validation && !error.details.empty(), "a refusal says why");
    for (const Detail& detail : error.details) {
        const bool is_known = std::ranges::any_of(table(), [&](const ServerSettingInfo& info) {
            return info.key == detail.field || info.alias == detail.field;
        });
        require(is_known || detail.field.starts_with("FEATURE_"), "a detail names a variable");
        require(!detail.message.empty(), "a detail says what is wrong");
        check_words(detail.message, variables);
    }
}

/// What a row of the table promises of its number.
void check_bounds(std::string_view key, std::int64_t value) {
    const auto info = std::ranges::find(table(), key, &ServerSettingInfo::key);
    require(info != table().end(), "the target knows the table");
    require(value >= info->min && value <= info->max, "a number is within its bounds");
}

void check_numbers(const ServerSettings& settings) {
    const HttpSettings& http = settings.http;
    check_bounds("SERVER_PORT", http.port);
    check_bounds("METRICS_PORT", http.metrics_port);
    check_bounds("REQUEST_TIMEOUT_SECONDS", http.request_timeout.count());
    check_bounds("GRACEFUL_SHUTDOWN_TIMEOUT", http.shutdown_timeout.count());
    check_bounds("MAX_REQUEST_SIZE_MB", http.request_mebibytes_max);
    check_bounds("CONNECTION_POOL_SIZE", settings.database.pool_size);
    check_bounds("JWT_EXPIRY_SECONDS", settings.auth.access_lifetime.count());
    check_bounds("JWT_REFRESH_EXPIRY", settings.auth.refresh_lifetime.count());
    const double ratio = settings.telemetry.sample_ratio;
    require(ratio >= 0 && ratio <= 1, "a share is one");
    require(http.overload_cpu >= 0 && http.overload_cpu <= 1, "a share is one");
    require(http.port == 0 || http.port != http.metrics_port, "a port has one listener");
    const DatabaseSettings& database = settings.database;
    require(database.connections_min <= database.connections_max, "a pool has a size");
    require(settings.auth.refresh_lifetime > settings.auth.access_lifetime, "a login goes on");
}

void check_rows(const ServerSettings& settings, const Variables& variables) {
    require(
        settings.rows.size() >= table().size() + settings.general.features.size(),
        "each setting has a row"
    );
    for (std::size_t i = 0; i < table().size(); ++i) {
        const ServerSettingInfo& info = table()[i];
        const SettingRow& row = settings.rows[i];
        require(row.key == info.key && row.secret == info.secret, "rows are those of the table");
        const bool is_masked = row.value.empty() || row.value == "[set]";
        require(!row.secret || is_masked, "a secret is not shown");
        const std::string_view alias = info.alias;
        require(
            row.from == "default" || row.from == "environment " + row.key ||
                row.from == "environment " + std::string(alias),
            "a value comes from somewhere"
        );
        if (row.from != "default" && !row.secret) {
            const std::string from = row.from.substr(row.from.find(' ') + 1);
            require(row.value == value_of(variables, from), "a value is what was given");
        }
    }
}

/// Models see the keys of providers and nothing else.
void check_models(const ServerSettings& settings, const Variables& variables) {
    const EnvLookup seen = provider_environment(settings);
    for (const auto& [name, value] : variables) {
        const auto shown = seen(name);
        require(!shown || settings.providers.keys.contains(name), "models see their keys alone");
        require(!shown || *shown == trim_ascii(value), "a key is what was given");
    }
    require(
        !seen("JWT_SECRET") && !seen("ADMIN_KEY") && !seen("DATABASE_URL"), "no secret of ours"
    );
}

void check_live(const ServerSettings& started, const Variables& live) {
    const auto same = with_live_settings(started, lookup({}));
    require(same.has_value(), "without files nothing changes");
    const auto now = with_live_settings(started, lookup(live));
    if (!now) {
        check_refusal(now.error(), live);
        return;
    }
    for (std::size_t i = 0; i < started.rows.size(); ++i) {
        const SettingRow& before = started.rows[i];
        const SettingRow& after = now->rows[i];
        require(after.key == before.key, "rows keep their order");
        const bool is_changed = after.value != before.value || after.from != before.from;
        require(!is_changed || before.live, "what is not live stays");
        require(
            !after.secret || after.value.empty() || after.value == "[set]", "no secret is shown"
        );
        require(same->rows[i].value == before.value, "nothing changed");
    }
    require(now->auth.jwt_secret == started.auth.jwt_secret, "keys stay");
    require(now->http.port == started.http.port, "the port stays");
}
}  // namespace

// The variables of the server, and behind a NUL those that change while it runs.
FUZZ_TARGET(server_settings) {
    std::string_view rest = input;
    const Variables variables = variables_of(fuzz::take_until(rest, '\0'));
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) {
        names.push_back(name);
    }
    const auto settings = load_server_settings(lookup(variables), names);
    if (!settings) {
        check_refusal(settings.error(), variables);
        return;
    }
    for (const std::string& warning : settings->warnings) {
        check_words(warning, variables);
    }
    check_numbers(*settings);
    check_rows(*settings, variables);
    check_models(*settings, variables);
    check_live(*settings, variables_of(rest));
}
