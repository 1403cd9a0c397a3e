#pragma once
#include "base/ctx.h"

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

/// What stands between a login and those who try passwords.
namespace lab::service {

/// Counts failures of each account from each network. An attempt counts from its beginning, so
/// that many at once are no way around. Any thread.
class LoginThrottle {
  public:
    LoginThrottle(
        const Clock& clock, std::size_t failures_max, Duration window, std::size_t entries_max
    );

    /// nullopt: go on; exactly one of the next three follows. Else how long to wait.
    std::optional<Duration> begin(const std::string& who);
    /// All is forgiven.
    void succeeded(const std::string& who);
    /// true: it was the last for now.
    bool failed(const std::string& who);
    /// Nobody looked at the password.
    void undecided(const std::string& who);
    std::size_t size() const;

  private:
    struct Entry {
        std::string who;
        std::deque<TimePoint> attempts;  ///< oldest first
    };
    using Entries = std::list<Entry>;
    const Clock& clock_;
    const std::size_t failures_max_;
    const Duration window_;
    const std::size_t entries_max_;
    mutable std::mutex mutex_;
    Entries entries_;  ///< seen last first
    std::unordered_map<std::string_view, Entries::iterator> by_who_;
};

/// Lets few at a time hash passwords, because each takes 64 MiB and a core, and a few more wait.
/// Any thread.
class HashGate {
  public:
    /// Holds a place as long as it lives.
    class Pass {
      public:
        explicit Pass(HashGate& gate) : gate_(&gate) {}
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass();

      private:
        HashGate* gate_;
    };
    HashGate(int at_once_max, int waiting_max)
        : at_once_max_(at_once_max), waiting_max_(waiting_max) {}
    /// Errors: unavailable when too many wait already, or none came free in a few seconds; those of
    /// the Ctx.
    Result<Pass> enter(const Ctx& ctx);

  private:
    const int at_once_max_;
    const int waiting_max_;
    std::mutex mutex_;
    std::condition_variable freed_;
    int inside_ = 0;
    int waiting_ = 0;
};

}  // namespace lab::service
