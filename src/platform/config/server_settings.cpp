#include "platform/config/server_settings.h"

#include "base/text.h"
#include "platform/config/impl/server_table.h"
#include "platform/config/impl/setting_value.h"
#include "platform/config/impl/weak_secret.h"

#include <unistd.h>

#include <algorithm>

namespace lab {
namespace {

using namespace config;

constexpr std::size_t kFeaturesMax = 256;

struct Given {
    std::string text;  ///< without surrounding white space; empty = not given
    std::string key;   ///< the name it was found under
    bool had_blanks = false;
};

Given look_up(const EnvLookup& environment, std::string_view key) {
    Given given;
    given.key = key;
    const std::optional<std::string> value = environment(given.key);
    if (value) {
        given.text = trim_ascii(*value);
        given.had_blanks = !given.text.empty() && given.text.size() != value->size();
    }
    return given;
}

/// Puts a text into the member a row is for; says what is wrong, or nothing.
class Assign {
  public:
    Assign(const Row& row, ServerSettings& settings, std::string_view text)
        : row_(row), settings_(settings), text_(text) {}

    std::string operator()(ProviderKey) const {
        if (const std::string problem = check_text(text_); !problem.empty() || text_.empty()) {
            return problem;
        }
        settings_.providers.keys[std::string(row_.info.key)] = text_;
        return "";
    }
    std::string operator()(Member<std::string> member) const {
        if (text_.empty()) {
            return "";
        }
        switch (row_.info.type) {
            case SettingType::choice:
                return take(member, parse_choice(text_, row_.info.words));
            case SettingType::url:
                return take(member, parse_url(text_, row_.info.words, row_.info.secret));
            case SettingType::arn:
                return take(member, parse_arn(text_));
            default:
                member(settings_) = text_;
                return check_text(text_);
        }
    }
    std::string operator()(Member<std::int64_t> member) const {
        return take(
            member,
            row_.info.type == SettingType::size ? parse_size(text_, row_.info.min, row_.info.max)
                                                : parse_integer(text_, row_.info.min, row_.info.max)
        );
    }
    std::string operator()(Member<double> member) const { return take(member, parse_ratio(text_)); }
    std::string operator()(Member<bool> member) const { return take(member, parse_boolean(text_)); }
    std::string operator()(Member<std::chrono::milliseconds> member) const {
        return take(member, parse_duration(text_, row_.info.min, row_.info.max));
    }
    std::string operator()(Member<std::vector<std::string>> member) const {
        const auto items = parse_list(text_);
        if (items && row_.rule != nullptr) {
            for (const std::string& item : *items) {
                if (std::string problem = row_.rule(item); !problem.empty()) {
                    return problem;
                }
            }
        }
        return take(member, items);
    }

  private:
    template <class T>
    std::string take(Member<T> member, const Parsed<T>& parsed) const {
        if (!parsed) {
            return parsed.error();
        }
        member(settings_) = *parsed;
        return "";
    }
    std::string check_text(std::string_view text) const {
        const auto size = static_cast<std::int64_t>(text.size());
        if (!text.empty() && (size < row_.info.min || size > row_.info.max)) {
            return "has to have " + std::to_string(row_.info.min) + " to " +
                   std::to_string(row_.info.max) + " bytes";
        }
        if (!is_utf8(text) || std::ranges::any_of(text, [](char c) {
                return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
            })) {
            return "has to be text without control characters";
        }
        return row_.rule != nullptr && !text.empty() ? row_.rule(text) : "";
    }

    const Row& row_;
    ServerSettings& settings_;
    std::string_view text_;
};

class Loader {
  public:
    Loader(const EnvLookup& environment, ServerSettings& settings)
        : environment_(environment), settings_(settings) {}

    void load_rows() {
        embedded_ = look_up(environment_, "DATABASE_URL").text.empty();
        for (const Row& row : server_rows()) {
            const Given given = find(row.info);
            std::string text = given.text;
            std::string from = "environment " + given.key;
            if (text.empty()) {
                text = default_of(row.info);
                from = "default";
            }
            if (std::string problem = std::visit(Assign(row, settings_, text), row.target);
                !problem.empty()) {
                complain(given.key, std::move(problem));
            }
            add_row(row.info, std::move(text), std::move(from));
        }
    }

    void load_features(const std::vector<std::string>& names) {
        std::vector<std::string> features;
        std::ranges::copy_if(names, std::back_inserter(features), [](const std::string& name) {
            return name.starts_with(kFeaturePrefix) && name.size() > kFeaturePrefix.size();
        });
        std::ranges::sort(features);
        if (features.size() > kFeaturesMax) {
            complain(std::string(kFeaturePrefix) + "*", "there are more than 256 of them");
            return;
        }
        for (const std::string& name : features) {
            const Given given = look_up(environment_, name);
            if (given.text.empty()) {
                continue;
            }
            const auto on = parse_boolean(given.text);
            if (!on) {
                complain(name, on.error());
                continue;
            }
            settings_.general.features[to_lower(name.substr(kFeaturePrefix.size()))] = *on;
            settings_.rows.push_back({name, *on ? "true" : "false", "environment " + name});
        }
    }

    /// What no row can know alone.
    void check_together() {
        check_tokens();
        check_oidc();
        HttpSettings& http = settings_.http;
        if (http.tls_certificate_file.empty() != http.tls_key_file.empty()) {
            complain(
                http.tls_key_file.empty() ? "TLS_KEY_FILE" : "TLS_CERT_FILE",
                "is missing, but the other of the two is set"
            );
        }
        if (http.port != 0 && http.port == http.metrics_port) {
            complain("METRICS_PORT", "has to differ from SERVER_PORT");
        }
        DatabaseSettings& database = settings_.database;
        database.fit_connections();
        if (database.connections_min > database.connections_max) {
            if (!look_up(environment_, "DATABASE_MIN_CONNECTIONS").text.empty()) {
                warn(
                    "DATABASE_MIN_CONNECTIONS", "is more than the pool has; the pool's size counts"
                );
            }
            database.connections_min = database.connections_max;
        }
        if (embedded_ && !(database.read_url.empty() && database.write_url.empty())) {
            complain(
                "DATABASE_URL", "is missing, but DATABASE_READ_URL or DATABASE_WRITE_URL is set"
            );
        }
        const ObjectSettings& objects = settings_.objects;
        if (objects.access_key_id.empty() != objects.secret_access_key.empty()) {
            complain(
                objects.access_key_id.empty() ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                "is missing, but the other half of the pair is set"
            );
        }
        if (settings_.cache.redis_cluster && settings_.cache.redis_url.empty()) {
            complain("REDIS_URL", "is missing, but REDIS_CLUSTER_ENABLED is true");
        }
    }

    std::vector<Detail> take_problems() { return std::move(problems_); }

  private:
    void complain(std::string key, std::string problem) {
        problems_.push_back({std::move(key), std::move(problem)});
    }
    void warn(std::string_view key, std::string_view what) {
        settings_.warnings.push_back(std::string(key) + " " + std::string(what));
    }

    Given find(const ServerSettingInfo& info) {
        Given given = look_up(environment_, info.key);
        // Kubernetes sets NAME_PORT for each service of the namespace.
        if (info.key.ends_with("_PORT") && given.text.starts_with("tcp://")) {
            warn(info.key, "is ignored: it is a service link of Kubernetes and no port");
            given.text.clear();
        }
        if (!info.alias.empty()) {
            Given other = look_up(environment_, info.alias);
            if (given.text.empty() && !other.text.empty()) {
                given = std::move(other);
            } else if (!other.text.empty() && other.text != given.text) {
                warn(info.alias, "is ignored: " + std::string(info.key) + " is set too");
            }
        }
        if (info.secret && given.had_blanks) {
            warn(given.key, "has white space around it, which is not counted");
        }
        return given;
    }

    std::string default_of(const ServerSettingInfo& info) const {
        if (info.key == "ENVIRONMENT") {
            return embedded_ ? "development" : "production";
        }
        if (info.key == "SERVER_HOST") {
            return embedded_ ? "127.0.0.1" : "0.0.0.0";
        }
        return std::string(info.default_text);
    }

    void add_row(const ServerSettingInfo& info, std::string text, std::string from) {
        if (info.secret && !text.empty()) {
            text = "[set]";
        }
        settings_.rows.push_back(
            {std::string(info.key), std::move(text), std::move(from), info.secret, info.live}
        );
    }

    void check_oidc() {
        const OidcSettings& oidc = settings_.oidc;
        if (oidc.issuer.empty()) {
            return;
        }
        if (oidc.client_id.empty()) {
            complain("OIDC_CLIENT_ID", "is missing, but OIDC_ISSUER is set");
        }
        if (oidc.redirect_url.empty()) {
            complain("OIDC_REDIRECT_URL", "is missing, but OIDC_ISSUER is set");
        }
        if (settings_.strict() && !oidc.issuer.starts_with("https://")) {
            complain("OIDC_ISSUER", "has to begin with https:// in production");
        }
    }

    void check_tokens() {
        const AuthSettings& auth = settings_.auth;
        if (auth.refresh_lifetime <= auth.access_lifetime) {
            complain("JWT_REFRESH_EXPIRY", "has to be longer than JWT_EXPIRY_SECONDS");
        }
        if (auth.jwt_algorithm != "HS256") {
            if (auth.jwt_private_key_file.empty() && auth.jwt_public_key_file.empty()) {
                complain("JWT_PRIVATE_KEY_FILE", "is missing, but JWT_ALGORITHM signs with it");
            }
        } else if (auth.jwt_secret.empty() && auth.jwt_secret_arn.empty() && settings_.strict()) {
            complain(
                "JWT_SECRET",
                "is missing, and production needs one of at least 32 bytes: openssl rand -base64 48"
            );
        }
        check_strength("JWT_SECRET", auth.jwt_secret, true);
        check_strength("JWT_SECRET_PREVIOUS", auth.jwt_secret_previous, true);
        check_strength("API_KEY_SECRET", auth.api_key_secret, false);
        check_strength("ADMIN_KEY", auth.admin_key, false);
    }

    void check_strength(const char* key, const std::string& secret, bool needed) {
        constexpr std::size_t kAdminKeyBytesMin = 16;
        const bool is_key = std::string_view(key) == "ADMIN_KEY";
        const std::string weakness =
            secret.empty() ? "" : weakness_of(secret, is_key ? kAdminKeyBytesMin : kSecretBytesMin);
        if (weakness.empty()) {
            return;
        }
        if (needed && settings_.strict()) {
            // That it is too short has been said.
            if (secret.size() >= kSecretBytesMin) {
                complain(key, weakness + "; take a random one: openssl rand -base64 48");
            }
        } else if (secret.size() >= kSecretBytesMin || is_key) {
            warn(key, weakness);
        }
    }

    const EnvLookup& environment_;
    ServerSettings& settings_;
    std::vector<Detail> problems_;
    bool embedded_ = true;
};

Error wrong(std::vector<Detail> problems) {
    return Error(Code::validation, "the configuration is not right", std::move(problems));
}

}  // namespace

std::vector<ServerSettingInfo> server_setting_table() {
    std::vector<ServerSettingInfo> out;
    std::ranges::transform(server_rows(), std::back_inserter(out), &Row::info);
    return out;
}

Result<ServerSettings> load_server_settings(
    const EnvLookup& environment, const std::vector<std::string>& names
) {
    ServerSettings settings;
    Loader loader(environment, settings);
    loader.load_rows();
    loader.load_features(names);
    loader.check_together();
    if (auto problems = loader.take_problems(); !problems.empty()) {
        return wrong(std::move(problems));
    }
    return settings;
}

std::vector<std::string> process_environment_names() {
    std::vector<std::string> names;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        names.emplace_back(text.substr(0, text.find('=')));
    }
    return names;
}

Result<ServerSettings> with_live_settings(const ServerSettings& started, const EnvLookup& live) {
    ServerSettings settings = started;
    std::vector<Detail> problems;
    for (const Row& row : server_rows()) {
        const Given given = row.info.live ? look_up(live, row.info.key) : Given{};
        if (given.text.empty()) {
            continue;
        }
        std::string problem = std::visit(Assign(row, settings, given.text), row.target);
        if (!problem.empty()) {
            problems.push_back({given.key, std::move(problem)});
            continue;
        }
        const auto shown = std::ranges::find(settings.rows, given.key, &SettingRow::key);
        if (shown != settings.rows.end()) {
            shown->value = row.info.secret ? "[set]" : given.text;
            shown->from = "live " + given.key;
        }
    }
    if (!problems.empty()) {
        return wrong(std::move(problems));
    }
    settings.database.fit_connections();
    return settings;
}

EnvLookup provider_environment(const ServerSettings& settings) {
    return [keys = settings.providers.keys](const std::string& name) {
        const auto found = keys.find(name);
        return found == keys.end() ? std::nullopt : std::optional(found->second);
    };
}

}  // namespace lab
