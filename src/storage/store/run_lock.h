#pragma once
#include "base/result.h"

#include <string>

namespace lab::storage {

/// One process works on a run: an flock on <folder>/<run id>.lock, released by the operating system
/// when the process dies, however it dies.
class RunLock {
  public:
    /// Makes the folder when missing. Errors: conflict, naming the process that holds it; io.
    static Result<RunLock> acquire(const std::string& folder, const std::string& run_id);
    RunLock(RunLock&& other) noexcept;
    RunLock& operator=(RunLock&&) = delete;
    ~RunLock();

  private:
    RunLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    int fd_ = -1;
    std::string path_;
};

}  // namespace lab::storage
