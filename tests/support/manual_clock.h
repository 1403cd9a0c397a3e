#pragma once
#include "base/clock.h"

#include <atomic>

namespace lab::test {

/// Stands still until told to move. Thread-safe.
class ManualClock final : public Clock {
  public:
    TimePoint now() const override { return TimePoint(Duration(nanos_.load())); }
    WallTime wall() const override {
        return WallTime(std::chrono::microseconds(1'700'000'000'000'000 + nanos_.load() / 1000));
    }
    void advance(Duration by) { nanos_ += by.count(); }

  private:
    std::atomic<std::int64_t> nanos_{1'000'000'000};
};

}  // namespace lab::test
