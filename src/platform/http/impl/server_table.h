#pragma once
#include "base/clock.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace lab::http {

class Connection;

/// What a connection is doing, in the order in which connections are given up for newcomers.
enum class Phase : std::uint8_t {
    incomplete,  ///< handshake or request head is not there
    idle,        ///< between two requests
    receiving,   ///< a body comes in
    sending,     ///< waits for the client to take an answer
    busy,        ///< the application works on a request; never given up
};

/// The connections of all threads, with room for so many. Any thread.
///
/// Who takes all the room with connections that lead nowhere (slowloris) loses them, the oldest
/// first: with no room left, a newcomer pushes out a connection of the earliest phase; within a
/// phase one of the address that has most connections; of these the one that is in its phase for
/// longest.
class ConnectionTable {
  public:
    struct Limits {
        std::size_t connections_max = 0;
        std::size_t incomplete_per_peer_max = 0;
        Duration patience{};  ///< receiving and sending are not given up before
    };
    struct PeerCount {
        std::size_t held = 0;         ///< entries, also those asked to go; under the table's mutex
        std::size_t connections = 0;  ///< without those; under the table's mutex
        std::atomic<std::size_t> incomplete{0};
    };
    class Entry {
      public:
        Phase phase() const { return phase_.load(std::memory_order_relaxed); }
        void set_phase(Phase phase, TimePoint now);
        /// Whether it has got further since it was asked to go; for the owner.
        bool has_moved_on() const { return phase() > asked_in_; }
        /// Asked to go: called by any thread. Set before the entry is added, never changed.
        std::function<void()> evict;
        Connection* owner = nullptr;  ///< for the owner's thread alone

      private:
        friend class ConnectionTable;
        void count_incomplete(bool counts);

        std::shared_ptr<PeerCount> peer_;
        std::string address_;
        std::atomic<Phase> phase_{Phase::incomplete};
        std::atomic<TimePoint> since_{};
        std::atomic<bool> counted_incomplete_{false};
        std::atomic<Phase> asked_in_{Phase::incomplete};
        bool listed_ = false;    ///< under the table's mutex
        std::size_t place_ = 0;  ///< under the table's mutex
    };

    explicit ConnectionTable(const Limits& limits) : limits_(limits) {}

    /// False when there is no room and nobody to push out. Otherwise those who have to go have been
    /// asked, and are no longer counted.
    bool add(const std::shared_ptr<Entry>& entry, const std::string& address, TimePoint now);
    /// For an entry that was asked to go and has moved on: it stays, and another goes when the next
    /// comes.
    void restore(const std::shared_ptr<Entry>& entry);
    void remove(const std::shared_ptr<Entry>& entry);
    /// Makes room for a few without a newcomer (no descriptors left). False when nobody can go.
    bool make_room(TimePoint now);
    std::size_t size() const;
    std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

  private:
    using Entries = std::vector<std::shared_ptr<Entry>>;
    void list(const std::shared_ptr<Entry>& entry);
    void unlist(const std::shared_ptr<Entry>& entry);
    Entries choose(Phase phase, std::size_t count, TimePoint now, const PeerCount* only);
    Entries push_out(std::size_t count, TimePoint now);
    void ask(const Entries& victims);

    const Limits limits_;
    mutable std::mutex mutex_;
    Entries entries_;
    std::unordered_map<std::string, std::shared_ptr<PeerCount>> peers_;
    std::atomic<std::uint64_t> evicted_{0};
};

}  // namespace lab::http
