#pragma once
#include "base/rng.h"
#include "platform/http/blocking.h"
#include "platform/kubernetes/account.h"
#include "platform/kubernetes/config_map_events.h"

#include <functional>
#include <memory>
#include <string>

namespace lab::kubernetes {

struct WatchOptions {
    std::string url;             ///< of the API server
    std::string account_folder;  ///< see account.h
    std::string name;            ///< of the ConfigMap, in the namespace of the account
    std::string user_agent;
    std::uint64_t seed = 0;  ///< of the jitter
    Duration connect_timeout = std::chrono::seconds(5);
    Duration list_timeout = std::chrono::seconds(10);
    /// How long one watch is asked for. A connection that died without a word is noticed at its
    /// end.
    Duration watch_time = std::chrono::seconds(30);
    Duration pause_min = std::chrono::milliseconds(200);  ///< after a failure; doubles
    Duration pause_max = std::chrono::seconds(2);
    Duration refused_pause = std::chrono::seconds(30);  ///< when the account may not, or is none
};

/// Follows one ConfigMap. Source: Kubernetes API concepts, "Efficient detection of changes".
class ConfigMapWatch {
  public:
    /// All values, after each list and each change; none when the ConfigMap is not there. Told the
    /// same ones again and again.
    using Changed = std::function<void(ConfigMapValues values)>;
    /// Whether it is followed at this moment. A stream that breaks and is at once replaced is no
    /// news. Told the same again and again. Errors: not_found: no account; unauthorized and
    /// forbidden, as the API server says; unavailable; upstream_error.
    using Told = std::function<void(const Status& status)>;

    /// `clock` outlives it.
    ConfigMapWatch(const Clock& clock, WatchOptions options, Changed changed, Told told);

    /// Until `ctx` ends; both functions are called on this thread.
    void run(const Ctx& ctx);

  private:
    struct Step {
        Status status;
        bool lasted = false;   ///< of a watch: it was there for a while
        Duration wait_min{0};  ///< what the API server asked for
    };
    Step list(const Ctx& ctx);
    Step watch(const Ctx& ctx);
    Result<http::Answer> call(
        const Ctx& ctx,
        const std::string& query,
        Duration total,
        std::size_t bytes_max,
        const http::BlockingClient::Sink& sink
    );
    Status judge(const http::Answer& answer);
    bool take(const WatchEvent& event, Status& status);
    Duration pause_after(const Step& step);
    void tell(const Step& step, bool was_watch);

    const Clock& clock_;
    const WatchOptions options_;
    const Account account_;
    const Changed changed_;
    const Told told_;
    Rng rng_;
    std::unique_ptr<http::BlockingClient> client_;
    std::string version_;  ///< empty: to be listed first
    std::string namespace_;
    int failures_ = 0;           ///< one after the other
    bool watch_is_bad_ = false;  ///< lists work and watches do not
};

}  // namespace lab::kubernetes
