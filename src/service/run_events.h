#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::service {

/// One thing that happened in a run, as server-sent events tell it.
struct RunEvent {
    std::int64_t number = 0;  ///< 1.. per run
    std::string type;         ///< progress, sample_failed, state, done; or RunEvents::kGoing
    std::string data;         ///< JSON
};

/// Tells listeners what happens in runs: in those of this process, and what others tell of theirs.
/// Keeps the last few for those who come back. Any thread.
class RunEvents {
  public:
    using Listener = std::function<void(const RunEvent&)>;
    static constexpr std::size_t kKeptMax = 64;
    static constexpr std::size_t kClosedMax = 256;
    /// Not of the run: this process tells nothing more, another goes on behind this number.
    static constexpr std::string_view kGoing = "going";

    void publish(const std::string& run, std::string type, std::string data);
    /// First what was kept behind `after`, then what comes, on the publisher's thread.
    std::uint64_t subscribe(const std::string& run, std::int64_t after, Listener listener);
    void unsubscribe(const std::string& run, std::uint64_t id);
    /// Numbers that another process has given are not given again.
    void go_on_behind(const std::string& run, std::int64_t number);
    /// What another process has told, under its number; what is known already is left out.
    void relay(const std::string& run, RunEvent event);
    /// Of what is kept, that with a number > `after`.
    std::vector<RunEvent> since(const std::string& run, std::int64_t after) const;
    /// Runs that somebody listens to, with the last number of each. At most `count_max`.
    std::vector<std::pair<std::string, std::int64_t>> listened(std::size_t count_max) const;
    /// The run is over: what was kept stays for those who come just now, until many others are
    /// over.
    void close(const std::string& run);
    /// Tells every listener kGoing, and at once whoever comes later.
    void end();

  private:
    struct Channel {
        std::int64_t last = 0;
        std::vector<RunEvent> kept;
        std::map<std::uint64_t, Listener> listeners;
    };
    static void tell(Channel& channel, RunEvent event);
    mutable std::mutex mutex_;
    std::map<std::string, Channel> channels_;
    std::deque<std::string> closed_;
    std::uint64_t last_id_ = 0;
    bool ended_ = false;
};

}  // namespace lab::service
