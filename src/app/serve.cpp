#include "app/serve.h"

#include "api/openapi.h"
#include "api/routes.h"
#include "app/access_log.h"
#include "app/interrupts.h"
#include "app/listener.h"
#include "app/route_audit.h"
#include "app/server_process.h"
#include "app/tracing.h"
#include "app/unused_settings.h"
#include "platform/telemetry/process_metrics.h"
#include "service/object_sweep.h"
#include "service/run_reports.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>

namespace lab::app {
namespace {

/// After SIGTERM: what is in flight, the runs, the audit log; together less than 14 seconds, which
/// is what is left of a pod's 30 behind the hook that lets balancers notice.
constexpr Duration kDrainRequests = std::chrono::seconds(6);
constexpr Duration kDrainRuns = std::chrono::seconds(4);
constexpr Duration kDrainAudit = std::chrono::seconds(2);
constexpr Duration kDrainTraces = std::chrono::milliseconds(300);
/// Where passwords are tried: so many requests a second from one address.
constexpr double kLoginRate = 1;
constexpr double kLoginBurst = 20;

service::TextCache::Options cache_options(const CacheSettings& settings) {
    service::TextCache::Options out;
    out.entries_max = settings.enabled ? static_cast<std::size_t>(settings.entries_max) : 0;
    out.lifetime = settings.lifetime;
    return out;
}

/// Requests to an embedded store keep a processor busy, those to a server mostly wait for it. Never
/// fewer than three: oidc.cpp may keep two.
std::size_t request_threads(const ServerSettings& settings) {
    std::int64_t threads = settings.http.threads;
    if (threads == 0 && settings.embedded()) {
        const auto processors = static_cast<std::int64_t>(read_process_limits().processors);
        threads = std::min<std::int64_t>(processors + 1, 16);
    } else if (threads == 0) {
        threads = std::min<std::int64_t>(settings.database.connections_max, 32);
    }
    return static_cast<std::size_t>(std::max<std::int64_t>(threads, 3));
}

}  // namespace

ServerProcess::ServerProcess(Observation& observation, std::unique_ptr<Platform> platform)
    : platform_(std::move(platform)),
      log_(observation.log),
      metrics_(observation.metrics),
      counted_(observation.service),
      tracer_(observation.tracer.get()),
      shared_(clock_),
      live_(settings(), settings().general.live_folder),
      live_values_(live_values(settings())),
      load_(clock_, read_process_limits()),
      admission_({
          .cpu_max = settings().http.overload_cpu,
          .memory_max = settings().http.overload_memory,
          .waiting_max = queue_max(),
      }),
      board_(clock_, std::string(version())),
      pool_({.threads = request_threads(settings()), .queue_max = queue_max()}),
      audit_(audit_worker_, platform_->sessions(), clock_, uuids_),
      limiter_(rate_config(), clock_),
      login_limiter_(
          {.requests_per_second = kLoginRate,
           .burst = kLoginBurst,
           .anonymous_share = 1,
           .name = "login"},
          clock_
      ),
      maintenance_(settings().general.maintenance),
      cache_(cache_options(settings().cache), clock_),
      runs_(
          platform_->deps(),
          run_workers(),
          run_watcher_,
          [this] { return platform_->make_runner(); },
          events_,
          [this] { return maintenance_.on(); },
          {.lease = settings().worker.lease, .tracer = tracer_}
      ),
      analytics_(clock_, log_, metrics_),
      live_watch_(clock_, log_) {}

/// So many runs at once.
std::vector<Worker*> ServerProcess::run_workers() {
    std::vector<Worker*> out;
    for (std::int64_t i = 0; i < settings().worker.runs; ++i) {
        out.push_back(&run_workers_.emplace_back());
    }
    return out;
}

/// Whoever sends signals has to be silent before what they reach is gone.
ServerProcess::~ServerProcess() { shared_.deafen(); }

service::RateDecision ServerProcess::check_rate(
    const service::Caller& caller, api::LimitClass limit
) {
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

void ServerProcess::served(const api::Served& served) {
    if (served.status == info(Code::unauthorized).http_status) {
        counted_.auth_failed(served.cause);
    }
    log_request(log_, served);
    const bool is_change = served.method != "GET" && served.method != "HEAD";
    if (is_change && served.status < 300 && served.path.starts_with("/admin/")) {
        shared_.send({storage::Signal::What::switches, ""});
    }
}

api::ApplicationDeps ServerProcess::application_deps() {
    api::ApplicationDeps deps;
    deps.clock = &clock_;
    deps.uuids = &uuids_;
    deps.trace_ids = &trace_ids_;
    deps.tracer = tracer_;
    deps.service = &platform_->deps();
    deps.sessions = &platform_->sessions();
    deps.copies = platform_->copies();
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

Status ServerProcess::build_routes() {
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
        .signing = platform_->signing(),
        .public_url = origin_of(settings().http),
        .link_life =
            std::chrono::duration_cast<std::chrono::seconds>(settings().objects.presigned_lifetime),
        .oidc = oidc_.get(),
        .cache =
            {.warm = [this] { return warm_cache(); },
             .clear =
                 [this] {
                     const std::size_t cleared = cache_.clear();
                     shared_.send({storage::Signal::What::cache, ""});
                     return cleared;
                 }},
        .facts = analytics_.is_configured() ? &analytics_ : nullptr,
    });
    document_ = dump_json(api::openapi_document(routes, version()));
    LAB_TRY(auto router, api::Router::make(std::move(routes)));
    const HttpSettings& http = settings().http;
    api::ApplicationOptions options{
        .request_timeout = http.request_timeout,
        .json_bytes_max = static_cast<std::size_t>(http.json_bytes_max),
        .json_depth_max = static_cast<int>(http.json_depth_max),
        .body_bytes_max = static_cast<std::size_t>(http.request_mebibytes_max) << 20U,
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
bool ServerProcess::warm_cache() {
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
void ServerProcess::sweep() {
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

Status ServerProcess::listen() {
    const HttpSettings& http = settings().http;
    http::ServerOptions options = server_options(http);
    certificate_time_ = certificate_time(http);
    if (options_.api) {
        LAB_TRY(server_, http::Server::start(clock_, options, *application_));
    }
    http::ServerOptions metrics = options;
    metrics.certificate_file.clear();  // scraped from within
    metrics.key_file.clear();
    metrics.port = static_cast<std::uint16_t>(http.metrics_port);
    metrics.threads = 1;
    LAB_TRY(metrics_server_, http::Server::start(clock_, metrics, *metrics_application_));
    collect_gauges();
    add_process_metrics(metrics_, {.version = std::string(version()), .revision = {}});
    pusher_ = make_pusher(settings(), clock_, log_, metrics_);
    return ok();
}

Status ServerProcess::offer_bootstrap() {
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

void ServerProcess::drain() {
    board_.drain();
    secrets_end_.cancel(CancelReason::shutdown);
    live_watch_.stop();
    log_.info("server", "shutting down: no new requests");
    application_->end_refusals();
    events_.end();
    // Shorter when the operator wants it so.
    const Duration all = kDrainRequests + kDrainRuns + kDrainAudit;
    const double share = std::min(
        1.0,
        std::chrono::duration<double>(settings().http.shutdown_timeout) /
            std::chrono::duration<double>(all)
    );
    const auto part = [&](Duration whole) {
        return std::chrono::duration_cast<Duration>(whole * share);
    };
    if (server_) {
        server_->drain(part(kDrainRequests));
    }
    runs_.stop(part(kDrainRuns));
    analytics_.stop();
    pool_.stop();
    if (tracer_ != nullptr) {
        tracer_->close_soon();  // beside what follows
    }
    if (pusher_) {
        pusher_->close_soon();
    }
    static_cast<void>(audit_.stop(part(kDrainAudit)));
    metrics_server_->drain(std::chrono::milliseconds(500));
    if (tracer_ != nullptr) {
        tracer_->close(kDrainTraces);
    }
    if (pusher_) {
        pusher_->close(kDrainTraces);
    }
    log_.info("server", "stopped");
    log_.close(std::chrono::seconds(1));
}

Result<int> ServerProcess::run(const cli::ServeOptions& options) {
    for (const std::string& warning : settings().warnings) {
        log_.warn("config", warning);
    }
    for (const std::string& unused : unused_settings(settings())) {
        log_.warn("config", unused);
    }
    platform_->deps().report_cache = &cache_;
    LAB_CHECK(open_shared());
    analytics_.open(
        settings().analytics,
        platform_->deps(),
        platform_->database(),
        "llm-research/" + std::string(version())
    );
    LAB_CHECK(build_routes());
    platform_->secrets().serve();
    secrets_asked_ = clock_.now();
    watch_health();
    watch_settings();
    options_ = options;
    Program& program = platform_->program();
    Executor& loop = program.loop();
    // Before anybody can see that it is ready. Process 1 of a container would not even end by a
    // signal that comes earlier than its handler, and any other would end without answering what it
    // has taken on.
    handle_interrupts(loop, [&] { program.deps().stop_loop(); });
    LAB_CHECK(listen());
    if (options.worker) {
        LAB_CHECK(runs_.start());
    } else {
        runs_.listen();
    }
    if (server_) {
        LAB_CHECK(offer_bootstrap());
    }
    log_.info(
        "server",
        server_ ? "serving" : "working",
        {{"port", server_ ? LogValue(server_->port()) : LogValue(nullptr)},
         {"metrics_port", metrics_server_->port()},
         {"environment", settings().general.environment},
         {"version", version()}}
    );
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
        ask_for_secrets();
        loop.call_at(clock_.now() + std::chrono::milliseconds(250), beat);
    };
    loop.post(beat);
    program.deps().run_loop();
    handle_interrupts(loop, nullptr);
    drain();
    return 0;
}

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
    LAB_TRY(Configuration configuration, read_configuration(with_options));
    LAB_CHECK(check_usable(configuration.settings));
    Observation observation(configuration.settings);
    const Observers observers{
        .service = &observation.service,
        .statements = &observation.service,
        .calls = &observation.service,
    };
    LAB_TRY(auto platform, Platform::open(settings, std::move(configuration), env, observers));
    ServerProcess process(observation, std::move(platform));
    return process.run(options);
}

}  // namespace lab::app
