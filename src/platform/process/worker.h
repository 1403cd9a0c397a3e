#pragma once
#include "base/executor.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace lab {

/// The real Worker: one thread. The destructor runs what was submitted and joins.
class ThreadWorker final : public Worker {
  public:
    ThreadWorker();
    ~ThreadWorker() override;
    void submit(Executor::Work work) override;

  private:
    void run();
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Executor::Work> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace lab
