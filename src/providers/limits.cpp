#include "providers/limits.h"

#include <algorithm>
#include <cmath>

namespace lab::providers {
namespace {

constexpr double kNanosecondsPerMinute = 60e9;
/// Overloads in a window that are too many, as a share of its answers.
constexpr double kOverloadShare = 1.0 / 7;
/// A window has at least so many answers, or one failure of two would be half of them.
constexpr int kWindowMin = 8;

}  // namespace

TokenBucket::TokenBucket(double per_minute, double burst)
    : per_nanosecond_(per_minute / kNanosecondsPerMinute), burst_(burst), level_(burst) {}

double TokenBucket::level_at(TimePoint now) const {
    if (now <= updated_) {
        return level_;
    }
    const auto passed = static_cast<double>((now - updated_).count());
    return std::min(burst_, level_ + passed * per_nanosecond_);
}

TimePoint TokenBucket::ready_at(double units, TimePoint now) const {
    const double missing = std::min(units, burst_) - level_at(now);
    if (missing <= 0) {
        return now;
    }
    return now + Duration(static_cast<Duration::rep>(std::ceil(missing / per_nanosecond_)));
}

void TokenBucket::take(double units, TimePoint now) {
    level_ = level_at(now) - units;
    updated_ = std::max(updated_, now);
}

void TokenBucket::correct(double units, TimePoint now) {
    level_ = std::min(burst_, level_at(now) + units);
    updated_ = std::max(updated_, now);
}

void TokenBucket::learn(double remaining, TimePoint now) {
    level_ = std::min(level_at(now), remaining);
    updated_ = std::max(updated_, now);
}

void TokenBucket::set_rate(double per_minute, double burst, TimePoint now) {
    level_ = std::min(level_at(now), burst);
    updated_ = std::max(updated_, now);
    burst_ = burst;
    per_nanosecond_ = per_minute / kNanosecondsPerMinute;
}

AdaptiveConcurrency::AdaptiveConcurrency(int maximum)
    : maximum_(std::max(1, maximum)), limit_(maximum_) {}

void AdaptiveConcurrency::on_success() {
    ++answers_;
    close_window();
}

void AdaptiveConcurrency::on_overload() {
    ++answers_;
    ++overloads_;
    close_window();
}

void AdaptiveConcurrency::close_window() {
    if (answers_ < std::max(kWindowMin, limit_)) {
        return;
    }
    const double share = static_cast<double>(overloads_) / answers_;
    if (share > kOverloadShare) {
        limit_ = std::max(1, static_cast<int>(limit_ * std::max(0.5, 1 - share)));
    } else if (limit_ < maximum_) {
        ++limit_;
    }
    answers_ = 0;
    overloads_ = 0;
}

}  // namespace lab::providers
