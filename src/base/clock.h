#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace lab {

using Duration = std::chrono::nanoseconds;
/// Monotonic time: for deadlines, latencies, rates. Never stored.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// Wall-clock time in microseconds since 1970, UTC: only for what people read. Never subtracted.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// Time is injected; only clock.cpp asks the machine. Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual TimePoint now() const = 0;
    virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
  public:
    TimePoint now() const override;
    WallTime wall() const override;
};

/// RFC 3339, UTC, microseconds, "Z".
std::string format_rfc3339(WallTime time);

}  // namespace lab
