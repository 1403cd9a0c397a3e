#include "base/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace lab {

TimePoint SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall() const {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()
    );
}

std::string format_rfc3339(WallTime time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto micros = static_cast<int>((time - seconds).count());
    const std::time_t t = static_cast<std::time_t>(seconds.time_since_epoch().count());
    std::tm parts{};
    ::gmtime_r(&t, &parts);
    std::array<char, 80> buffer{};
    std::snprintf(
        buffer.data(),
        buffer.size(),
        "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        micros
    );
    return buffer.data();
}

}  // namespace lab
