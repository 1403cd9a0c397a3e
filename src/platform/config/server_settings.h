#pragma once
#include "base/result.h"
#include "platform/config/settings.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

// The settings of the server, one struct a concern, so that a room is given what it needs. They
// come from environment variables alone; the table is in impl/server_table.cpp.

struct GeneralSettings {
    std::string app_name;
    std::string environment;  ///< production, staging, development, test
    bool maintenance = false;
    std::string live_folder;  ///< files that change settings while the server runs; empty = none
    std::map<std::string, bool> features;  ///< FEATURE_<NAME>, the name in lower case
};

/// What a pod is given by its cluster.
struct KubernetesSettings {
    std::string config_map;      ///< of the pod's namespace, watched for changes; "off" = none
    std::string host;            ///< of the API server; empty = not in a cluster
    std::int64_t port = 0;       ///< of the API server
    std::string account_folder;  ///< of the service account
};
inline constexpr std::string_view kNoConfigMap = "off";

struct HttpSettings {
    std::string host;
    std::int64_t port = 0;  ///< 0 = any that is free
    std::int64_t metrics_port = 0;
    std::chrono::milliseconds request_timeout{};
    std::chrono::milliseconds shutdown_timeout{};
    std::chrono::milliseconds health_interval{};
    std::int64_t request_mebibytes_max = 0;
    bool compression = false;
    std::int64_t compression_bytes_min = 0;
    std::vector<std::string> cors_origins;     ///< "https://host[:port]"
    std::vector<std::string> trusted_proxies;  ///< addresses and networks
    std::int64_t requests_per_second = 0;
    std::int64_t request_burst = 0;
    bool profiling = false;
    std::string public_url;  ///< "https://lab.example.org"; empty = as a request calls it
    std::string tls_certificate_file;
    std::string tls_key_file;
    std::int64_t threads = 0;  ///< that work on requests; 0 = as the store wants it
    // What one client may do (platform/http/server.h).
    std::int64_t header_bytes_max = 0;
    std::int64_t header_count_max = 0;
    std::int64_t uri_bytes_max = 0;
    std::int64_t json_bytes_max = 0;
    std::int64_t json_depth_max = 0;
    std::chrono::milliseconds header_timeout{};
    std::chrono::milliseconds idle_timeout{};
    std::chrono::milliseconds stall_timeout{};
    std::int64_t body_rate_min = 0;  ///< bytes a second
    std::int64_t pipelining_max = 0;
    std::int64_t clients_max = 0;           ///< connections
    std::int64_t clients_per_peer_max = 0;  ///< of them without a whole request yet, of one address
    // From here on work is refused, what can wait first.
    double overload_cpu = 0;          ///< share of the processors the process may use
    double overload_memory = 0;       ///< share of the memory it may use
    std::int64_t overload_queue = 0;  ///< requests that wait for a thread
};

struct DatabaseSettings {
    std::string url;  ///< secret; empty = embedded
    std::string read_url;
    std::string write_url;
    std::int64_t pool_size = 0;
    std::int64_t connections_ceiling = 0;
    std::int64_t connections_min = 0;
    std::int64_t connections_max = 0;  ///< the lesser of pool_size and connections_ceiling
    void fit_connections() { connections_max = std::min(pool_size, connections_ceiling); }
};

struct AuthSettings {
    std::string jwt_algorithm;  ///< HS256, RS256, ES256
    std::string jwt_secret;  ///< secret; empty = by ARN, by key files, or generated when embedded
    std::string jwt_secret_previous;
    std::string jwt_secret_arn;
    std::string jwt_private_key_file;
    std::string jwt_public_key_file;
    std::string jwt_public_key_previous_file;
    std::string jwt_issuer;
    std::string jwt_audience;
    std::chrono::milliseconds access_lifetime{};
    std::chrono::milliseconds refresh_lifetime{};
    std::string api_key_secret;  ///< secret
    std::string api_key_secret_arn;
    std::string admin_key;  ///< secret; empty = the way in by admin key is closed
};

/// Login at an identity provider; without an issuer there is none.
struct OidcSettings {
    std::string issuer;
    std::string client_id;
    std::string client_secret;  ///< secret; empty: a public client
    std::string redirect_url;
    std::string scopes;
    std::vector<std::string> hosts;  ///< beside that of the issuer
    std::string org;
    std::string groups_claim;
    std::vector<std::string> role_map;  ///< "group=Role"
    std::string default_role;           ///< empty = none
    std::vector<std::string> allowed_domains;
    bool require_verified_email = true;
};

struct CacheSettings {
    bool enabled = false;
    std::chrono::milliseconds lifetime{};
    std::int64_t entries_max = 0;
    std::string redis_url;  ///< secret
    bool redis_cluster = false;
};

struct ObjectSettings {
    std::string bucket;  ///< empty = files of the home folder
    std::string region;
    std::string endpoint;
    std::chrono::milliseconds presigned_lifetime{};
    std::string backup_bucket;
    std::string access_key_id;      ///< secret
    std::string secret_access_key;  ///< secret
    std::string session_token;      ///< secret
};

struct AnalyticsSettings {
    std::string url;  ///< empty = none
    std::string user;
    std::string password;  ///< secret
    std::string database;
};

struct TelemetrySettings {
    std::string log_level;
    std::string log_format;
    std::string log_filter;  ///< RUST_LOG; wins over log_level; parsed by platform/telemetry
    bool metrics = false;
    bool tracing = false;  ///< only with an endpoint
    std::string otlp_endpoint;
    std::string otlp_protocol;     ///< grpc, http/protobuf
    std::string otlp_headers;      ///< secret; parsed by platform/otlp
    std::string otlp_certificate;  ///< file of authorities; empty: the system's
    std::int64_t otlp_timeout_ms = 0;
    std::string metrics_exporter;  ///< none, otlp
    std::int64_t metrics_interval_ms = 0;
    std::string service_name;
    std::int64_t span_queue_max = 0;
    std::int64_t span_delay_ms = 0;
    double sample_ratio = 0;
};

struct SecretsSettings {
    std::chrono::milliseconds refresh_interval{};
    std::string endpoint;  ///< empty: Amazon's, of the region
};

struct ProviderSettings {
    std::map<std::string, std::string> keys;  ///< variable -> secret, those that are set
    std::vector<std::string> allowed_hosts;   ///< host, host:port, *.suffix
    std::string secrets_folder;               ///< of file: references; empty = none
    std::string secrets_prefix;               ///< of aws-sm:// references; empty = none
    std::string proxy;                        ///< secret; empty = none
};

/// How one key came to its value, for people.
struct SettingRow {
    std::string key;
    std::string value;  ///< of a secret: "[set]" or nothing
    std::string from;   ///< "default", "environment JWT_ISSUER", "live JWT_ISSUER"
    bool secret = false;
    bool live = false;  ///< can change while the server runs
};

struct WorkerSettings {
    std::int64_t runs = 0;  ///< at once
    std::chrono::milliseconds lease{};
};

struct ServerSettings {
    GeneralSettings general;
    KubernetesSettings kubernetes;
    HttpSettings http;
    DatabaseSettings database;
    WorkerSettings worker;
    AuthSettings auth;
    OidcSettings oidc;
    CacheSettings cache;
    ObjectSettings objects;
    AnalyticsSettings analytics;
    TelemetrySettings telemetry;
    SecretsSettings secrets;
    ProviderSettings providers;

    std::vector<SettingRow> rows;       ///< every key of the table, then the features
    std::vector<std::string> warnings;  ///< for the log: "KEY: what"

    bool embedded() const { return database.url.empty(); }
    /// Whether defaults that are only good for trying out are refused.
    bool strict() const {
        return general.environment != "development" && general.environment != "test";
    }
};

enum class SettingType : std::uint8_t {
    text,
    choice,
    integer,
    ratio,     ///< 0 to 1
    duration,  ///< 500ms, 30s, 5m, 2h, 7d, or whole seconds
    boolean,   ///< true, false, 1, 0
    size,      ///< bytes, or with KiB, MiB, GiB
    list,      ///< separated by commas
    url,
    arn,
};

/// A row of the table. From it come parsing, messages, `config check` and docs/config.md.
struct ServerSettingInfo {
    std::string_view group;
    std::string_view key;
    std::string_view alias;  ///< another name that is read when the first is not set
    SettingType type;
    std::string_view default_text;  ///< as it would be written; empty = not set
    std::int64_t min;  ///< integer; size in bytes; duration in milliseconds; text in bytes
    std::int64_t max;
    std::string_view words;  ///< of a choice its words, of a URL its schemes, separated by '|'
    bool secret;
    bool live;
    std::string_view help;
};
std::vector<ServerSettingInfo> server_setting_table();

/// Reads and checks everything at once. Surrounding white space and empty values count as nothing.
/// `names`: of all variables, for those that are only known by how they begin.
/// Errors: validation; each detail names a variable and says what is wrong, never what it holds.
Result<ServerSettings> load_server_settings(
    const EnvLookup& environment, const std::vector<std::string>& names = {}
);
/// Names of the variables of the process.
std::vector<std::string> process_environment_names();

/// `started` with the values that may change while the server runs (those with `live`) taken from
/// `live`, where it has them; elsewhere they are those of the start. Errors as above: nothing
/// changes because of a value that cannot be read.
Result<ServerSettings> with_live_settings(const ServerSettings& started, const EnvLookup& live);

/// What models may read as "environment": the keys of providers and nothing else of the server's.
EnvLookup provider_environment(const ServerSettings& settings);

/// The tables of docs/config.md.
std::string settings_markdown();

}  // namespace lab
