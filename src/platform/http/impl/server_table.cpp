#include "platform/http/impl/server_table.h"

#include <algorithm>
#include <queue>
#include <tuple>

namespace lab::http {
namespace {

/// Choosing looks at every connection; under attack it must not do so for every newcomer.
constexpr std::size_t kRoomShare = 64;

}  // namespace

void ConnectionTable::Entry::count_incomplete(bool counts) {
    if (counted_incomplete_.exchange(counts, std::memory_order_relaxed) != counts) {
        peer_->incomplete.fetch_add(counts ? 1 : std::size_t(-1), std::memory_order_relaxed);
    }
}

void ConnectionTable::Entry::set_phase(Phase phase, TimePoint now) {
    const Phase before = phase_.load(std::memory_order_relaxed);
    if (before == phase) {
        return;
    }
    since_.store(now, std::memory_order_relaxed);
    phase_.store(phase, std::memory_order_relaxed);
    if (before == Phase::incomplete || phase == Phase::incomplete) {
        count_incomplete(phase == Phase::incomplete);
    }
}

bool ConnectionTable::add(
    const std::shared_ptr<Entry>& entry, const std::string& address, TimePoint now
) {
    Entries victims;
    {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= limits_.connections_max) {
            const std::size_t too_many = entries_.size() - limits_.connections_max + 1;
            victims = push_out(std::max(too_many, limits_.connections_max / kRoomShare), now);
            if (victims.empty()) {
                return false;
            }
        }
        auto& peer = peers_[address];
        if (!peer) {
            peer = std::make_shared<PeerCount>();
        }
        if (peer->incomplete >= limits_.incomplete_per_peer_max) {
            const std::size_t count =
                std::max<std::size_t>(1, limits_.incomplete_per_peer_max / kRoomShare);
            for (auto& victim : choose(Phase::incomplete, count, now, peer.get())) {
                victims.push_back(std::move(victim));
            }
        }
        entry->peer_ = peer;
        entry->address_ = address;
        entry->since_ = now;
        entry->count_incomplete(true);
        ++peer->held;
        list(entry);
    }
    ask(victims);
    return true;
}

void ConnectionTable::ask(const Entries& victims) {
    evicted_.fetch_add(victims.size(), std::memory_order_relaxed);
    for (const auto& victim : victims) {
        victim->evict();
    }
}

void ConnectionTable::list(const std::shared_ptr<Entry>& entry) {
    entry->listed_ = true;
    entry->place_ = entries_.size();
    entries_.push_back(entry);
    ++entry->peer_->connections;
}

void ConnectionTable::unlist(const std::shared_ptr<Entry>& entry) {
    entry->listed_ = false;
    --entry->peer_->connections;
    entries_.back()->place_ = entry->place_;
    std::swap(entries_[entry->place_], entries_.back());
    entries_.pop_back();
}

void ConnectionTable::restore(const std::shared_ptr<Entry>& entry) {
    const std::lock_guard lock(mutex_);
    if (!entry->listed_) {
        evicted_.fetch_sub(1, std::memory_order_relaxed);
        list(entry);
    }
}

void ConnectionTable::remove(const std::shared_ptr<Entry>& entry) {
    const std::lock_guard lock(mutex_);
    if (entry->listed_) {
        unlist(entry);
    }
    entry->count_incomplete(false);
    if (--entry->peer_->held == 0) {
        peers_.erase(entry->address_);
    }
}

bool ConnectionTable::make_room(TimePoint now) {
    Entries victims;
    {
        const std::lock_guard lock(mutex_);
        victims = push_out(std::max<std::size_t>(1, entries_.size() / kRoomShare), now);
    }
    ask(victims);
    return !victims.empty();
}

std::size_t ConnectionTable::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

ConnectionTable::Entries ConnectionTable::push_out(std::size_t count, TimePoint now) {
    for (const Phase phase : {Phase::incomplete, Phase::idle, Phase::receiving, Phase::sending}) {
        Entries victims = choose(phase, count, now, nullptr);
        if (!victims.empty()) {
            return victims;
        }
    }
    return {};
}

// As if they were chosen one after the other.
ConnectionTable::Entries ConnectionTable::choose(
    Phase phase, std::size_t count, TimePoint now, const PeerCount* only
) {
    // An entry may move on while we look: what is sorted is a copy.
    using Candidate = std::pair<TimePoint, std::shared_ptr<Entry>>;
    std::unordered_map<const PeerCount*, std::vector<Candidate>> candidates;
    const bool patient = phase == Phase::receiving || phase == Phase::sending;
    for (const auto& entry : entries_) {
        const TimePoint since = entry->since_.load(std::memory_order_relaxed);
        if (entry->phase() == phase && (only == nullptr || entry->peer_.get() == only) &&
            (!patient || now - since >= limits_.patience)) {
            candidates[entry->peer_.get()].emplace_back(since, entry);
        }
    }
    // The largest first; of equal ones that with the oldest connection.
    using Rank = std::tuple<std::size_t, Duration, const PeerCount*>;
    std::priority_queue<Rank> most;
    const auto rank = [&](const PeerCount* peer) {
        return Rank(peer->connections, -candidates[peer].back().first.time_since_epoch(), peer);
    };
    for (auto& [peer, entries] : candidates) {
        // The oldest at the end, to be popped.
        std::ranges::sort(entries, std::ranges::greater(), &Candidate::first);
        most.push(rank(peer));
    }
    Entries victims;
    while (victims.size() < count && !most.empty()) {
        const PeerCount* peer = std::get<const PeerCount*>(most.top());
        most.pop();
        auto& entries = candidates[peer];
        victims.push_back(std::move(entries.back().second));
        entries.pop_back();
        unlist(victims.back());
        victims.back()->asked_in_.store(phase, std::memory_order_relaxed);
        victims.back()->count_incomplete(false);
        if (!entries.empty()) {
            most.push(rank(peer));
        }
    }
    return victims;
}

}  // namespace lab::http
