#include "platform/telemetry/process_load.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>

namespace lab {
namespace {

std::string line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

/// "max 100000" or "50000 100000": processors of a quota.
std::optional<double> quota(const std::string& line) {
    std::istringstream words(line);
    std::string most;
    std::string period;
    words >> most >> period;
    const auto used = number(most);
    const auto of = number(period);
    return used && of && *used > 0 && *of > 0 ? std::optional(*used / *of) : std::nullopt;
}

double cpu_seconds_now() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double resident_bytes() {
    std::istringstream words(line_of("/proc/self/statm"));
    double size = 0;
    double resident = 0;
    words >> size >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double processors_of_machine() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void take(ProcessLimits& limits, std::optional<double> cpu, std::optional<double> memory) {
    if (cpu) {
        limits.processors = std::min(limits.processors, *cpu);
    }
    if (memory && *memory > 0) {
        limits.memory_bytes = std::min(limits.memory_bytes, *memory);
    }
}

}  // namespace

ProcessLimits read_process_limits(const std::string& root) {
    ProcessLimits out;
    out.processors = processors_of_machine();
    out.memory_bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<double>(::sysconf(_SC_PAGESIZE));
    const std::string groups = root + "/sys/fs/cgroup";
    // v2 writes one line, "0::/path"; within a container the path is that of its own root.
    std::string path = line_of(root + "/proc/self/cgroup");
    path = path.starts_with("0::") ? path.substr(3) : "";
    for (int depth = 0; depth < 32; ++depth) {
        const std::string group = groups + (path == "/" ? "" : path);
        take(out, quota(line_of(group + "/cpu.max")), number(line_of(group + "/memory.max")));
        if (path.empty() || path == "/") {
            break;
        }
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
    const std::string v1 = groups + "/cpu";
    take(
        out,
        quota(line_of(v1 + "/cpu.cfs_quota_us") + " " + line_of(v1 + "/cpu.cfs_period_us")),
        number(line_of(groups + "/memory/memory.limit_in_bytes"))
    );
    return out;
}

ProcessLoad::ProcessLoad(const Clock& clock, ProcessLimits limits)
    : clock_(clock), limits_(limits), looked_at_(clock.now()), cpu_seconds_(cpu_seconds_now()) {}

LoadShare ProcessLoad::look() {
    const TimePoint now = clock_.now();
    const double cpu = cpu_seconds_now();
    const double passed = std::chrono::duration<double>(now - looked_at_).count();
    LoadShare out;
    if (passed > 0 && limits_.processors > 0) {
        out.cpu = std::clamp((cpu - cpu_seconds_) / passed / limits_.processors, 0.0, 1.0);
    }
    if (limits_.memory_bytes > 0) {
        out.memory = std::clamp(resident_bytes() / limits_.memory_bytes, 0.0, 1.0);
    }
    looked_at_ = now;
    cpu_seconds_ = cpu;
    return out;
}

}  // namespace lab
