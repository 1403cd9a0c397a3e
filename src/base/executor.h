#pragma once
#include "base/clock.h"

#include <cstdint>
#include <functional>

namespace lab {

/// One thread's event loop, as the engine and the providers see it. The real one is
/// platform/process/event_loop.h; tests drive a manual one with their own clock.
class Executor {
  public:
    using Work = std::move_only_function<void()>;
    using TimerId = std::uint64_t;
    virtual ~Executor() = default;
    /// Runs `work` on the loop's thread, later, in order. Any thread.
    virtual void post(Work work) = 0;
    /// Runs `work` at `when` or soon after. Loop thread only.
    virtual TimerId call_at(TimePoint when, Work work) = 0;
    /// No effect when the timer has run or never was. Loop thread only.
    virtual void cancel_timer(TimerId id) = 0;
    virtual const Clock& clock() const = 0;
};

/// One background thread that runs what it is given, in order; for blocking work (the database,
/// scoring). The real one is platform/process/worker.h. Any thread may submit.
class Worker {
  public:
    virtual ~Worker() = default;
    virtual void submit(Executor::Work work) = 0;
};

}  // namespace lab
