#include "app/live_watch.h"

#include <utility>

namespace lab::app {

LiveWatch::LiveWatch(const Clock& clock, Logger& log) : clock_(clock), log_(log) {}

LiveWatch::~LiveWatch() { stop(); }

void LiveWatch::open(const KubernetesSettings& settings, std::string user_agent, Changed changed) {
    if (settings.host.empty() || settings.config_map == kNoConfigMap) {
        return;
    }
    name_ = settings.config_map;
    watch_ = std::make_unique<kubernetes::ConfigMapWatch>(
        clock_,
        kubernetes::WatchOptions{
            .url = kubernetes::api_server_url(settings.host, settings.port),
            .account_folder = settings.account_folder,
            .name = name_,
            .user_agent = std::move(user_agent),
            .seed = entropy(),
        },
        std::move(changed),
        [this](const Status& status) { tell(status); }
    );
    worker_.emplace();
    worker_->submit([this] { watch_->run(Ctx(clock_, stopping_)); });
}

void LiveWatch::stop() { stopping_.cancel(CancelReason::shutdown); }

/// Once for each problem, and once when it is over.
void LiveWatch::tell(const Status& status) {
    std::string words = status ? "" : status.error().message;
    {
        const std::scoped_lock lock(mutex_);
        if (problem_ == words) {
            return;
        }
        problem_ = words;
    }
    if (status) {
        log_.info("config", "the ConfigMap is watched: changes count at once", {{"name", name_}});
    } else {
        log_.warn(
            "config",
            "the ConfigMap is not watched: " + words,
            {{"name", name_}, {"cause", status.error().cause}}
        );
    }
}

bool LiveWatch::is_watching() const {
    const std::scoped_lock lock(mutex_);
    return problem_ && problem_->empty();
}

}  // namespace lab::app
