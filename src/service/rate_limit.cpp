#include "service/rate_limit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace lab::service {
namespace {

constexpr Duration kHour = std::chrono::hours(1);

std::int64_t whole_seconds_up(Duration time) {
    return std::chrono::ceil<std::chrono::seconds>(time).count();
}

/// A duration of so many seconds, rounded up, within what a Duration can hold.
Duration duration_of(double seconds) {
    constexpr double kMax = 1e9;
    return Duration(static_cast<std::int64_t>(std::ceil(std::min(seconds, kMax) * 1e9)));
}

/// A window as it stands after the decision.
struct Window {
    std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    std::int64_t remaining = std::numeric_limits<std::int64_t>::max();
    Duration wait{};   ///< until it allows one; zero when it does
    Duration reset{};  ///< until it is whole again
};

Window bucket_window(const storage::BucketAsk& ask, const storage::BucketState& state) {
    Window out;
    out.limit = static_cast<std::int64_t>(ask.capacity);
    out.remaining =
        static_cast<std::int64_t>(std::max(0.0, state.tokens + storage::kTokenRounding));
    out.reset = duration_of((ask.capacity - state.tokens) / ask.rate);
    if (state.tokens < 1 - storage::kTokenRounding) {
        out.wait = duration_of((1 - state.tokens) / ask.rate);
    }
    return out;
}

Window hour_window(const storage::BucketAsk& ask, const storage::BucketState& state) {
    if (ask.per_hour == 0) {
        return {};
    }
    Window out;
    out.limit = ask.per_hour;
    out.remaining = std::max<std::int64_t>(0, ask.per_hour - state.hour_used);
    out.reset = kHour - state.hour_age;
    out.wait = out.remaining > 0 ? Duration::zero() : out.reset;
    return out;
}

}  // namespace

RateLimiter::RateLimiter(RateLimitConfig config, const Clock& clock)
    : config_(std::move(config)),
      rate_(config_.requests_per_second),
      burst_(config_.burst),
      clock_(clock),
      local_(clock, config_.principals_max) {
    LAB_ASSERT(
        config_.requests_per_second > 0 && config_.burst >= 1 && config_.anonymous_share > 0,
        "limits let something through"
    );
}

void RateLimiter::set_rate(double requests_per_second, double burst) {
    LAB_ASSERT(requests_per_second > 0 && burst >= 1, "limits let something through");
    rate_ = requests_per_second;
    burst_ = burst;
}

RateDecision RateLimiter::decide(const Caller& caller) {
    const bool is_anonymous = caller.kind == Caller::Kind::anonymous;
    return decide(principal_of(caller), caller.tier, is_anonymous);
}

RateDecision RateLimiter::decide(std::string_view principal, domain::Tier tier, bool is_anonymous) {
    if (tier == domain::Tier::unlimited && !is_anonymous) {
        return {.limited = false};
    }
    const domain::TierLimits limits = domain::limits_of(tier);
    const double share = is_anonymous ? config_.anonymous_share : 1;
    const double rate = rate_ * share;
    double capacity = burst_ * share;
    if (!is_anonymous && limits.burst > 0) {
        capacity = std::min(capacity, static_cast<double>(limits.burst));
    }
    capacity = std::max(1.0, std::floor(capacity));
    storage::BucketAsk ask{.principal = principal, .rate = rate, .capacity = capacity};
    ask.per_hour = is_anonymous ? 0 : std::max<std::int64_t>(0, limits.requests_per_hour);
    const storage::BucketState state = take(ask);
    RateDecision out;
    out.allowed = state.allowed;
    const Window bucket = bucket_window(ask, state);
    const Window hour = hour_window(ask, state);
    const bool hour_is_tighter =
        out.allowed ? hour.remaining < bucket.remaining : hour.wait > bucket.wait;
    const Window& told = hour_is_tighter ? hour : bucket;
    out.limit = told.limit;
    out.remaining = told.remaining;
    const WallTime reset = clock_.wall() + std::chrono::ceil<std::chrono::microseconds>(told.reset);
    out.reset_unix_s = std::chrono::ceil<std::chrono::seconds>(reset.time_since_epoch()).count();
    if (!out.allowed) {
        out.retry_after_s =
            std::max<std::int64_t>(1, whole_seconds_up(std::max(bucket.wait, hour.wait)));
    }
    return out;
}

/// The shared buckets decide, and those of this process follow; alone it goes on with its own.
storage::BucketState RateLimiter::take(const storage::BucketAsk& ask) {
    if (shared_ != nullptr) {
        const std::string name = config_.name + ":" + std::string(ask.principal);
        storage::BucketAsk shared = ask;
        shared.principal = name;
        shared.owed = local_.take_owed(ask.principal);
        if (const auto state = shared_->take(shared)) {
            local_.follow(ask, *state);
            return *state;
        }
        local_.give_back(ask.principal, shared.owed);
        ++alone_;
    }
    const auto state = local_.take(ask);
    LAB_ASSERT(state, "memory does not fail");
    return *state;
}

std::string principal_of(const Caller& caller) {
    switch (caller.kind) {
        case Caller::Kind::anonymous:
            return "ip:" + network_of(caller.ip);
        case Caller::Kind::user:
            return "user:" + caller.user_id;
        case Caller::Kind::api_key:
            return "key:" + caller.key_id;
        case Caller::Kind::admin_key:
            return "admin";
        case Caller::Kind::local:
            return "local";
    }
    LAB_ASSERT(false, "a caller is of one kind");
}

std::string network_of(std::string_view ip) {
    const std::string text(ip);
    in6_addr address{};
    if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        return text;
    }
    std::array<char, INET6_ADDRSTRLEN> out{};
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        ::inet_ntop(AF_INET, &address.s6_addr[12], out.data(), out.size());
        return out.data();
    }
    std::memset(&address.s6_addr[8], 0, 8);
    ::inet_ntop(AF_INET6, &address, out.data(), out.size());
    return std::string(out.data()) + "/64";
}

Error rate_limit_error(const RateDecision& decision) {
    const std::string seconds = std::to_string(decision.retry_after_s);
    return {
        Code::rate_limited,
        "too many requests, try again in " + seconds + " s",
        {{"retry_after", seconds},
         {"limit", std::to_string(decision.limit)},
         {"remaining", std::to_string(decision.remaining)},
         {"reset_at", std::to_string(decision.reset_unix_s)}}
    };
}

}  // namespace lab::service
