#pragma once
#include "api/route.h"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace lab::api {

/// How something the service stands on is.
struct ComponentHealth {
    enum class Status : std::uint8_t { healthy, degraded, unhealthy, disabled };
    std::string name;
    bool critical = false;
    Status status = Status::disabled;
    std::string message;  ///< never names hosts, users or secrets
    Duration latency{};
    std::string last_check;
};

/// What is known of the service's health. Checks write it in the background, probes only read it:
/// they answer at once whatever hangs. Any thread.
class HealthBoard {
  public:
    HealthBoard(const Clock& clock, std::string version);
    void set(ComponentHealth component);
    /// What operators are shown beside it: pools and versions. Before anybody asks.
    void set_details(std::function<Json()> details) { details_ = std::move(details); }
    /// From now on nothing new is taken: ready says 503.
    void drain() { draining_ = true; }
    void started() { started_ = true; }
    /// Called by the heart of the process; live says 503 when it has not beaten for long.
    void beat();

    bool is_live() const;
    bool has_started() const { return started_; }
    /// healthy, degraded or unhealthy; whether traffic may come.
    std::pair<std::string_view, bool> overall() const;
    Json ready_json(bool with_messages) const;
    /// ready_json() with messages and details.
    Json detailed_json() const;

  private:
    const Clock& clock_;
    std::string version_;
    TimePoint begun_;
    std::function<Json()> details_;
    std::atomic<bool> draining_ = false;
    std::atomic<bool> started_ = false;
    std::atomic<std::int64_t> last_beat_ns_;
    mutable std::mutex mutex_;
    std::vector<ComponentHealth> components_;
};

/// /health and what is below it, and /metrics.
std::vector<Route> health_routes(HealthBoard& board, std::function<std::string()> metrics_text);

}  // namespace lab::api
