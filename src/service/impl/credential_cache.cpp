#include "service/impl/credential_cache.h"

#include <algorithm>

namespace lab::service {

CredentialCache::CredentialCache(const Clock& clock, Duration life, std::size_t entries_max)
    : clock_(clock), life_(life), entries_max_(std::max<std::size_t>(1, entries_max)) {}

std::optional<Caller> CredentialCache::find(std::string_view digest) {
    const std::lock_guard lock(mutex_);
    const auto found = by_digest_.find(digest);
    if (found == by_digest_.end() || found->second->until <= clock_.now()) {
        ++counted_.misses;
        return std::nullopt;
    }
    ++counted_.hits;
    return found->second->caller;
}

std::uint64_t CredentialCache::generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
}

void CredentialCache::put(
    std::string digest, Caller caller, std::string family, Duration life, std::uint64_t generation
) {
    const std::lock_guard lock(mutex_);
    if (generation != generation_ || life <= Duration::zero()) {
        return;
    }
    if (const auto found = by_digest_.find(digest); found != by_digest_.end()) {
        const auto entry = found->second;
        by_digest_.erase(found);
        entries_.erase(entry);
    }
    if (entries_.size() >= entries_max_) {
        by_digest_.erase(entries_.front().digest);
        entries_.pop_front();
        ++counted_.evictions;
    }
    const TimePoint until = clock_.now() + std::min(life, life_);
    entries_.push_back({std::move(digest), std::move(caller), std::move(family), until});
    const auto last = std::prev(entries_.end());
    by_digest_.emplace(last->digest, last);
}

template <class Matches>
void CredentialCache::forget(const Matches& matches) {
    const std::lock_guard lock(mutex_);
    ++generation_;
    for (auto at = entries_.begin(); at != entries_.end();) {
        if (matches(*at)) {
            by_digest_.erase(at->digest);
            at = entries_.erase(at);
        } else {
            ++at;
        }
    }
}

void CredentialCache::forget_user(std::string_view user_id) {
    forget([&](const Entry& entry) { return entry.caller.user_id == user_id; });
}

void CredentialCache::forget_key(std::string_view key_id) {
    forget([&](const Entry& entry) { return entry.caller.key_id == key_id; });
}

void CredentialCache::forget_login(std::string_view family) {
    forget([&](const Entry& entry) { return entry.family == family; });
}

CacheStats CredentialCache::stats() const {
    const std::lock_guard lock(mutex_);
    CacheStats out = counted_;
    out.size = entries_.size();
    return out;
}

std::size_t CredentialCache::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace lab::service
