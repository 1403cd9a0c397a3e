#include "platform/telemetry/process_metrics.h"

#include "base/text.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <ctime>
#include <fstream>
#include <mutex>
#include <optional>

namespace lab {
namespace {

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// Fields of /proc/self/stat from the third on (proc(5)): the second may contain anything.
class Stat {
  public:
    Stat() : line_(first_line("/proc/self/stat")) {
        const std::size_t name_end = line_.rfind(')');
        if (name_end != line_.npos && name_end + 2 < line_.size()) {
            fields_ = split(std::string_view(line_).substr(name_end + 2), ' ');
        }
    }
    /// Numbered as in proc(5).
    std::optional<double> get(std::size_t number) const {
        return number - 3 < fields_.size() ? parse_number(fields_[number - 3]) : std::nullopt;
    }

  private:
    std::string line_;
    std::vector<std::string_view> fields_;
};

std::optional<double> boot_time() {
    std::ifstream file("/proc/stat");
    constexpr std::string_view kName = "btime ";
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(kName)) {
            return parse_number(std::string_view(line).substr(kName.size()));
        }
    }
    return std::nullopt;
}

std::optional<double> count_open_files() {
    DIR* folder = opendir("/proc/self/fd");
    if (folder == nullptr) {
        return std::nullopt;
    }
    // Without ".", ".." and the folder itself.
    double count = -3;
    while (readdir(folder) != nullptr) {
        ++count;
    }
    closedir(folder);
    return count;
}

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Series {
    explicit Series(Metrics& metrics)
        : cpu(metrics.counter(
              "process_cpu_seconds_total", "Processor time used, user and system, in seconds."
          )) {}
    Counter& cpu;
    std::mutex mutex;  // two readers at once must not add the same time twice
};

void set_if(Metrics& metrics, const char* name, const char* help, std::optional<double> value) {
    if (value) {
        metrics.gauge(name, help).set(*value);
    }
}

void update(Metrics& metrics, Series& series) {
    {
        const std::lock_guard lock(series.mutex);
        series.cpu.add(cpu_seconds() - series.cpu.value());
    }
    const Stat stat;
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    std::optional<double> resident = stat.get(24);
    if (resident) {
        *resident *= page;
    }
    set_if(metrics, "process_resident_memory_bytes", "Memory in use, in bytes.", resident);
    set_if(metrics, "process_virtual_memory_bytes", "Address space, in bytes.", stat.get(23));
    set_if(metrics, "process_threads", "Threads of the process.", stat.get(20));
    set_if(metrics, "process_open_fds", "Open file descriptors.", count_open_files());
}

}  // namespace

void add_process_metrics(Metrics& metrics, const BuildInfo& build) {
    metrics.gauges("build_info", "Always 1; the labels say what runs.", {"version", "revision"}, 1)
        .with({build.version, build.revision})
        .set(1);
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
        set_if(
            metrics,
            "process_max_fds",
            "File descriptors that may be open.",
            static_cast<double>(files.rlim_cur)
        );
    }
    const Stat stat;
    const std::optional<double> booted = boot_time();
    const std::optional<double> started = stat.get(22);
    if (booted && started) {
        set_if(
            metrics,
            "process_start_time_seconds",
            "When the process started, in seconds since 1970.",
            *booted + *started / static_cast<double>(sysconf(_SC_CLK_TCK))
        );
    }
    const auto series = std::make_shared<Series>(metrics);
    metrics.on_collect([&metrics, series] { update(metrics, *series); });
    update(metrics, *series);
}

}  // namespace lab
