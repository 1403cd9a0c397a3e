#pragma once
#include "platform/telemetry/metrics.h"

namespace lab {

struct BuildInfo {
    std::string version;   ///< "1.2.3"
    std::string revision;  ///< of the source, may be empty
};

/// What Prometheus clients tell of their process, read when the metrics are:
/// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
/// process_open_fds, process_max_fds, process_threads, process_start_time_seconds; and build_info,
/// which is always 1. What the system does not tell (no /proc) is left out. `metrics` outlives
/// nothing but itself: there is no thread.
void add_process_metrics(Metrics& metrics, const BuildInfo& build);

}  // namespace lab
