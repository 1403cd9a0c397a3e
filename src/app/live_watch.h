#pragma once
#include "platform/config/server_settings.h"
#include "platform/kubernetes/config_map_watch.h"
#include "platform/process/worker.h"
#include "platform/telemetry/telemetry.h"

#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace lab::app {

/// The ConfigMap of the cluster, followed on a thread of its own from open() to stop(). Outside a
/// cluster nothing happens.
class LiveWatch {
  public:
    using Changed = kubernetes::ConfigMapWatch::Changed;
    /// Both outlive it.
    LiveWatch(const Clock& clock, Logger& log);
    ~LiveWatch();
    LiveWatch(const LiveWatch&) = delete;
    LiveWatch& operator=(const LiveWatch&) = delete;

    /// `changed`: called on the thread of the watch.
    void open(const KubernetesSettings& settings, std::string user_agent, Changed changed);
    void stop();
    /// Whether changes are told at this moment.
    bool is_watching() const;

  private:
    void tell(const Status& status);

    const Clock& clock_;
    Logger& log_;
    std::string name_;  ///< empty: nothing is watched
    CancelToken stopping_;
    mutable std::mutex mutex_;
    std::optional<std::string> problem_;  ///< guarded by mutex_; none: it was not asked yet
    std::unique_ptr<kubernetes::ConfigMapWatch> watch_;
    std::optional<ThreadWorker> worker_;  ///< the last: it uses everything
};

}  // namespace lab::app
