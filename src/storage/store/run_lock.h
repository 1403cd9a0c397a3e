#pragma once
#include "base/result.h"

#include <string>

namespace lab::storage {

/// One process works on a run: an flock on <folder>/<run id>.lock, released by the operating system
/// when the process dies, however it dies.
class RunLock {
  public:
    /// Errors: conflict, naming the process that holds it.
    static Result<RunLock> acquire(const std::string& folder, const std::string& run_id);
    RunLock(RunLock&& other) noexcept;
    RunLock& operator=(RunLock&&) = delete;
    ~RunLock();

  private:
    explicit RunLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace lab::storage
