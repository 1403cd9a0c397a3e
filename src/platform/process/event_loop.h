#pragma once
#include "base/executor.h"

#include <memory>

namespace lab {

/// The real Executor: one thread, timers, posted work, and (for platform/http) socket readiness on
/// an Asio io_context. Whoever calls run() is the loop's thread until run() returns.
class EventLoop final : public Executor {
  public:
    explicit EventLoop(const Clock& clock);
    /// Work that has not run is destroyed, not run.
    ~EventLoop() override;
    void post(Work work) override;
    TimerId call_at(TimePoint when, Work work) override;
    void cancel_timer(TimerId id) override;
    const Clock& clock() const override;
    /// Runs until stop() is called (any thread), also while there is nothing to do: another thread
    /// may be about to post. A stop() before run() makes it return at once. May be called again.
    void run();
    void stop();
    /// For platform/http/client_curl.cpp and platform/redis/impl/connection.cpp alone.
    struct Native;
    Native& native() { return *native_; }

  private:
    std::unique_ptr<Native> native_;
};

}  // namespace lab
