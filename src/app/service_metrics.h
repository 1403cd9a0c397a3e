#pragma once
#include "api/health.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/metrics.h"
#include "providers/observed.h"
#include "service/cache_stats.h"
#include "service/caller.h"
#include "service/observer.h"
#include "storage/store/observed.h"

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::app {

/// What the service counts beside HTTP: statements, calls of models, what the use cases did,
/// refusals. All families exist from the start, and their series where the values of labels are
/// known, so that a rate over them is a number. Any thread.
class ServiceMetrics final : public service::Observer,
                             public storage::StatementObserver,
                             public providers::CallObserver {
  public:
    /// Provider and model together; more are counted as "other".
    static constexpr std::size_t kModelsMax = 200;
    /// From here on a statement is slow, and logged.
    static constexpr Duration kSlowQuery = std::chrono::seconds(1);

    /// Both outlive it. `database`: what statements go to, as spans have it ("postgresql").
    ServiceMetrics(Metrics& metrics, Logger& log, std::string database = "sqlite");
    ~ServiceMetrics() override;

    // service::Observer
    void created(storage::ResourceKind kind) override;
    void experiment_ended(std::string_view status, Duration took) override;
    void run_ended(std::string_view status) override;
    void run_queued_again() override;
    void evaluations_processed(std::int64_t count) override;
    void dataset_uploaded(std::int64_t bytes) override;
    void breaker_refused(std::string_view service) override;
    void breakers_of_run(const std::string& run, const service::BreakerStates& states) override;
    // storage::StatementObserver
    storage::StatementMeter& meter(const storage::StatementKind& kind) override;
    void connection_failed(const Error& error) override;
    // providers::CallObserver
    void on_call(const providers::CallTold& call) override;

    /// A request that was refused for who sent it; `cause` is that of its error.
    void auth_failed(std::string_view cause);
    void rate_limited(const service::Caller& caller);
    /// `priority`: critical, normal or background.
    void load_shed(std::string_view priority);
    void health_checked(const api::ComponentHealth& component);
    /// Which breakers are forced open now.
    void breakers_seen(std::span<const std::string> open);
    /// Whether a server that this process uses can be used: "redis". An open breaker otherwise.
    void link_seen(const std::string& service, bool usable);
    /// The secrets service was asked for everything that settings keep there.
    void secrets_asked(bool good);
    /// `setting`: its name.
    void secret_rotated(std::string_view setting);
    /// The state of a cache, read when metrics are.
    void cache_seen(std::string_view name, const service::CacheStats& stats);
    void jobs_seen(std::int64_t queued, std::size_t running);

  private:
    class Meter;
    struct Families;
    std::unique_ptr<Families> families_;
    Logger& log_;
    const std::string database_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Meter>, std::less<>> meters_;
    /// Writes what the forced and the runs' own breakers come to; with the lock.
    void show_breakers();

    std::vector<std::string> open_;                          ///< forced
    std::map<std::string, service::BreakerStates> of_runs_;  ///< those that are not closed
    std::map<std::string, int, std::less<>> breakers_;       ///< as shown
    std::map<std::string, service::CacheStats, std::less<>> caches_;
};

/// The word of auth_failures_total for the cause of a refused credential.
std::string_view auth_reason(std::string_view cause);

}  // namespace lab::app
