#include "app/listener.h"
#include "app/server_process.h"
#include "platform/telemetry/telemetry.h"
#include "service/breakers.h"
#include "service/idempotency.h"
#include "storage/store/run_counts.h"

#include <nlohmann/json.hpp>

#include <algorithm>

// What the process looks at again and again while it serves: its load, its store, what operators
// changed; and what it shows of itself.
namespace lab::app {

using api::ComponentHealth;

/// What is measured when somebody asks.
void ServerProcess::collect_gauges() {
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
                         &watched = metrics_.gauge(
                             "live_config_watched", "1 while changes of the ConfigMap are told"
                         ),
                         &running = metrics_.gauge("experiments_running", "Runs under way")] {
        const storage::SessionPoolStats pool = platform_->sessions().stats();
        active.set(static_cast<double>(pool.active));
        idle.set(static_cast<double>(pool.idle));
        most.set(static_cast<double>(pool.max));
        waiters.set(static_cast<double>(pool.waiters));
        in_flight.set(static_cast<double>(listener_stats().in_flight));
        rate.set(http_metrics_->per_second());
        mode.set(maintenance_.on() ? 1 : 0);
        watched.set(live_watch_.is_watching() ? 1 : 0);
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
        if (shared_.is_configured()) {
            counted_.cache_seen(
                "reports_shared", {.hits = reports.shared_hits, .misses = reports.shared_misses}
            );
        }
    });
}

void ServerProcess::set_health(ComponentHealth component) {
    if (component.status != ComponentHealth::Status::disabled) {
        counted_.health_checked(component);
    }
    board_.set(std::move(component));
}

void ServerProcess::check_database() {
    const TimePoint begun = clock_.now();
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(3));
    ComponentHealth database{.name = "database", .critical = true};
    const bool tended = platform_->sessions().tend(ctx).has_value();
    const auto session = platform_->sessions().acquire(ctx);
    bool good = tended && session && platform_->identity().maintain(ctx, **session);
    if (good) {
        const service::Caller nobody;
        good = service::purge_idempotent({ctx, platform_->deps(), **session, nobody}).has_value();
    }
    database.status = good ? ComponentHealth::Status::healthy : ComponentHealth::Status::unhealthy;
    database.message = good ? "" : "the database does not answer";
    database.latency = clock_.now() - begun;
    database_is_good_ = good;
    set_health(std::move(database));
}

/// Without it only what needs its objects fails, so it is not critical.
void ServerProcess::check_storage() {
    storage::ObjectStore* const objects = platform_->object_store();
    if (objects == nullptr) {
        set_health({.name = "storage", .status = ComponentHealth::Status::disabled});
        return;
    }
    const TimePoint begun = clock_.now();
    const Status usable = objects->check(Ctx(clock_).within(std::chrono::seconds(3)));
    ComponentHealth storage{.name = "storage", .critical = false};
    storage.status = usable ? ComponentHealth::Status::healthy : ComponentHealth::Status::unhealthy;
    storage.message = usable ? "" : usable.error().message;
    storage.latency = clock_.now() - begun;
    if (storage.message != std::exchange(storage_problem_, storage.message)) {
        if (usable) {
            log_.info("s3", "the object store can be used again");
        } else {
            log_.error("s3", storage.message, {{"cause", usable.error().cause}});
        }
    }
    set_health(std::move(storage));
}

/// Redis, when there is one, before anybody asks.
Status ServerProcess::open_shared() {
    LAB_CHECK(shared_.open(settings().cache, version()));
    if (!shared_.is_configured()) {
        return ok();
    }
    limiter_.share(*shared_.buckets());
    login_limiter_.share(*shared_.buckets());
    if (storage::Texts* const texts = shared_.texts()) {
        cache_.share(*texts);
    }
    platform_->identity().on_forgotten([this](const storage::Signal& signal) {
        shared_.send(signal);
    });
    shared_.listen([this](const storage::Signal* signal) { heard(signal); });
    return ok();
}

/// What another process, or this one, has changed. The store says how it is now; on the thread of
/// Redis, which must not wait.
void ServerProcess::heard(const storage::Signal* signal) {
    using What = storage::Signal::What;
    if (signal == nullptr || signal->what == What::switches) {
        runs_.wake();
        if (!look_wanted_.exchange(true)) {
            watcher_.submit([this] {
                look_wanted_ = false;
                static_cast<void>(look_at_store());  // the next look says what is wrong
                check_shared();
            });
        }
    } else if (signal->what == What::cache) {
        static_cast<void>(cache_.clear_here());
    } else {
        platform_->identity().forget(*signal);
    }
}

/// Redis: what is lost with it is noticed within a second, and told once.
void ServerProcess::check_shared() {
    if (!shared_.is_configured()) {
        return;
    }
    const Shared::Health now = shared_.look();
    const bool is_due = clock_.now() - health_checked_ >= settings().http.health_interval;
    if (shared_health_ == now && !is_due) {
        return;
    }
    if (shared_health_ != now) {
        counted_.link_seen("redis", now != Shared::Health::away);
        const auto words = Shared::message(now);
        if (now == Shared::Health::good) {
            log_.info("redis", "connection is good: limits are shared");
        } else {
            log_.warn("redis", words, {{"connection", shared_.trouble()}});
        }
        shared_health_ = now;
    }
    set_health(shared_.component(now));
}

/// ClickHouse: only what is asked of it is slower without it.
void ServerProcess::check_analytics() {
    const ComponentHealth now = analytics_.component();
    if (now.status != ComponentHealth::Status::disabled && analytics_problem_ != now.message) {
        counted_.link_seen("clickhouse", now.message.empty());
    } else if (analytics_problem_ == now.message) {
        return;
    }
    analytics_problem_ = now.message;
    set_health(now);
}

/// For /health/detailed.
Json ServerProcess::details() const {
    const storage::SessionPoolStats database = platform_->sessions().stats();
    const http::ServerStats listener = listener_stats();
    Json out = {
        {"pools",
         {{"database",
           {{"active", database.active},
            {"idle", database.idle},
            {"max", database.max},
            {"waiting", database.waiters}}},
          {"threads", {{"waiting", pool_.waiting()}, {"waiting_max", queue_max()}}},
          {"connections", {{"open", listener.connections}, {"requests", listener.in_flight}}},
          {"runs", {{"active", runs_.running()}, {"max", run_workers_.size()}}}}},
        {"versions", {{"program", version()}, {"build", build_words()}}},
    };
    if (shared_.is_configured()) {
        Json& redis = out["pools"]["redis"] = shared_.counts();
        redis["limited_alone"] = limiter_.alone() + login_limiter_.alone();
    }
    return out;
}

void ServerProcess::watch_health() {
    board_.set_details([this] { return details(); });
    using Health = ComponentHealth::Status;
    set_health({.name = "auth", .critical = true, .status = Health::healthy});
    set_health({.name = "migrations", .critical = true, .status = Health::healthy});
    set_health({.name = "cache", .critical = false, .status = Health::disabled});
    check_shared();
    check_analytics();
    set_health({.name = "workers", .critical = false, .status = Health::healthy});
    check_database();
    check_storage();
    health_checked_ = clock_.now();
    look_at_settings();
    static_cast<void>(look_at_store());  // whether it can be read was checked before
    board_.started();
}

/// In a cluster changes are told, and seen at once.
void ServerProcess::watch_settings() {
    live_watch_.open(
        settings().kubernetes,
        "llm-research/" + std::string(version()),
        [this](const kubernetes::ConfigMapValues& values) {
            live_.publish(values);
            look_at_settings();  // not behind what the watcher waits for
        }
    );
}

/// What is said now of the settings that may change.
void ServerProcess::look_at_settings() {
    const std::scoped_lock lock(settings_mutex_);
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
    platform_->resize_sessions(now->database);
    const Json before = std::exchange(live_values_, live_values(*now));
    if (before == live_values_) {
        return;  // that is what counts already
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

/// A certificate that was renewed is used for new connections.
void ServerProcess::look_at_certificate() {
    const auto written = certificate_time(settings().http);
    if (!server_ || written == certificate_time_) {
        return;
    }
    certificate_time_ = written;
    if (const Status read = server_->reload_certificate(); !read) {
        log_.error(
            "server", "the new certificate is not used", {{"problem", read.error().message}}
        );
    } else {
        log_.info("server", "the certificate was renewed");
    }
}

/// What other processes and operators wrote: maintenance, breakers; and how many runs wait. What
/// cannot be read goes on counting as it was seen last.
Status ServerProcess::look_at_store() {
    const Ctx ctx = Ctx(clock_).within(std::chrono::seconds(2));
    LAB_TRY(const auto session, platform_->sessions().acquire(ctx));
    LAB_TRY(const auto status, service::maintenance_status(ctx, *session));
    const bool on = status.value("enabled", false);
    if (on != maintenance_.by_operator()) {
        maintenance_.set_by_operator(on);
        log_.info("config", "maintenance was switched by an operator", {{"enabled", on}});
    }
    LAB_TRY(const auto open, service::forced_breakers(ctx, *session));
    counted_.breakers_seen(open);
    shared_.set_paused(std::ranges::find(open, "redis") != open.end());
    platform_->secrets().set_paused(std::ranges::find(open, "secrets") != open.end());
    analytics_.set_paused(std::ranges::find(open, "clickhouse") != open.end());
    LAB_TRY(
        const std::int64_t queued, storage::count_runs(ctx, *session, domain::RunState::queued)
    );
    counted_.jobs_seen(queued, runs_.running());
    return ok();
}

/// On the loop: when it is time to ask, or when a rotated secret is known everywhere by now.
void ServerProcess::ask_for_secrets() {
    if (platform_->secrets().named().empty() || asking_.exchange(true)) {
        return;
    }
    const bool is_due = clock_.now() - secrets_asked_ >= settings().secrets.refresh_interval;
    if (is_due) {
        secrets_asked_ = clock_.now();
    }
    secrets_worker_.submit([this, is_due] {
        if (is_due && !platform_->secrets().is_paused()) {
            refresh_secrets();
        }
        if (const auto taken = platform_->take_secrets(); !taken) {
            log_.error("secrets", "a secret is not used", {{"problem", taken.error().message}});
        } else if (*taken) {
            log_.info("secrets", "rotated secrets are in use");
        }
        asking_ = false;
    });
}

/// What settings keep in the secrets service, asked for again; what cannot be had stays.
void ServerProcess::refresh_secrets() {
    constexpr Duration kWait = std::chrono::seconds(20);
    static constexpr std::string_view kLive[] = {"JWT_SECRET", "API_KEY_SECRET", "ADMIN_KEY"};
    const Duration interval = settings().secrets.refresh_interval;
    NamedSecrets::Changes found = platform_->secrets().named().refresh(
        Ctx(clock_, secrets_end_).within(kWait), interval + interval / 2
    );
    if (secrets_end_.cancelled()) {
        return;
    }
    counted_.secrets_asked(found.problems.empty());
    counted_.link_seen("secrets", found.problems.empty());
    for (const std::string& key : found.keys) {
        counted_.secret_rotated(key);
        const bool is_live = std::ranges::find(kLive, key) != std::end(kLive) ||
                             settings().providers.keys.contains(key);
        log_.info(
            "secrets",
            is_live ? "a secret was rotated"
                    : "a secret was rotated: it counts from the next start on",
            {{"setting", key}}
        );
    }
    if (found.problems == std::exchange(secret_problems_, found.problems)) {
        return;
    }
    for (const Detail& problem : found.problems) {
        log_.error(
            "secrets",
            "a secret cannot be asked for: its last good value stays",
            {{"setting", problem.field}, {"problem", problem.message}}
        );
    }
    if (found.problems.empty()) {
        log_.info("secrets", "the secrets service can be used again");
    }
}

/// On the watcher's thread, once a second.
void ServerProcess::look_around() {
    look_at_settings();
    look_at_certificate();
    check_shared();
    check_analytics();
    look_at_health();
}

/// Servers are checked now and then, at once when one gave no answer, and again and again until it
/// does.
void ServerProcess::look_at_health() {
    const bool is_due = clock_.now() - health_checked_ >= settings().http.health_interval;
    if (is_due) {
        health_checked_ = clock_.now();
    }
    const bool in_turn = ++looks_ % 2 == 0;
    const bool was_refused = in_turn && database_is_good_ && !look_at_store();
    if (is_due || was_refused || !database_is_good_) {
        check_database();
    }
    storage::ObjectStore* const objects = platform_->object_store();
    const bool was_bad = !storage_problem_.empty();
    const bool is_silent = objects != nullptr && objects->is_silent();
    if (is_due || is_silent || was_bad) {
        check_storage();
    }
}

/// On the loop of the process, four times a second; never waits.
void ServerProcess::go_round() {
    board_.beat();
    const LoadShare share = load_.look();
    // Over about a second: what is over at once is no load.
    cpu_ += (share.cpu - cpu_) / 2;
    admission_.observe({.cpu = cpu_, .memory = share.memory, .waiting = pool_.waiting()});
    application_->look_at_refusals();
    analytics_.tick();
}

}  // namespace lab::app
