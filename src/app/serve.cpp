#include "app/serve.h"

#include "api/application.h"
#include "api/health.h"
#include "api/http_metrics.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "app/access_log.h"
#include "app/interrupts.h"
#include "app/observation.h"
#include "app/oidc.h"
#include "app/platform.h"
#include "app/route_audit.h"
#include "platform/config/live_settings.h"
#include "platform/process/worker.h"
#include "platform/telemetry/process_load.h"
#include "platform/telemetry/process_metrics.h"
#include "platform/telemetry/telemetry.h"
#include "service/audit.h"
#include "service/breakers.h"
#include "service/idempotency.h"
#include "service/maintenance.h"
#include "service/object_sweep.h"
#include "service/rate_limit.h"
#include "service/run_queue.h"
#include "service/run_reports.h"
#include "service/text_cache.h"
#include "storage/store/run_counts.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace lab::app {
namespace {

using api::ComponentHealth;

/// After SIGTERM: what is in flight, the runs, the audit log; together less than 14 seconds.
constexpr Duration kDrainRequests = std::chrono::seconds(6);
constexpr Duration kDrainRuns = std::chrono::seconds(4);
constexpr Duration kDrainAudit = std::chrono::seconds(2);
/// Where passwords are tried: so many requests a second from one address.
constexpr double kLoginRate = 1;
constexpr double kLoginBurst = 20;

service::TextCache::Options cache_options(const CacheSettings& settings) {
    service::TextCache::Options out;
    out.entries_max = settings.enabled ? static_cast<std::size_t>(settings.entries_max) : 0;
    out.lifetime = settings.lifetime;
    return out;
}

/// The process that serves, built top-down and taken down in reverse.
class Service {
  public:
    Service(Observation& observation, std::unique_ptr<Platform> platform)
        : platform_(std::move(platform)),
          log_(observation.log),
          metrics_(observation.metrics),
          counted_(observation.service),
          live_(settings(), settings().general.live_folder),
          live_values_(live_values(settings())),
          load_(clock_, read_process_limits()),
          admission_({
              .cpu_max = settings().http.overload_cpu,
              .memory_max = settings().http.overload_memory,
              .waiting_max = queue_max(),
          }),
          board_(clock_, std::string(version())),
          pool_({.threads = 4, .queue_max = queue_max()}),
          audit_(audit_worker_, platform_->sessions(), clock_, uuids_),
          limiter_(rate_config(), clock_),
          login_limiter_(
              {.requests_per_second = kLoginRate, .burst = kLoginBurst, .anonymous_share = 1},
              clock_
          ),
          maintenance_(settings().general.maintenance),
          cache_(cache_options(settings().cache), clock_),
          runs_(
              platform_->deps(),
              {&run_workers_[0], &run_workers_[1]},
              [this] { return platform_->make_runner(); },
              events_,
              [this] { return maintenance_.on(); },
              {}
          ) {}

    Result<int> run(const cli::ServeOptions& options);

  private:
    const ServerSettings& settings() const { return platform_->settings(); }
    service::RateLimitConfig rate_config() const {
        return {
            .requests_per_second = static_cast<double>(settings().http.requests_per_second),
            .burst = static_cast<double>(settings().http.request_burst),
        };
    }
    std::size_t queue_max() const {
        return static_cast<std::size_t>(settings().http.overload_queue);
    }
    Status build_routes();
    bool warm_cache();
    void sweep();
    Status listen();
    void collect_gauges();
    Status offer_bootstrap();
    void watch_health();
    void check_database();
    void set_health(ComponentHealth component);
    void look_at_settings();
    void look_at_store();
    void look_around();
    void go_round();
    void drain();
    service::RateDecision check_rate(const service::Caller& caller, api::LimitClass limit);
    void served(const api::Served& served);
    api::ApplicationDeps application_deps();

    SystemClock clock_;
    RandomUuids uuids_;
    std::unique_ptr<Platform> platform_;
    Logger& log_;
    Metrics& metrics_;
    ServiceMetrics& counted_;
    LiveSettings live_;
    Json live_values_;  ///< that count now; of the watcher
    ProcessLoad load_;
    double cpu_ = 0;  ///< smoothed
    api::Admission admission_;
    api::HealthBoard board_;
    WorkPool pool_;
    ThreadWorker audit_worker_;
    service::AuditLog audit_;
    service::RateLimiter limiter_;
    service::RateLimiter login_limiter_;
    service::MaintenanceFlag maintenance_;
    service::TextCache cache_;
    service::RunEvents events_;
    std::array<ThreadWorker, 2> run_workers_;  ///< so many runs at once
    service::RunQueue runs_;
    std::unique_ptr<service::OidcLogin> oidc_;
    std::string document_;
    std::unique_ptr<api::Application> application_;
    std::unique_ptr<api::Application> metrics_application_;
    std::unique_ptr<api::HttpMetrics> http_metrics_;
    std::unique_ptr<api::HttpMetrics> probe_metrics_;  ///< of metrics_application_
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Server> metrics_server_;
    std::atomic<bool> looking_ = false;
    TimePoint health_checked_{};  ///< of the watcher
    int looks_ = 0;               ///< of the watcher
    ThreadWorker watcher_;        ///< looks at what may hang: files, the store
};

service::RateDecision Service::check_rate(const service::Caller& caller, api::LimitClass limit) {
    if (limit == api::LimitClass::exempt || caller.kind == service::Caller::Kind::admin_key) {
        return {.allowed = true, .limited = false};
    }
    const service::RateDecision decision =
        limit == api::LimitClass::login ? login_limiter_.decide(caller) : limiter_.decide(caller);
    if (!decision.allowed) {
        counted_.rate_limited(caller);
    }
    return decision;
}

void Service::served(const api::Served& served) {
    if (served.status == info(Code::unauthorized).http_status) {
        counted_.auth_failed(served.cause);
    }
    log_request(log_, served);
}

api::ApplicationDeps Service::application_deps() {
    api::ApplicationDeps deps;
    deps.clock = &clock_;
    deps.uuids = &uuids_;
    deps.service = &platform_->deps();
    deps.sessions = &platform_->sessions();
    deps.pool = &pool_;
    deps.authenticate = [this](const Ctx& ctx, storage::Session& session, const auto& presented) {
        return platform_->identity().authenticate(ctx, session, presented);
    };
    deps.check_rate = [this](const service::Caller& caller, api::LimitClass limit) {
        return check_rate(caller, limit);
    };
    deps.audit = [this](const auto& request, const auto& route, const auto&... what) {
        return audit_route(audit_, request, route, what...);
    };
    deps.served = [this](const api::Served& one) {
        http_metrics_->observe(one);
        served(one);
    };
    deps.maintenance = &maintenance_;
    deps.admission = &admission_;
    deps.shed = [this](api::Priority priority) { counted_.load_shed(to_string(priority)); };
    return deps;
}

Status Service::build_routes() {
    LAB_TRY(oidc_, make_oidc(*platform_, clock_));
    const auto metrics_text = [this] { return metrics_.text(); };
    std::vector<api::Route> routes = api::all_routes({
        .identity = platform_->identity(),
        .control = runs_,
        .events = events_,
        .board = board_,
        .maintenance = maintenance_,
        .metrics_text = metrics_text,
        .document = [this]() -> const std::string& { return document_; },
        .count_evaluations =
            [this](std::size_t count) {
                counted_.evaluations_processed(static_cast<std::int64_t>(count));
            },
        .signing_key = platform_->signing_key(),
        .oidc = oidc_.get(),
        .cache =
            {.warm = [this] { return warm_cache(); }, .clear = [this] { return cache_.clear(); }},
    });
    document_ = dump_json(api::openapi_document(routes, version()));
    LAB_TRY(auto router, api::Router::make(std::move(routes)));
    const HttpSettings& http = settings().http;
    api::ApplicationOptions options{
        .request_timeout = http.request_timeout,
        .cors_origins = http.cors_origins,
        .compression = http.compression,
        .compression_bytes_min = static_cast<std::size_t>(http.compression_bytes_min),
        .trusted_proxies = http.trusted_proxies,
    };
    application_ =
        std::make_unique<api::Application>(std::move(router), application_deps(), options);
    http_metrics_ =
        std::make_unique<api::HttpMetrics>(clock_, metrics_, application_->router().routes());
    LAB_TRY(auto small, api::Router::make(api::health_routes(board_, metrics_text)));
    api::ApplicationDeps deps = application_deps();
    deps.served = [this](const api::Served& one) {
        probe_metrics_->observe(one);
        served(one);
    };
    metrics_application_ =
        std::make_unique<api::Application>(std::move(small), std::move(deps), options);
    probe_metrics_ = std::make_unique<api::HttpMetrics>(
        clock_, metrics_, metrics_application_->router().routes()
    );
    return ok();
}

/// The reports of the latest runs, made when nobody waits for them.
bool Service::warm_cache() {
    constexpr std::int64_t kRunsMax = 20;
    return pool_.submit(WorkPool::Priority::background, [this] {
        const Ctx ctx = Ctx(clock_).within(std::chrono::minutes(2));
        const auto session = platform_->sessions().acquire(ctx);
        if (!session) {
            return;
        }
        const service::Caller nobody;
        const auto made =
            service::warm_reports({ctx, platform_->deps(), **session, nobody}, kRunsMax);
        log_.info("cache", "reports made", {{"runs", made ? static_cast<int>(*made) : 0}});
    });
}

/// Files of what was removed go when nobody can be about to need them.
void Service::sweep() {
    static constexpr Duration kAge = std::chrono::hours(1);
    static_cast<void>(pool_.submit(WorkPool::Priority::background, [this] {
        const Ctx ctx = Ctx(clock_).within(std::chrono::minutes(2));
        const auto session = platform_->sessions().acquire(ctx);
        if (!session) {
            return;
        }
        const service::Caller nobody;
        const auto gone = service::sweep_objects({ctx, platform_->deps(), **session, nobody}, kAge);
        log_.info("objects", "swept", {{"removed", gone ? static_cast<int>(*gone) : 0}});
    }));
}

Status Service::listen() {
    const HttpSettings& http = settings().http;
    http::ServerOptions options;
    options.address = http.host;
    options.port = static_cast<std::uint16_t>(http.port);
    LAB_TRY(server_, http::Server::start(clock_, options, *application_));
    http::ServerOptions metrics = options;
    metrics.port = static_cast<std::uint16_t>(http.metrics_port);
    metrics.threads = 1;
    LAB_TRY(metrics_server_, http::Server::start(clock_, metrics, *metrics_application_));
    collect_gauges();
    add_process_metrics(metrics_, {.version = std::string(version()), .revision = {}});
    return ok();
}

/// What is measured when somebody asks.
void Service::collect_gauges() {
    metrics_.on_collect([this,
                         &in_flight = metrics_.gauge("http_requests_in_flight", "Requests"),
                         &rate = metrics_.gauge(
                             "http_requests_per_second",
                             "Requests a second of the last ten, without probes and scrapes"
                         ),
                         &active = metrics_.gauge("db_pool_connections_active", "In use"),
                         &idle = metrics_.gauge("db_pool_connections_idle", "Open and not in use"),
                         &most = metrics_.gauge("db_pool_connections_max", "At most"),
                         &waiters = metrics_.gauge("db_pool_waiters", "Who wait for one"),
                         &mode = metrics_.gauge("maintenance_mode", "1 during maintenance"),
                         &running = metrics_.gauge("experiments_running", "Runs under way")] {
        const storage::SessionPoolStats pool = platform_->sessions().stats();
        active.set(static_cast<double>(pool.active));
        idle.set(static_cast<double>(pool.idle));
        most.set(static_cast<double>(pool.max));
        waiters.set(static_cast<double>(pool.waiters));
        in_flight.set(static_cast<double>(server_->stats().in_flight));
        rate.set(http_metrics_->per_second());
        mode.set(maintenance_.on() ? 1 : 0);
        running.set(static_cast<double>(runs_.running()));
        counted_.cache_seen("credentials", platform_->identity().cache_stats());
        const service::TextCache::Stats reports = cache_.stats();
        counted_.cache_seen(
            "reports",
            {.hits = reports.hits,
             .misses = reports.misses,
             .evictions = reports.evictions,
             .size = reports.entries}
        );
    });
}

void Service::set_health(ComponentHealth component) {
    if (component.status != ComponentHealth::Status::disabled) {
        counted_.health_checked(component);
    }
    board_.set(std::move(component));
}

void Service::check_database() {
    const TimePoint begun = clock_.now();
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(3));
    ComponentHealth database{.name = "database", .critical = true};
    const auto session = platform_->sessions().acquire(ctx);
    bool good = session && platform_->identity().maintain(ctx, **session);
    if (good) {
        const service::Caller nobody;
        good = service::purge_idempotent({ctx, platform_->deps(), **session, nobody}).has_value();
    }
    database.status = good ? ComponentHealth::Status::healthy : ComponentHealth::Status::unhealthy;
    database.message = good ? "" : "the database does not answer";
    database.latency = clock_.now() - begun;
    set_health(std::move(database));
}

void Service::watch_health() {
    using Health = ComponentHealth::Status;
    set_health({.name = "auth", .critical = true, .status = Health::healthy});
    set_health({.name = "migrations", .critical = true, .status = Health::healthy});
    for (const char* absent : {"cache", "storage", "analytics"}) {
        set_health({.name = absent, .critical = false, .status = Health::disabled});
    }
    set_health({.name = "workers", .critical = false, .status = Health::healthy});
    check_database();
    health_checked_ = clock_.now();
    look_at_settings();
    look_at_store();
    board_.started();
}

/// What files say now of the settings that may change.
void Service::look_at_settings() {
    const auto changed = live_.look();
    if (!changed) {
        for (const Detail& problem : changed.error().details) {
            log_.error(
                "config",
                "a changed setting is not used",
                {{"name", problem.field}, {"problem", problem.message}}
            );
        }
        return;
    }
    const std::optional<ServerSettings>& now = *changed;
    if (!now) {
        return;
    }
    log_.set_filter(filter_of(now->telemetry));
    limiter_.set_rate(
        static_cast<double>(now->http.requests_per_second),
        static_cast<double>(now->http.request_burst)
    );
    maintenance_.set_by_setting(now->general.maintenance);
    const Json before = std::exchange(live_values_, live_values(*now));
    if (before == live_values_) {
        return;  // the files say what counts already
    }
    log_.info("config", "settings were changed", {{"maintenance", maintenance_.on()}});
    const service::Caller caller = service::local_caller();
    service::AuditEvent event = service::audit_event(
        caller, service::AuditType::configuration, service::AuditAction::config_change, "system", ""
    );
    event.details = service::AuditDetails(service::audit_changes(before, live_values_));
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(1));
    static_cast<void>(audit_.record(ctx, std::move(event), service::AuditDuty::optional));
}

/// What other processes and operators wrote: maintenance, breakers; and how many runs wait.
void Service::look_at_store() {
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(2));
    const auto session = platform_->sessions().acquire(ctx);
    if (!session) {
        return;  // the health check says so; what was seen last goes on counting
    }
    if (const auto status = service::maintenance_status(ctx, **session)) {
        const bool on = status->value("enabled", false);
        if (on != maintenance_.by_operator()) {
            maintenance_.set_by_operator(on);
            log_.info("config", "maintenance was switched by an operator", {{"enabled", on}});
        }
    }
    if (const auto open = service::forced_breakers(ctx, **session)) {
        counted_.breakers_seen(*open);
    }
    if (const auto queued = storage::count_runs(ctx, **session, domain::RunState::queued)) {
        counted_.jobs_seen(*queued, runs_.running());
    }
}

/// On the watcher's thread, once a second.
void Service::look_around() {
    look_at_settings();
    if (++looks_ % 2 == 0) {
        look_at_store();
    }
    if (clock_.now() - health_checked_ >= settings().http.health_interval) {
        health_checked_ = clock_.now();
        check_database();
    }
}

/// On the loop of the process, four times a second; never waits.
void Service::go_round() {
    board_.beat();
    const LoadShare share = load_.look();
    // Over about a second: what is over at once is no load.
    cpu_ += (share.cpu - cpu_) / 2;
    admission_.observe({.cpu = cpu_, .memory = share.memory, .waiting = pool_.waiting()});
}

Status Service::offer_bootstrap() {
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(10));
    LAB_TRY(const auto session, platform_->sessions().acquire(ctx));
    LAB_TRY(const auto token, platform_->identity().offer_bootstrap(ctx, *session));
    if (token) {
        // Not through the log, which hides what looks like a secret: this one is for whoever
        // started the process, once.
        std::fprintf(
            stderr,
            "There is no user yet. Make the first administrator within the hour, either here with\n"
            "  llm-research admin create-user --email YOU@EXAMPLE.ORG --role Admin\n"
            "or over HTTP, POST /auth/bootstrap with bootstrap_token: %s\n",
            token->c_str()
        );
    }
    return ok();
}

void Service::drain() {
    board_.drain();
    log_.info("server", "shutting down: no new requests");
    server_->drain(kDrainRequests);
    runs_.stop(kDrainRuns);
    pool_.stop();
    static_cast<void>(audit_.stop(kDrainAudit));
    metrics_server_->drain(std::chrono::milliseconds(500));
    log_.info("server", "stopped");
    log_.close(std::chrono::seconds(1));
}

Result<int> Service::run(const cli::ServeOptions& options) {
    for (const std::string& warning : settings().warnings) {
        log_.warn("config", warning);
    }
    platform_->deps().report_cache = &cache_;
    LAB_CHECK(build_routes());
    watch_health();
    LAB_CHECK(listen());
    if (options.worker) {
        LAB_CHECK(runs_.start());
    }
    LAB_CHECK(offer_bootstrap());
    log_.info(
        "server",
        "serving",
        {{"port", server_->port()},
         {"metrics_port", metrics_server_->port()},
         {"environment", settings().general.environment},
         {"version", version()}}
    );
    Program& program = platform_->program();
    Executor& loop = program.loop();
    handle_interrupts(loop, [&] { program.deps().stop_loop(); });
    // The loop of this thread does what comes round; what may hang is the watcher's.
    std::function<void()> beat;
    TimePoint swept = clock_.now();
    sweep();
    int beats = 0;
    beat = [&] {
        go_round();
        if (clock_.now() - swept >= std::chrono::hours(1)) {
            swept = clock_.now();
            sweep();
        }
        if (++beats % 4 == 0 && !looking_.exchange(true)) {
            watcher_.submit([this] {
                look_around();
                looking_ = false;
            });
        }
        loop.call_at(clock_.now() + std::chrono::milliseconds(250), beat);
    };
    loop.post(beat);
    program.deps().run_loop();
    handle_interrupts(loop, nullptr);
    drain();
    return 0;
}

}  // namespace

Result<int> serve(
    const Settings& settings, const EnvLookup& env, const cli::ServeOptions& options
) {
    EnvLookup with_options = [&](const std::string& name) -> std::optional<std::string> {
        if (name == "SERVER_PORT" && options.port) {
            return std::to_string(*options.port);
        }
        if (name == "SERVER_HOST" && options.host) {
            return options.host;
        }
        return env(name);
    };
    LAB_TRY(ServerSettings server, load_server_settings(with_options, process_environment_names()));
    Observation observation(server.telemetry);
    const Observers observers{
        .service = &observation.service,
        .statements = &observation.service,
        .calls = &observation.service,
    };
    LAB_TRY(auto platform, Platform::open(settings, std::move(server), env, observers));
    Service service(observation, std::move(platform));
    return service.run(options);
}

}  // namespace lab::app
