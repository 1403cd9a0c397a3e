#include "service/impl/login_guard.h"

#include <algorithm>

namespace lab::service {
namespace {

constexpr Duration kWaitMax = std::chrono::seconds(5);
/// Between two looks at a deadline that may be of another clock.
constexpr Duration kLook = std::chrono::milliseconds(20);

}  // namespace

LoginThrottle::LoginThrottle(
    const Clock& clock, std::size_t failures_max, Duration window, std::size_t entries_max
)
    : clock_(clock),
      failures_max_(std::max<std::size_t>(1, failures_max)),
      window_(window),
      entries_max_(std::max<std::size_t>(1, entries_max)) {}

std::optional<Duration> LoginThrottle::begin(const std::string& who) {
    const std::lock_guard lock(mutex_);
    const TimePoint now = clock_.now();
    if (const auto found = by_who_.find(who); found != by_who_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
    } else {
        if (entries_.size() >= entries_max_) {
            by_who_.erase(entries_.back().who);
            entries_.pop_back();
        }
        entries_.push_front({who, {}});
        by_who_.emplace(entries_.front().who, entries_.begin());
    }
    auto& attempts = entries_.front().attempts;
    while (!attempts.empty() && now - attempts.front() >= window_) {
        attempts.pop_front();
    }
    if (attempts.size() >= failures_max_) {
        return attempts.front() + window_ - now;
    }
    attempts.push_back(now);
    return std::nullopt;
}

void LoginThrottle::succeeded(const std::string& who) {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_who_.find(who); found != by_who_.end()) {
        const auto entry = found->second;
        by_who_.erase(found);
        entries_.erase(entry);
    }
}

bool LoginThrottle::failed(const std::string& who) {
    const std::lock_guard lock(mutex_);
    const auto found = by_who_.find(who);
    return found != by_who_.end() && found->second->attempts.size() >= failures_max_;
}

void LoginThrottle::undecided(const std::string& who) {
    const std::lock_guard lock(mutex_);
    const auto found = by_who_.find(who);
    if (found != by_who_.end() && !found->second->attempts.empty()) {
        found->second->attempts.pop_back();
    }
}

std::size_t LoginThrottle::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

HashGate::Pass::~Pass() {
    if (gate_ != nullptr) {
        {
            const std::lock_guard lock(gate_->mutex_);
            --gate_->inside_;
        }
        gate_->freed_.notify_one();
    }
}

/// Waits in real time, so that it ends with any clock.
Result<HashGate::Pass> HashGate::enter(const Ctx& ctx) {
    const Error busy(Code::unavailable, "too many passwords are being checked, try again soon");
    std::unique_lock lock(mutex_);
    if (inside_ >= at_once_max_ && waiting_ >= waiting_max_) {
        return busy;
    }
    ++waiting_;
    Status status = ctx.check();
    for (Duration left = kWaitMax; status && inside_ >= at_once_max_; left -= kLook) {
        if (left <= Duration::zero()) {
            status = busy;
            break;
        }
        freed_.wait_for(lock, std::min({left, kLook, ctx.remaining()}));
        status = ctx.check();
    }
    --waiting_;
    LAB_CHECK(std::move(status));
    ++inside_;
    return Pass(*this);
}

}  // namespace lab::service
