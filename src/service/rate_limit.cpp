#include "service/rate_limit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <mutex>
#include <unordered_map>

namespace lab::service {
namespace {

constexpr std::size_t kShards = 16;
constexpr Duration kHour = std::chrono::hours(1);
/// What a sum of parts of a token may lack of a whole one by rounding.
constexpr double kRounding = 1e-9;

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

std::int64_t whole_seconds_up(Duration time) {
    return std::chrono::ceil<std::chrono::seconds>(time).count();
}

/// A duration of so many seconds, rounded up, within what a Duration can hold.
Duration duration_of(double seconds) {
    constexpr double kMax = 1e9;
    return Duration(static_cast<std::int64_t>(std::ceil(std::min(seconds, kMax) * 1e9)));
}

struct Entry {
    std::string principal;
    double tokens = 0;
    TimePoint filled_at;  ///< when `tokens` was right
    TimePoint hour_began;
    std::int64_t hour_used = 0;
};

/// A window as it stands after the decision.
struct Window {
    std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    std::int64_t remaining = std::numeric_limits<std::int64_t>::max();
    Duration wait{};   ///< until it allows one; zero when it does
    Duration reset{};  ///< until it is whole again
};

Window bucket_window(const Entry& entry, double capacity, double rate) {
    Window out;
    out.limit = static_cast<std::int64_t>(capacity);
    out.remaining = static_cast<std::int64_t>(std::max(0.0, entry.tokens + kRounding));
    out.reset = duration_of((capacity - entry.tokens) / rate);
    if (entry.tokens < 1 - kRounding) {
        out.wait = duration_of((1 - entry.tokens) / rate);
    }
    return out;
}

Window hour_window(const Entry& entry, std::int64_t limit, TimePoint now) {
    Window out;
    out.limit = limit;
    out.remaining = std::max<std::int64_t>(0, limit - entry.hour_used);
    out.reset = entry.hour_began + kHour - now;
    out.wait = out.remaining > 0 ? Duration::zero() : out.reset;
    return out;
}

}  // namespace

struct RateLimiter::Shard {
    using Entries = std::list<Entry>;
    std::mutex mutex;
    Entries entries;  ///< seen last first
    std::unordered_map<std::string_view, Entries::iterator> by_principal;

    /// The entry of a principal, a fresh one if need be; the stalest makes way.
    Entry& touch(std::string_view principal, double capacity, TimePoint now, std::size_t max) {
        if (const auto found = by_principal.find(principal); found != by_principal.end()) {
            entries.splice(entries.begin(), entries, found->second);
            return entries.front();
        }
        if (entries.size() >= max) {
            by_principal.erase(entries.back().principal);
            entries.pop_back();
        }
        entries.push_front({std::string(principal), capacity, now, now, 0});
        by_principal.emplace(entries.front().principal, entries.begin());
        return entries.front();
    }
};

RateLimiter::RateLimiter(RateLimitConfig config, const Clock& clock)
    : config_(config),
      rate_(config.requests_per_second),
      burst_(config.burst),
      clock_(clock),
      per_shard_max_(std::max<std::size_t>(1, config.principals_max / kShards)),
      shards_(std::make_unique<Shard[]>(kShards)) {
    LAB_ASSERT(
        config.requests_per_second > 0 && config.burst >= 1 && config.anonymous_share > 0,
        "limits let something through"
    );
}

RateLimiter::~RateLimiter() = default;

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
    const bool has_hour = !is_anonymous && limits.requests_per_hour > 0;

    Shard& shard = shards_[std::hash<std::string_view>{}(principal) % kShards];
    const std::lock_guard lock(shard.mutex);
    // Asked for under the lock: time never runs backwards for an entry.
    const TimePoint now = clock_.now();
    Entry& entry = shard.touch(principal, capacity, now, per_shard_max_);
    entry.tokens = std::min(capacity, entry.tokens + seconds_of(now - entry.filled_at) * rate);
    entry.filled_at = now;
    if (now - entry.hour_began >= kHour) {
        entry.hour_began = now;
        entry.hour_used = 0;
    }
    RateDecision out;
    const bool hour_is_open = !has_hour || entry.hour_used < limits.requests_per_hour;
    out.allowed = entry.tokens >= 1 - kRounding && hour_is_open;
    if (out.allowed) {
        entry.tokens -= 1;
        ++entry.hour_used;
    }
    const Window bucket = bucket_window(entry, capacity, rate);
    const Window hour = has_hour ? hour_window(entry, limits.requests_per_hour, now) : Window{};
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

std::size_t RateLimiter::size() const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < kShards; ++i) {
        const std::lock_guard lock(shards_[i].mutex);
        out += shards_[i].entries.size();
    }
    return out;
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
