#pragma once
#include "base/executor.h"

#include <memory>

namespace lab {

/// The real Executor: one thread, timers, posted work, and (for platform/http) socket readiness on
/// an Asio io_context. run() returns after stop(), or when nothing is left to do.
class EventLoop final : public Executor {
  public:
    explicit EventLoop(const Clock& clock);
    ~EventLoop() override;
    void post(Work work) override;
    TimerId call_at(TimePoint when, Work work) override;
    void cancel_timer(TimerId id) override;
    const Clock& clock() const override;
    /// Runs until stop() is called (any thread).
    void run();
    void stop();
    /// For platform/http/client_curl.cpp alone.
    struct Native;
    Native& native() { return *native_; }

  private:
    std::unique_ptr<Native> native_;
};

}  // namespace lab
