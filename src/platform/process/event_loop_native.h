#pragma once
#include "platform/process/event_loop.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <limits>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace lab {

/// What an EventLoop is made of. Heavy header: only event_loop.cpp,
/// platform/http/client_curl.cpp and platform/redis/impl/connection.cpp include it.
struct EventLoop::Native {
    explicit Native(const Clock& loop_clock) : clock(loop_clock), alarm(io) {}

    struct Due {
        TimePoint when;
        TimerId id;
        /// For a heap with the earliest on top; timers of one moment run in the order they were
        /// set.
        bool operator<(const Due& other) const {
            return when != other.when ? when > other.when : id > other.id;
        }
    };

    void run_posted();
    void run_due_timers();
    void arm_alarm();

    const Clock& clock;
    boost::asio::io_context io{1};
    boost::asio::steady_timer alarm;
    TimePoint alarm_at = TimePoint::max();  ///< when `alarm` rings; max = not set

    std::vector<Due> heap;  ///< cancelled timers stay until they come up
    std::unordered_map<TimerId, Work> timers;
    TimerId last_timer = 0;

    std::mutex mutex;
    std::vector<Work> posted;     ///< under mutex
    bool drain_queued = false;    ///< under mutex
    std::vector<Work> being_run;  ///< kept for its capacity
};

}  // namespace lab
