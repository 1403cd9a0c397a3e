#pragma once
#include "base/clock.h"

#include <string>

namespace lab {

/// How much of what a process may use it uses.
struct LoadShare {
    double cpu = 0;     ///< 0..1 of the processors it may use, since the last look
    double memory = 0;  ///< 0..1 of the memory it may use: resident bytes
};

/// What limits a process: the least of its control groups (cgroup v2: cpu.max, memory.max; v1:
/// cpu.cfs_quota_us, memory.limit_in_bytes), its processors and the machine's memory.
struct ProcessLimits {
    double processors = 1;
    double memory_bytes = 0;
};
/// `root`: before /proc and /sys; not empty in tests.
ProcessLimits read_process_limits(const std::string& root = "");

/// Looks at this process. One thread.
class ProcessLoad {
  public:
    ProcessLoad(const Clock& clock, ProcessLimits limits);
    LoadShare look();

  private:
    const Clock& clock_;
    const ProcessLimits limits_;
    TimePoint looked_at_;
    double cpu_seconds_;
};

}  // namespace lab
