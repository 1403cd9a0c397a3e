#pragma once
#include "api/application.h"
#include "api/health.h"
#include "api/http_metrics.h"
#include "app/analytics.h"
#include "app/live_watch.h"
#include "app/observation.h"
#include "app/oidc.h"
#include "app/platform.h"
#include "app/shared.h"
#include "cli/cli.h"
#include "platform/config/live_settings.h"
#include "platform/otlp/metrics_pusher.h"
#include "platform/process/worker.h"
#include "platform/telemetry/process_load.h"
#include "service/audit.h"
#include "service/maintenance.h"
#include "service/rate_limit.h"
#include "service/run_queue.h"
#include "service/text_cache.h"

#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>

namespace lab::app {

/// The process that serves, built top-down and taken down in reverse.
class ServerProcess {
  public:
    ServerProcess(Observation& observation, std::unique_ptr<Platform> platform);
    ~ServerProcess();
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

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
    std::vector<Worker*> run_workers();
    Status build_routes();
    bool warm_cache();
    void sweep();
    Status listen();
    void collect_gauges();
    Status offer_bootstrap();
    Json details() const;
    void watch_health();
    void check_database();
    void check_storage();
    void check_shared();
    void check_analytics();
    Status open_shared();
    void heard(const storage::Signal* signal);
    void set_health(api::ComponentHealth component);
    void watch_settings();
    void look_at_settings();
    void look_at_certificate();
    /// Errors: of the store, which is then to be checked.
    Status look_at_store();
    void look_at_health();
    void ask_for_secrets();
    void refresh_secrets();
    void look_around();
    void go_round();
    void drain();
    service::RateDecision check_rate(const service::Caller& caller, api::LimitClass limit);
    void served(const api::Served& served);
    api::ApplicationDeps application_deps();

    http::ServerStats listener_stats() const {
        return server_ ? server_->stats() : http::ServerStats{};
    }

    cli::ServeOptions options_;
    SystemClock clock_;
    RandomUuids uuids_;
    RandomTraceIds trace_ids_;
    std::unique_ptr<Platform> platform_;
    Logger& log_;
    Metrics& metrics_;
    ServiceMetrics& counted_;
    Tracer* const tracer_;  ///< null: nobody traces
    Shared shared_;
    LiveSettings live_;
    std::mutex settings_mutex_;  ///< whoever looks at live_; guards live_values_
    Json live_values_;           ///< that count now
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
    std::deque<ThreadWorker> run_workers_;
    ThreadWorker run_watcher_;
    service::RunQueue runs_;
    Analytics analytics_;
    std::unique_ptr<service::OidcLogin> oidc_;
    std::string document_;
    std::unique_ptr<api::Application> application_;
    std::unique_ptr<api::Application> metrics_application_;
    std::unique_ptr<api::HttpMetrics> http_metrics_;
    std::unique_ptr<api::HttpMetrics> probe_metrics_;  ///< of metrics_application_
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Server> metrics_server_;
    std::atomic<bool> looking_ = false;
    std::atomic<bool> look_wanted_ = false;               ///< at the store, at once
    TimePoint health_checked_{};                          ///< of the watcher
    std::string storage_problem_;                         ///< of the watcher
    bool database_is_good_ = true;                        ///< of the watcher
    std::optional<Shared::Health> shared_health_;         ///< of the watcher
    std::optional<std::string> analytics_problem_;        ///< of the watcher
    std::filesystem::file_time_type certificate_time_{};  ///< of the watcher
    int looks_ = 0;                                       ///< of the watcher
    TimePoint secrets_asked_{};                           ///< of the loop
    std::atomic<bool> asking_ = false;                    ///< for secrets
    std::vector<Detail> secret_problems_;                 ///< of secrets_worker_
    CancelToken secrets_end_;                      ///< cancelled: nobody waits for secrets any more
    ThreadWorker secrets_worker_;                  ///< a service that hangs keeps nobody else
    ThreadWorker watcher_;                         ///< looks at what may hang: files, the store
    LiveWatch live_watch_;                         ///< looks at the settings when they change
    std::unique_ptr<otlp::MetricsPusher> pusher_;  ///< null: metrics are only fetched
};

}  // namespace lab::app
