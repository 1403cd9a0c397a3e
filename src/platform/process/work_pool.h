#pragma once
#include "base/executor.h"

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace lab {

/// A few threads for blocking work that others wait for, with queues of bounded length: what cannot
/// begin soon is refused at once, so that its asker can say so. Any thread may submit.
class WorkPool {
  public:
    /// Who goes first. Critical work is refused last and never waits behind the others.
    enum class Priority : std::uint8_t { critical, normal, background };
    struct Options {
        std::size_t threads = 4;
        std::size_t queue_max = 1000;  ///< waiting pieces of each priority; half for background
    };
    explicit WorkPool(Options options);
    /// As stop().
    ~WorkPool();
    WorkPool(const WorkPool&) = delete;
    WorkPool& operator=(const WorkPool&) = delete;

    /// false: the queue is full, or the pool has stopped; `work` is untouched then.
    bool submit(Priority priority, Executor::Work&& work);
    /// Refuses new work, runs what was accepted, joins.
    void stop();
    std::size_t waiting() const;

  private:
    void run();
    std::size_t waiting_locked() const;
    const Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::array<std::deque<Executor::Work>, 3> queues_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace lab
