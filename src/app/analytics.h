#pragma once
#include "api/health.h"
#include "platform/config/server_settings.h"
#include "platform/process/worker.h"
#include "platform/telemetry/telemetry.h"
#include "service/analytics.h"
#include "service/fact_shipper.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace lab::app {

/// ClickHouse, when there is one: is told what the outbox says on a thread of its own, and asked by
/// requests. Any thread, once it is open.
class Analytics final : public service::FactCopy {
  public:
    Analytics(const Clock& clock, Logger& log, Metrics& metrics);
    ~Analytics() override;

    /// Nothing is called before tick(). `database` and `deps` outlive it.
    void open(
        const AnalyticsSettings& settings,
        const service::Deps& deps,
        storage::Database& database,
        std::string user_agent
    );
    bool is_configured() const { return store_ != nullptr; }
    /// Now and then, never waits: begins to tell what waits, when it is time.
    void tick();
    /// Ends what is under way; another process may go on at once.
    void stop();
    void set_paused(bool paused) { paused_ = paused; }
    api::ComponentHealth component() const;

    storage::FactFigures* usable() override;
    Duration behind() const override;
    void failed(const Error& error) override;

  private:
    void ship();
    Status ship_once(const Ctx& ctx, service::FactShipper::Shipped& shipped);
    Result<storage::Session*> need_session(const Ctx& ctx);
    Status look_at_outbox(const Ctx& ctx, storage::Session& session);
    void tell(const Status& status);
    bool has_problem() const;

    const Clock& clock_;
    Logger& log_;
    Gauge& facts_waiting_;
    Gauge& entries_waiting_;
    Gauge& seconds_behind_;
    Counter& rows_sent_;
    Counter& failures_;
    storage::Database* database_ = nullptr;
    std::unique_ptr<storage::Session> session_;  ///< of the worker
    std::unique_ptr<storage::FactStore> store_;
    std::unique_ptr<service::FactShipper> shipper_;
    CancelToken stopping_;
    std::atomic<bool> paused_ = false;
    std::atomic<bool> shipping_ = false;
    std::atomic<Duration::rep> behind_ = 0;
    TimePoint next_{};          ///< of the worker while it works, else of the thread that ticks
    Duration pause_{0};         ///< of the worker: after a failure
    TimePoint checked_{};       ///< of the worker
    mutable std::mutex mutex_;  ///< guards what follows
    std::string problem_ = "ClickHouse was not asked yet";
    ThreadWorker worker_;  ///< the last: it uses everything
};

}  // namespace lab::app
