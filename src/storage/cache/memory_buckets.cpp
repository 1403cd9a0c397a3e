#include "storage/cache/memory_buckets.h"

#include <algorithm>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

namespace lab::storage {
namespace {

constexpr std::size_t kShards = 16;
constexpr Duration kHour = std::chrono::hours(1);
constexpr Duration kOwedMax = std::chrono::seconds(1);

struct Entry {
    std::string principal;
    double tokens = 0;
    TimePoint filled_at;  ///< when `tokens` was right
    TimePoint hour_began;
    std::int64_t hour_used = 0;
    std::int64_t owed = 0;
    TimePoint owed_since;
};

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

struct MemoryBuckets::Shard {
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
        entries.push_front({std::string(principal), capacity, now, now, 0, 0, now});
        by_principal.emplace(entries.front().principal, entries.begin());
        return entries.front();
    }
};

MemoryBuckets::MemoryBuckets(const Clock& clock, std::size_t principals_max)
    : clock_(clock),
      per_shard_max_(std::max<std::size_t>(1, principals_max / kShards)),
      shards_(std::make_unique<Shard[]>(kShards)) {}

MemoryBuckets::~MemoryBuckets() = default;

MemoryBuckets::Shard& MemoryBuckets::shard_of(std::string_view principal) const {
    return shards_[std::hash<std::string_view>{}(principal) % kShards];
}

Result<BucketState> MemoryBuckets::take(const BucketAsk& ask) {
    Shard& shard = shard_of(ask.principal);
    const std::lock_guard lock(shard.mutex);
    // Asked for under the lock: time never runs backwards for an entry.
    const TimePoint now = clock_.now();
    Entry& entry = shard.touch(ask.principal, ask.capacity, now, per_shard_max_);
    const double refilled = entry.tokens + seconds_of(now - entry.filled_at) * ask.rate;
    entry.tokens = std::min(ask.capacity, refilled);
    entry.filled_at = now;
    if (now - entry.hour_began >= kHour) {
        entry.hour_began = now;
        entry.hour_used = 0;
    }
    if (ask.owed > 0) {
        entry.tokens = std::max(-ask.capacity, entry.tokens - static_cast<double>(ask.owed));
        entry.hour_used += ask.owed;
    }
    const bool hour_is_open = ask.per_hour == 0 || entry.hour_used < ask.per_hour;
    BucketState out;
    out.allowed = entry.tokens >= 1 - kTokenRounding && hour_is_open;
    if (out.allowed) {
        entry.tokens -= 1;
        ++entry.hour_used;
        if (entry.owed++ == 0) {
            entry.owed_since = now;
        }
    }
    out.tokens = entry.tokens;
    out.hour_used = entry.hour_used;
    out.hour_age = now - entry.hour_began;
    return out;
}

void MemoryBuckets::follow(const BucketAsk& ask, const BucketState& state) {
    Shard& shard = shard_of(ask.principal);
    const std::lock_guard lock(shard.mutex);
    const TimePoint now = clock_.now();
    Entry& entry = shard.touch(ask.principal, ask.capacity, now, per_shard_max_);
    entry.tokens = state.tokens;
    entry.filled_at = now;
    entry.hour_used = state.hour_used;
    entry.hour_began = now - state.hour_age;
}

std::int64_t MemoryBuckets::take_owed(std::string_view principal) {
    Shard& shard = shard_of(principal);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.by_principal.find(principal);
    if (found == shard.by_principal.end()) {
        return 0;
    }
    Entry& entry = *found->second;
    const bool is_recent = clock_.now() - entry.owed_since <= kOwedMax;
    return std::exchange(entry.owed, 0) * (is_recent ? 1 : 0);
}

void MemoryBuckets::give_back(std::string_view principal, std::int64_t owed) {
    if (owed == 0) {
        return;
    }
    Shard& shard = shard_of(principal);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.by_principal.find(principal); found != shard.by_principal.end()) {
        found->second->owed += owed;
    }
}

std::size_t MemoryBuckets::size() const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < kShards; ++i) {
        const std::lock_guard lock(shards_[i].mutex);
        out += shards_[i].entries.size();
    }
    return out;
}

}  // namespace lab::storage
