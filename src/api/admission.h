#pragma once
#include "api/route.h"

#include <atomic>
#include <cstddef>

namespace lab::api {

/// How much there is to do; shares are of what the process may use.
struct Load {
    double cpu = 0;
    double memory = 0;
    std::size_t waiting = 0;  ///< requests that wait for a thread
};

/// Whether there is room for one more request, by who goes first: background work is refused from
/// the limits on, normal work when more waits than may, or memory is about to run out; critical
/// work (health, operators, logging in) never. Processors that are busy alone refuse no normal
/// work: that is what they are for, as long as nobody waits long. Any thread.
class Admission {
  public:
    struct Limits {
        double cpu_max = 0.85;
        double memory_max = 0.90;
        std::size_t waiting_max = 1000;
        /// What has waited longer is not begun any more: whoever asked has given up by then.
        Duration wait_max = std::chrono::seconds(5);
    };
    explicit Admission(Limits limits) : limits_(limits) {}

    /// Several times a second.
    void observe(const Load& load);
    bool admits(Priority priority) const;
    /// Whether work is still worth while after it waited for a thread.
    bool is_fresh(Priority priority, Duration waited) const;

  private:
    const Limits limits_;
    std::atomic<bool> refuses_background_ = false;
    std::atomic<bool> refuses_normal_ = false;
};

/// "critical", "normal", "background"
std::string_view to_string(Priority priority);

}  // namespace lab::api
