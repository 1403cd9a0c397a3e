#pragma once
#include "platform/http/server.h"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

namespace lab::api {

/// Answers to those who came when there was too much to do. Many clients ask again the moment they
/// are refused, whatever Retry-After says, and refusing them would take the time of the work that
/// was taken on: an answer waits so long that a connection asks no more than ten times a second.
/// Any thread.
class HeldRefusals {
  public:
    static constexpr Duration kHold = std::chrono::milliseconds(100);
    /// More than so many do not wait: the oldest go out.
    static constexpr std::size_t kHeldMax = 4096;

    void hold(TimePoint now, std::shared_ptr<http::Exchange> exchange, http::Response response);
    /// Sends those that have waited.
    void release(TimePoint now);
    /// Sends all; from now on nothing waits.
    void end();

  private:
    struct Held {
        TimePoint until;
        std::shared_ptr<http::Exchange> exchange;
        http::Response response;
    };
    std::mutex mutex_;
    std::deque<Held> held_;  ///< the oldest first
    bool ended_ = false;
    std::atomic<TimePoint> next_ = TimePoint::max();  ///< when the oldest has waited
};

}  // namespace lab::api
