#include "platform/config/impl/server_table.h"

#include "platform/config/impl/provider_keys.h"
#include "platform/config/impl/setting_value.h"

#include <array>
#include <filesystem>
#include <functional>

// What the server can be told. Keys and defaults are a contract with those who operate it.
namespace lab::config {
namespace {

using namespace std::chrono_literals;
using Add = std::function<void(Row)>;

template <auto Group, auto Field>
auto& at(ServerSettings& settings) {
    return settings.*Group.*Field;
}

template <auto Field>
constexpr auto general = &at<&ServerSettings::general, Field>;
template <auto Field>
constexpr auto kubernetes = &at<&ServerSettings::kubernetes, Field>;
template <auto Field>
constexpr auto http = &at<&ServerSettings::http, Field>;
template <auto Field>
constexpr auto database = &at<&ServerSettings::database, Field>;
template <auto Field>
constexpr auto worker = &at<&ServerSettings::worker, Field>;
template <auto Field>
constexpr auto auth = &at<&ServerSettings::auth, Field>;
template <auto Field>
constexpr auto oidc = &at<&ServerSettings::oidc, Field>;
template <auto Field>
constexpr auto cache = &at<&ServerSettings::cache, Field>;
template <auto Field>
constexpr auto objects = &at<&ServerSettings::objects, Field>;
template <auto Field>
constexpr auto analytics = &at<&ServerSettings::analytics, Field>;
template <auto Field>
constexpr auto telemetry = &at<&ServerSettings::telemetry, Field>;
template <auto Field>
constexpr auto secrets = &at<&ServerSettings::secrets, Field>;
template <auto Field>
constexpr auto providers = &at<&ServerSettings::providers, Field>;

Row make(std::string_view key, SettingType type, Target target, std::string_view words = {}) {
    return Row{{.key = key, .type = type, .words = words}, target};
}

Row text(std::string_view key, Member<std::string> target) {
    return make(key, SettingType::text, target);
}
Row arn(std::string_view key, Member<std::string> target) {
    return make(key, SettingType::arn, target);
}
Row choice(std::string_view key, Member<std::string> target, std::string_view words) {
    return make(key, SettingType::choice, target, words);
}
Row url(std::string_view key, Member<std::string> target, std::string_view schemes) {
    return make(key, SettingType::url, target, schemes);
}
Row integer(std::string_view key, Member<std::int64_t> target) {
    return make(key, SettingType::integer, target);
}
Row size(std::string_view key, Member<std::int64_t> target) {
    return make(key, SettingType::size, target);
}
Row ratio(std::string_view key, Member<double> target) {
    return make(key, SettingType::ratio, target);
}
Row boolean(std::string_view key, Member<bool> target) {
    return make(key, SettingType::boolean, target);
}
Row duration(std::string_view key, Member<std::chrono::milliseconds> target) {
    return make(key, SettingType::duration, target);
}
Row list(std::string_view key, Member<std::vector<std::string>> target) {
    return make(key, SettingType::list, target);
}

std::string check_folder(std::string_view text) {
    std::error_code code;
    return std::filesystem::is_directory(std::filesystem::path(text), code)
               ? ""
               : "has to be a folder that exists";
}

void general_rows(const Add& add) {
    add(text("APP_NAME", general<&GeneralSettings::app_name>)
            .otherwise("llm-research-api")
            .between(1, 64)
            .help("name in logs and traces"));
    add(choice(
            "ENVIRONMENT",
            general<&GeneralSettings::environment>,
            "production|staging|development|test"
    )
            .help("in production and staging secrets have to be set and good; without a value it "
                  "is `development` when there is no DATABASE_URL and `production` otherwise"));
    add(boolean("MAINTENANCE_MODE", general<&GeneralSettings::maintenance>)
            .otherwise("false")
            .live()
            .help("writes and new runs are answered with 503; reading goes on"));
    add(text("LIVE_CONFIG_DIR", general<&GeneralSettings::live_folder>)
            .between(1, 1024)
            .obeys(check_folder)
            .help(
                "folder with a file for each key that may change while the server runs, such as a "
                "mounted ConfigMap; looked at every second"
            ));
}

void kubernetes_rows(const Add& add) {
    add(text("LIVE_CONFIG_MAP", kubernetes<&KubernetesSettings::config_map>)
            .otherwise("llm-research-config")
            .between(1, 253)
            .obeys(check_object_name)
            .help("in a cluster: ConfigMap of the pod's namespace whose changes of keys that may "
                  "change count at once; `off`: none"));
    add(text("KUBERNETES_SERVICE_HOST", kubernetes<&KubernetesSettings::host>)
            .between(1, 253)
            .obeys(check_host)
            .help("of the API server; Kubernetes sets it. Without a value it is no cluster"));
    add(integer("KUBERNETES_SERVICE_PORT", kubernetes<&KubernetesSettings::port>)
            .otherwise("443")
            .between(1, 65'535)
            .help("its port; Kubernetes sets it"));
    add(text("KUBERNETES_ACCOUNT_DIR", kubernetes<&KubernetesSettings::account_folder>)
            .otherwise("/var/run/secrets/kubernetes.io/serviceaccount")
            .between(1, 1024)
            .help("folder of the pod's service account: `token`, `ca.crt`, `namespace`"));
}

void http_rows(const Add& add) {
    add(text("SERVER_HOST", http<&HttpSettings::host>)
            .between(1, 253)
            .obeys(check_host)
            .help("address to listen on; without a value `127.0.0.1` when there is no DATABASE_URL "
                  "and `0.0.0.0` otherwise"));
    add(integer("SERVER_PORT", http<&HttpSettings::port>)
            .otherwise("8080")
            .between(0, 65'535)
            .help("port of the API; 0 takes any that is free"));
    add(integer("SERVER_THREADS", http<&HttpSettings::threads>)
            .otherwise("0")
            .between(0, 256)
            .help("requests that are worked on at once, at least 3; 0: with PostgreSQL as many as "
                  "connections, up to 32; embedded one more than processors, up to 16"));
    add(integer("METRICS_PORT", http<&HttpSettings::metrics_port>)
            .otherwise("9090")
            .between(0, 65'535)
            .help("port of the metrics"));
    add(duration("REQUEST_TIMEOUT_SECONDS", http<&HttpSettings::request_timeout>)
            .otherwise("300")
            .between(1s, 1h)
            .help("longest a request may take"));
    add(integer("MAX_REQUEST_SIZE_MB", http<&HttpSettings::request_mebibytes_max>)
            .otherwise("100")
            .between(1, 10'240)
            .help(
                "largest body that comes with a credential, in MiB; files to signed addresses have "
                "limits of their own (docs/operations)"
            ));
    add(duration("GRACEFUL_SHUTDOWN_TIMEOUT", http<&HttpSettings::shutdown_timeout>)
            .otherwise("30s")
            .between(1s, 10min)
            .help("how long a stop may take; it never takes more than 14 seconds"));
    add(duration("HEALTH_CHECK_INTERVAL", http<&HttpSettings::health_interval>)
            .otherwise("30s")
            .between(1s, 1h)
            .help("how often the database and other servers are looked at"));
    add(boolean("COMPRESSION_ENABLED", http<&HttpSettings::compression>)
            .otherwise("true")
            .help("compressed answers for clients that accept them"));
    add(size("COMPRESSION_MIN_SIZE", http<&HttpSettings::compression_bytes_min>)
            .otherwise("1024")
            .between(0, 64 << 20)
            .help("smallest body that is compressed"));
    add(list("CORS_ALLOWED_ORIGINS", http<&HttpSettings::cors_origins>)
            .obeys(check_origin)
            .help("web pages of these origins may call the API; none without a value"));
    add(list("TRUSTED_PROXIES", http<&HttpSettings::trusted_proxies>)
            .obeys(check_network)
            .help("peers whose X-Forwarded-For is believed"));
    add(integer("RATE_LIMIT_REQUESTS_PER_SECOND", http<&HttpSettings::requests_per_second>)
            .otherwise("100")
            .between(1, 1'000'000)
            .live()
            .help("requests a second and caller"));
    add(integer("RATE_LIMIT_BURST", http<&HttpSettings::request_burst>)
            .otherwise("200")
            .between(1, 10'000'000)
            .live()
            .help("requests a caller may make at once"));
    add(boolean("ENABLE_PROFILING", http<&HttpSettings::profiling>)
            .otherwise("false")
            .help("there are no built-in profiles yet: see docs/operations for `perf`"));
    add(url("PUBLIC_URL", http<&HttpSettings::public_url>, "https|http")
            .help("what the service is called from outside, for the addresses it gives out; "
                  "without a value as the request called it"));
}

void tls_rows(const Add& add) {
    add(text("TLS_CERT_FILE", http<&HttpSettings::tls_certificate_file>)
            .between(1, 4'096)
            .help("PEM chain: the API speaks TLS. Read again when the file changes"));
    add(text("TLS_KEY_FILE", http<&HttpSettings::tls_key_file>)
            .between(1, 4'096)
            .help("PEM key of the certificate, not encrypted"));
}

void client_rows(const Add& add) {
    add(size("HTTP_MAX_HEADER_BYTES", http<&HttpSettings::header_bytes_max>)
            .otherwise("16384")
            .between(1'024, 1 << 20)
            .help("header fields of a request; more is 431"));
    add(integer("HTTP_MAX_HEADERS", http<&HttpSettings::header_count_max>)
            .otherwise("100")
            .between(8, 10'000)
            .help("number of them; more is 431"));
    add(size("HTTP_MAX_URI_BYTES", http<&HttpSettings::uri_bytes_max>)
            .otherwise("8192")
            .between(256, 64 << 10)
            .help("target of a request; more is 414"));
    add(size("HTTP_MAX_JSON_BYTES", http<&HttpSettings::json_bytes_max>)
            .otherwise("2097152")
            .between(64 << 10, 64 << 20)
            .help("JSON body of a route that takes no batch; more is 413"));
    add(integer("HTTP_MAX_JSON_DEPTH", http<&HttpSettings::json_depth_max>)
            .otherwise("64")
            .between(8, 64)
            .help("arrays and objects within each other in a JSON body; more is 400"));
    add(duration("HTTP_HEADER_TIMEOUT", http<&HttpSettings::header_timeout>)
            .otherwise("10s")
            .between(1s, 10min)
            .help("from the first byte of a head to its last; later is 408"));
    add(duration("HTTP_IDLE_TIMEOUT", http<&HttpSettings::idle_timeout>)
            .otherwise("75s")
            .between(1s, 1h)
            .help("of a connection between two requests"));
    add(duration("HTTP_STALL_TIMEOUT", http<&HttpSettings::stall_timeout>)
            .otherwise("30s")
            .between(1s, 1h)
            .help("of a client that does not take its answer"));
    add(size("HTTP_MIN_BODY_RATE", http<&HttpSettings::body_rate_min>)
            .otherwise("1024")
            .between(1, 64 << 20)
            .help("bytes a second; who is slower for longer than HTTP_HEADER_TIMEOUT is cut off"));
    add(integer("HTTP_MAX_PIPELINED", http<&HttpSettings::pipelining_max>)
            .otherwise("16")
            .between(1, 1'000)
            .help("requests of a connection that wait for their answers"));
    add(integer("HTTP_MAX_CONNECTIONS", http<&HttpSettings::clients_max>)
            .otherwise("10000")
            .between(16, 1'000'000)
            .help("open connections; beyond, those without a whole request go first"));
    add(integer("HTTP_MAX_CONNECTIONS_PER_PEER", http<&HttpSettings::clients_per_peer_max>)
            .otherwise("1000")
            .between(1, 1'000'000)
            .help("of them of one address and without a whole request yet"));
}

void overload_rows(const Add& add) {
    add(ratio("OVERLOAD_CPU_RATIO", http<&HttpSettings::overload_cpu>)
            .otherwise("0.85")
            .help("from this share of its processors on, background requests are refused"));
    add(ratio("OVERLOAD_MEMORY_RATIO", http<&HttpSettings::overload_memory>)
            .otherwise("0.90")
            .help("the same for its memory; halfway from there to all of it, all requests but "
                  "those of operators, logins and probes"));
    add(integer("OVERLOAD_QUEUE_LENGTH", http<&HttpSettings::overload_queue>)
            .otherwise("1000")
            .between(1, 100'000)
            .help("requests that may wait for a thread; more are refused"));
}

void database_rows(const Add& add) {
    add(url("DATABASE_URL", database<&DatabaseSettings::url>, "postgres|postgresql")
            .secret()
            .help("PostgreSQL; without a value the server is embedded: SQLite, its own machine only"
            ));
    add(url("DATABASE_READ_URL", database<&DatabaseSettings::read_url>, "postgres|postgresql")
            .secret()
            .help("a replica that lists are read from, which may be a moment behind"));
    add(url("DATABASE_WRITE_URL", database<&DatabaseSettings::write_url>, "postgres|postgresql")
            .secret()
            .help("the primary, where it differs from DATABASE_URL"));
    add(integer("CONNECTION_POOL_SIZE", database<&DatabaseSettings::pool_size>)
            .otherwise("50")
            .between(1, 1'000)
            .live()
            .help("connections of one process"));
    add(integer("DATABASE_MAX_CONNECTIONS", database<&DatabaseSettings::connections_ceiling>)
            .otherwise("100")
            .between(1, 10'000)
            .live()
            .help("ceiling; the lesser of the two counts"));
    add(integer("DATABASE_MIN_CONNECTIONS", database<&DatabaseSettings::connections_min>)
            .otherwise("10")
            .between(0, 1'000)
            .help("connections that are kept open"));
}

void worker_rows(const Add& add) {
    add(integer("WORKER_RUNS", worker<&WorkerSettings::runs>)
            .otherwise("2")
            .between(1, 64)
            .help("runs of the queue that one process carries out at once"));
    add(duration("WORKER_LEASE", worker<&WorkerSettings::lease>)
            .otherwise("15s")
            .between(2s, 10min)
            .help("how long a worker that says nothing keeps its runs from others; it says "
                  "something twice a second"));
}

void auth_rows(const Add& add) {
    add(text("JWT_SECRET", auth<&AuthSettings::jwt_secret>)
            .between(32, 4'096)
            .secret()
            .help("signs tokens, at least 32 bytes: `openssl rand -base64 48`; generated when "
                  "embedded"));
    add(text("JWT_SECRET_PREVIOUS", auth<&AuthSettings::jwt_secret_previous>)
            .between(32, 4'096)
            .secret()
            .help("still accepted after JWT_SECRET was changed"));
    add(arn("JWT_SECRET_ARN", auth<&AuthSettings::jwt_secret_arn>)
            .help("the same in AWS Secrets Manager (docs/operations); JWT_SECRET wins"));
    add(duration("JWT_EXPIRY_SECONDS", auth<&AuthSettings::access_lifetime>)
            .otherwise("3600")
            .between(1min, 168h)
            .also("JWT_ACCESS_EXPIRY")
            .help("life of an access token"));
    add(duration("JWT_REFRESH_EXPIRY", auth<&AuthSettings::refresh_lifetime>)
            .otherwise("604800")
            .between(5min, 8784h)
            .help("life of a refresh token"));
    add(text("JWT_ISSUER", auth<&AuthSettings::jwt_issuer>)
            .otherwise("llm-research-api")
            .between(1, 256)
            .obeys(check_header_text)
            .help("`iss` of tokens"));
    add(text("JWT_AUDIENCE", auth<&AuthSettings::jwt_audience>)
            .otherwise("llm-research-users")
            .between(1, 256)
            .obeys(check_header_text)
            .help("`aud` of tokens"));
    add(choice("JWT_ALGORITHM", auth<&AuthSettings::jwt_algorithm>, "HS256|RS256|ES256")
            .otherwise("HS256")
            .help("HS256 signs with JWT_SECRET, the others with key files"));
    add(text("JWT_PRIVATE_KEY_FILE", auth<&AuthSettings::jwt_private_key_file>)
            .between(1, 4'096)
            .help("PEM, for RS256 and ES256; without it tokens are only verified"));
    add(text("JWT_PUBLIC_KEY_FILE", auth<&AuthSettings::jwt_public_key_file>)
            .between(1, 4'096)
            .help("PEM; without a value that of the private key"));
    add(text("JWT_PUBLIC_KEY_PREVIOUS_FILE", auth<&AuthSettings::jwt_public_key_previous_file>)
            .between(1, 4'096)
            .help("still accepted after the keys were changed"));
    add(text("API_KEY_SECRET", auth<&AuthSettings::api_key_secret>)
            .between(32, 4'096)
            .secret()
            .help("pepper of the digests of API keys; without a value one is made once and kept in "
                  "the database"));
    add(arn("API_KEY_SECRET_ARN", auth<&AuthSettings::api_key_secret_arn>)
            .help("the same in AWS Secrets Manager; API_KEY_SECRET wins"));
    add(text("ADMIN_KEY", auth<&AuthSettings::admin_key>)
            .between(1, 4'096)
            .secret()
            .obeys(check_header_text)
            .help(
                "opens the operators' routes of /admin (breakers, maintenance, cache, credentials) "
                "by X-Admin-Key; users, keys and the audit log belong to an organisation and "
                "need somebody of it; without a value that way is closed"
            ));
}

constexpr const char* kRoles = "Admin|Researcher|Analyst|DataEngineer|ModelEngineer|Viewer";

std::string check_role_pair(std::string_view text) {
    const std::size_t equals = text.rfind('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size()) {
        return "has to be a list of group=Role, separated by commas";
    }
    std::string role;
    for (const char c : text.substr(equals + 1)) {
        role += c == '_' || c == '-' || c == ' ' ? "" : std::string(1, c);
    }
    return parse_choice(role, kRoles)
               ? ""
               : "names a role that nobody can log in with: there are Admin, Researcher, Analyst, "
                 "DataEngineer, ModelEngineer and Viewer";
}

void oidc_rows(const Add& add) {
    add(url("OIDC_ISSUER", oidc<&OidcSettings::issuer>, "https|http")
            .help("identity provider to log in at (`GET /auth/oidc/login`), exactly as it calls "
                  "itself; without a value there is none"));
    add(text("OIDC_CLIENT_ID", oidc<&OidcSettings::client_id>)
            .between(1, 256)
            .help("what the provider calls this service"));
    add(text("OIDC_CLIENT_SECRET", oidc<&OidcSettings::client_secret>)
            .between(1, 4'096)
            .secret()
            .help("what the provider knows it by; without a value it is a public client"));
    add(url("OIDC_REDIRECT_URL", oidc<&OidcSettings::redirect_url>, "https|http")
            .help("the address of `/auth/oidc/callback` as browsers reach it, as it is registered "
                  "at the provider"));
    add(text("OIDC_SCOPES", oidc<&OidcSettings::scopes>)
            .otherwise("openid email profile")
            .between(6, 512)
            .help("what is asked for, separated by blanks"));
    add(list("OIDC_HOSTS", oidc<&OidcSettings::hosts>)
            .obeys(check_host)
            .help("hosts beside the issuer's at which it has its token, key and userinfo "
                  "endpoints; no other is called"));
    add(text("OIDC_ORG", oidc<&OidcSettings::org>)
            .otherwise("default")
            .between(1, 100)
            .help("organisation of who logs in so; made when there is none"));
    add(text("OIDC_GROUPS_CLAIM", oidc<&OidcSettings::groups_claim>)
            .otherwise("groups")
            .between(1, 128)
            .help("claim with the groups of a user; also a path, such as `realm_access.roles`"));
    add(list("OIDC_ROLE_MAP", oidc<&OidcSettings::role_map>)
            .obeys(check_role_pair)
            .help("`group=Role` pairs; with any, roles follow the groups at each login"));
    add(choice("OIDC_DEFAULT_ROLE", oidc<&OidcSettings::default_role>, kRoles)
            .help("role of who is in no group of the map; without a value they are not let in"));
    add(list("OIDC_ALLOWED_DOMAINS", oidc<&OidcSettings::allowed_domains>)
            .obeys(check_host)
            .help("domains of e-mail addresses that are let in; without a value all"));
    add(boolean("OIDC_REQUIRE_VERIFIED_EMAIL", oidc<&OidcSettings::require_verified_email>)
            .otherwise("true")
            .help(
                "nobody is let in whose address the provider has not verified; `false` still gives "
                "nobody an account that is there already"
            ));
}

void cache_rows(const Add& add) {
    add(boolean("CACHE_ENABLED", cache<&CacheSettings::enabled>)
            .otherwise("true")
            .help("answers of the store are kept in memory"));
    add(duration("CACHE_TTL_SECONDS", cache<&CacheSettings::lifetime>)
            .otherwise("300")
            .between(0s, 720h)
            .help("how long"));
    add(integer("CACHE_MAX_SIZE", cache<&CacheSettings::entries_max>)
            .otherwise("10000")
            .between(0, 10'000'000)
            .help("how many"));
    add(url("REDIS_URL", cache<&CacheSettings::redis_url>, "redis|rediss")
            .secret()
            .help("what processes share: limits, revocations, reports. "
                  "user:password@host:port/database; several hosts with commas"));
    add(boolean("REDIS_CLUSTER_ENABLED", cache<&CacheSettings::redis_cluster>)
            .otherwise("false")
            .help("REDIS_URL names some nodes of a cluster"));
}

void object_rows(const Add& add) {
    add(text("S3_BUCKET", objects<&ObjectSettings::bucket>)
            .between(3, 63)
            .obeys(check_bucket)
            .help("where datasets and artifacts are kept; without a value in files"));
    add(text("S3_REGION", objects<&ObjectSettings::region>)
            .otherwise("us-east-1")
            .between(1, 64)
            .also("AWS_REGION")
            .obeys(check_header_text)
            .help("its region"));
    add(url("S3_ENDPOINT", objects<&ObjectSettings::endpoint>, "https|http")
            .help("another server that speaks S3"));
    add(duration("S3_PRESIGNED_URL_EXPIRY", objects<&ObjectSettings::presigned_lifetime>)
            .otherwise("3600")
            .between(1s, 168h)
            .help("life of upload and download addresses"));
    add(text("BACKUP_BUCKET", objects<&ObjectSettings::backup_bucket>)
            .between(3, 63)
            .obeys(check_bucket)
            .help("where dumps go"));
    add(text("AWS_ACCESS_KEY_ID", objects<&ObjectSettings::access_key_id>)
            .between(1, 256)
            .secret()
            .obeys(check_header_text)
            .help("without it the role of the machine is used"));
    add(text("AWS_SECRET_ACCESS_KEY", objects<&ObjectSettings::secret_access_key>)
            .between(1, 256)
            .secret()
            .obeys(check_header_text)
            .help("belongs to AWS_ACCESS_KEY_ID"));
    add(text("AWS_SESSION_TOKEN", objects<&ObjectSettings::session_token>)
            .between(1, 8'192)
            .secret()
            .obeys(check_header_text)
            .help("of temporary credentials"));
}

void analytics_rows(const Add& add) {
    add(url("CLICKHOUSE_URL", analytics<&AnalyticsSettings::url>, "https|http")
            .help("optional copy of metrics and events"));
    add(text("CLICKHOUSE_USER", analytics<&AnalyticsSettings::user>)
            .otherwise("default")
            .between(1, 256)
            .help("its user"));
    add(text("CLICKHOUSE_PASSWORD", analytics<&AnalyticsSettings::password>)
            .between(1, 4'096)
            .secret()
            .help("its password"));
    add(text("CLICKHOUSE_DATABASE", analytics<&AnalyticsSettings::database>)
            .otherwise("llm_metrics")
            .between(1, 128)
            .help("its database"));
}

void telemetry_rows(const Add& add) {
    add(choice(
            "LOG_LEVEL",
            telemetry<&TelemetrySettings::log_level>,
            "trace|debug|info|warn|warning|error|off"
    )
            .otherwise("info")
            .live()
            .help("lines below it are not written"));
    add(text("RUST_LOG", telemetry<&TelemetrySettings::log_filter>)
            .between(1, 4'096)
            .obeys(check_log_filter)
            .live()
            .help("`level,target=level,...`; wins over LOG_LEVEL"));
    add(choice("LOG_FORMAT", telemetry<&TelemetrySettings::log_format>, "json|pretty|compact")
            .otherwise("json")
            .help("one JSON object a line, or text"));
    add(boolean("PROMETHEUS_ENABLED", telemetry<&TelemetrySettings::metrics>)
            .otherwise("true")
            .help("/metrics answers"));
    add(boolean("ENABLE_TRACING", telemetry<&TelemetrySettings::tracing>)
            .otherwise("true")
            .help("spans are exported, when there is somewhere to export to"));
    add(url("OTEL_EXPORTER_ENDPOINT", telemetry<&TelemetrySettings::otlp_endpoint>, "https|http")
            .also("OTEL_EXPORTER_OTLP_ENDPOINT")
            .help("a collector that speaks OTLP; traces go there, metrics when asked for"));
    add(choice(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            telemetry<&TelemetrySettings::otlp_protocol>,
            "grpc|http/protobuf"
    )
            .otherwise("grpc")
            .help("how: port 4317 or 4318, as a rule"));
    add(text("OTEL_EXPORTER_OTLP_HEADERS", telemetry<&TelemetrySettings::otlp_headers>)
            .between(1, 8'192)
            .secret()
            .help("`name=value,...` that the collector asks for, values percent-encoded"));
    add(text("OTEL_EXPORTER_OTLP_CERTIFICATE", telemetry<&TelemetrySettings::otlp_certificate>)
            .between(1, 4'096)
            .help("PEM file of the authorities that the collector's certificate may come from; "
                  "unset: the system's"));
    add(integer("OTEL_EXPORTER_OTLP_TIMEOUT", telemetry<&TelemetrySettings::otlp_timeout_ms>)
            .otherwise("10000")
            .between(100, 60'000)
            .help("longest wait for the collector, in milliseconds as OpenTelemetry has it"));
    add(text("OTEL_SERVICE_NAME", telemetry<&TelemetrySettings::service_name>)
            .between(1, 255)
            .help("`service.name` of the traces; unset: APP_NAME"));
    add(choice(
            "OTEL_METRICS_EXPORTER", telemetry<&TelemetrySettings::metrics_exporter>, "none|otlp"
    )
            .otherwise("none")
            .help("otlp: what /metrics shows goes to the collector, too"));
    add(integer("OTEL_METRIC_EXPORT_INTERVAL", telemetry<&TelemetrySettings::metrics_interval_ms>)
            .otherwise("60000")
            .between(100, 3'600'000)
            .help("how often, in milliseconds as OpenTelemetry has it"));
    add(integer("OTEL_BSP_MAX_QUEUE_SIZE", telemetry<&TelemetrySettings::span_queue_max>)
            .otherwise("2048")
            .between(16, 1'000'000)
            .help("spans that may wait; more are dropped and counted"));
    add(integer("OTEL_BSP_SCHEDULE_DELAY", telemetry<&TelemetrySettings::span_delay_ms>)
            .otherwise("5000")
            .between(10, 60'000)
            .help("longest a span waits for others, in milliseconds as OpenTelemetry has it"));
    add(ratio("OTEL_TRACES_SAMPLER_ARG", telemetry<&TelemetrySettings::sample_ratio>)
            .otherwise("1")
            .help("part of the new traces that is recorded; of those that come from outside, their "
                  "flag says so"));
}

void secret_rows(const Add& add) {
    add(duration("SECRETS_REFRESH_INTERVAL", secrets<&SecretsSettings::refresh_interval>)
            .otherwise("5m")
            .between(1s, 24h)
            .help(
                "how often secrets that are named (`*_ARN`, `aws-sm://NAME#MEMBER` as the value of "
                "any secret setting) are asked for again"
            ));
    add(url("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets<&SecretsSettings::endpoint>, "https|http")
            .also("AWS_ENDPOINT_URL")
            .help("another server that speaks Secrets Manager; without a value that of the region "
                  "(AWS_REGION, or the one an ARN names)"));
}

void provider_rows(const Add& add) {
    add(list("PROVIDER_ALLOWED_HOSTS", providers<&ProviderSettings::allowed_hosts>)
            .obeys(check_host_rule)
            .help("hosts, also private ones, that models may name beside the providers' own; unset "
                  "in development: this machine"));
    add(text("PROVIDER_SECRETS_DIR", providers<&ProviderSettings::secrets_folder>)
            .between(1, 4'096)
            .help("folder of files that credentials may name (file:/...); unset: none"));
    add(text("PROVIDER_SECRETS_PREFIX", providers<&ProviderSettings::secrets_prefix>)
            .between(1, 512)
            .obeys(check_header_text)
            .help("what the names of secrets begin with that credentials may name (aws-sm://NAME); "
                  "unset: none"));
    add(url("OUTBOUND_PROXY", providers<&ProviderSettings::proxy>, "http|https")
            .secret()
            .help("all calls to models go through it; HTTP_PROXY and the like do not count"));
    for (const auto& [key, help] : kProviderKeys) {
        add(
            Row{{.key = key,
                 .type = SettingType::text,
                 .min = 1,
                 .max = 4'096,
                 .secret = true,
                 .help = help},
                ProviderKey{},
                check_header_text}
        );
    }
}

std::vector<Row> make_rows() {
    struct Group {
        std::string_view name;
        void (*rows)(const Add&);
    };
    constexpr std::array kGroups{
        Group{"General", general_rows},
        Group{"Kubernetes", kubernetes_rows},
        Group{"HTTP", http_rows},
        Group{"TLS", tls_rows},
        Group{"Limits of a client", client_rows},
        Group{"Overload", overload_rows},
        Group{"Database", database_rows},
        Group{"Workers", worker_rows},
        Group{"Authentication", auth_rows},
        Group{"Identity provider", oidc_rows},
        Group{"Cache", cache_rows},
        Group{"Files", object_rows},
        Group{"Analytics", analytics_rows},
        Group{"Logs, metrics, traces", telemetry_rows},
        Group{"Secrets", secret_rows},
        Group{"Providers", provider_rows},
    };
    std::vector<Row> rows;
    for (const Group& group : kGroups) {
        group.rows([&](Row row) {
            row.info.group = group.name;
            rows.push_back(std::move(row));
        });
    }
    return rows;
}

}  // namespace

std::span<const Row> server_rows() {
    static const std::vector<Row> kRows = make_rows();
    return kRows;
}

}  // namespace lab::config
